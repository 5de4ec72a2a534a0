"""A run: what it leaves and says, and one line for every mistake."""

import shutil
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from command_line import check_error, run
from signals import voice

import assonance
from assonance import Comparison
from assonance.claims.verdict import evaluate_claims, format_table
from assonance.comparison.relations import FineTuning
from assonance.corpus.windows import WINDOW
from assonance.measures.layer_descriptors import DESCRIPTORS
from assonance.report.summary import sentences
from assonance.settings import SETTINGS
from assonance.tables import changes as change_tables


@pytest.fixture(scope="module")
def pair(checkpoint):
    return checkpoint("wav2vec2", seed=1), checkpoint("hubert", "large", seed=2)


@pytest.fixture(scope="module")
def done(pair, speech, tmp_path_factory):
    """One comparison of all measures, and its folder."""
    out = tmp_path_factory.mktemp("done") / "runs" / "mine"
    return run("compare", *pair, "--audio", speech, "--out", out), out


@pytest.fixture
def recordings(speech, tmp_path):
    """Six recordings of one's own to spoil."""
    return shutil.copytree(speech, tmp_path / "recordings")


# Before a run


@pytest.mark.parametrize(
    "command", [(), ("compare",), ("demo",), ("claims",), ("measures",)], ids=str
)
def test_every_command_has_help(command):
    outcome = run(*command, "--help")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("Usage: ")
    assert "--help" in outcome.out


def test_the_options_of_a_comparison_are_explained():
    text = run("compare", "--help").out
    for option in ("--audio", "--out", "--measure", "--settings", "--no-twins", "--memory"):
        assert option in text
    for option in ("--device", "--offline", "--on-error"):
        assert option in text


# What a run leaves


def test_standard_output_holds_the_findings_and_nothing_else(done):
    outcome, out = done
    found = Comparison.load(out / "results.nc")
    speech = found.provenance.corpus
    assert outcome.out.splitlines() == [
        f"{' and '.join(found.models)} on 6 utterances, {speech.seconds / 60:.1f} minutes, "
        f"{speech.frames} frames",
        *(f"  {sentence}" for sentence in sentences(found)),
        f"results: {out / 'results.nc'}, {out / 'results.csv'}, {out / 'claims.csv'}",
        f"report:  {out / 'report.html'}",
    ]
    assert len(sentences(found)) == 5


def test_standard_error_tells_of_stages_and_notes(done):
    outcome, out = done
    found = Comparison.load(out / "results.nc")
    names = [stage.rpartition(": ")[0] for stage in outcome.stages]
    models = [model.name for model in found.provenance.models]
    assert names[0] == "loading models"
    assert sum(name.startswith("reading speech with ") for name in names) == len(models) == 5
    assert names[-3:] == ["comparing attention", "comparing layers", "writing the report"]
    assert outcome.said == [f"note: {note}" for note in found.provenance.notes]


def test_the_configuration_is_what_was_resolved(done, pair, speech):
    _, out = done
    config = yaml.safe_load((out / "config.yaml").read_text("utf-8"))
    taken = Comparison.load(out / "results.nc").provenance.measures
    assert len(taken) > 10
    assert config.pop("settings") == vars(SETTINGS["default"])
    assert config == {
        "assonance": assonance.__version__,
        "models": list(map(str, pair)),
        "audio": str(speech),
        "out": str(out),
        "measures": list(taken),
        "twins": True,
        "speech": {"window": WINDOW, "channel": None, "max_hours": None, "seed": 0},
        "pooling": {
            "pool": "frame",
            "pool_by": "mean",
            "alignments": None,
            "skip_silence": False,
        },
        "memory": "auto",
        "device": "cpu",
        "offline": False,
        "record": ["blocks"],
        "precision": "float32",
        "pickles": True,
        "preprocessors": {},
        "configs": {},
        "on_error": "skip",
        "seeds": {},
        "tuned_from": {},
        "uncertainty": True,
    }


def test_the_table_holds_the_scores(done):
    _, out = done
    found = Comparison.load(out / "results.nc")
    rows = (out / "results.csv").read_text("utf-8").splitlines()
    cell = "model_row,layer_row,model_col,layer_col"
    assert rows[0] == f"measure,{cell},value,estimate,low,high,shifted"
    table = pd.read_csv(out / "results.csv")
    assert len(table) == len(found.to_dataframe())
    assert table["value"].notna().all()
    sure = table.dropna(subset="estimate")
    assert (sure["low"] <= sure["estimate"]).all()
    assert (sure["estimate"] <= sure["high"]).all()
    assert set(sure["measure"]) == set(found.intervals.data_vars)


def test_a_finished_run_is_asked_for_its_claims(done):
    _, out = done
    written = pd.read_csv(out / "claims.csv")
    outcome = run("claims", out)
    assert (outcome.status, outcome.err) == (0, "")
    found = evaluate_claims(Comparison.load(out / "results.nc"))
    assert outcome.out.splitlines() == [*format_table(found), f"claims: {out / 'claims.csv'}"]
    assert list(written["claim"]) == [each.claim.name for each in found]
    assert list(written["verdict"]) == [each.verdict for each in found]
    assert {"shared space, LinReg", "attention within"} <= {
        each.claim.name for each in found if each.tested
    }


def test_ones_own_claims_are_asked_instead(done, tmp_path):
    _, out = done
    results = shutil.copy(out / "results.nc", tmp_path)
    config = tmp_path / "mine.yaml"
    term = {"measure": "cka_utterance", "where": ["across"]}
    mine = {"says": "Late is more than early", "plus": [term | {"layer_row": "encoder.2"}]}
    mine["minus"] = [term | {"layer_row": "encoder.0"}]
    config.write_text(yaml.safe_dump({"claims": {"mine": mine}}), "utf-8")
    outcome = run("claims", results, "--config", config)
    assert outcome.status == 0
    assert [line.split("  ")[0] for line in outcome.out.splitlines()[:2]] == ["claim", "mine"]
    assert list(pd.read_csv(tmp_path / "claims-mine.csv")["claim"]) == ["mine"]


def test_claims_of_nothing_and_by_nothing_are_one_line(done, tmp_path):
    _, out = done
    outcome = run("claims", tmp_path / "none")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith(f"error: {tmp_path / 'none'}: no such run; ")
    outcome = run("claims", out, "--config", tmp_path / "none.yaml")
    assert outcome.status == 1
    assert outcome.err.startswith(f"error: {tmp_path / 'none.yaml'}: cannot be read")


def test_the_report_names_models_and_says_the_sentences(done):
    _, out = done
    page = unescape((out / "report.html").read_text("utf-8"))
    found = Comparison.load(out / "results.nc")
    for words in (*found.models, *sentences(found), *found.provenance.notes):
        assert words in page


def test_options_reach_the_comparison(pair, speech, tmp_path):
    outcome = run(
        *("compare", *pair, "--audio", speech, "--out", tmp_path / "out", "-m", "cka"),
        *("--measure", "attn_js", "--settings", "elkheir2024", "--no-twins", "--offline"),
        *("--memory", "1.5GB", "--on-error", "stop", "--record", "blocks", "--record", "heads"),
    )
    assert outcome.status == 0
    found = Comparison.load(tmp_path / "out" / "results.nc")
    assert set(found.scores.data_vars) - set(DESCRIPTORS) == {"cka", "attn_js"}
    assert found.provenance.settings["name"] == "elkheir2024"
    assert found.scores.sizes["model_row"] == 2
    config = yaml.safe_load((tmp_path / "out" / "config.yaml").read_text("utf-8"))
    assert (config["memory"], config["offline"], config["on_error"]) == ("1.5GB", True, "stop")
    assert config["record"] == ["blocks", "heads"]
    assert "heads.1" in found.scores["layer_row"].values
    assert (config["measures"], config["twins"]) == (["cka", "attn_js"], False)


def test_one_model_alone_is_compared_with_itself(pair, speech, tmp_path):
    outcome = run("compare", pair[0], "--audio", speech, "--out", tmp_path, "-m", "cka")
    assert outcome.status == 0
    assert len(outcome.out.splitlines()) == 3


# Bad input


def nothing(folder: Path) -> None:
    shutil.rmtree(folder)


def no_audio(folder: Path) -> None:
    nothing(folder)
    folder.mkdir()
    (folder / "notes.txt").write_text("no audio")


def all_empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(b"")


def all_words(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_text("These are words.")


def all_short(folder: Path) -> None:
    for path in folder.iterdir():
        soundfile.write(path, voice(0.01, seed=1), 16000)


def all_nan(folder: Path) -> None:
    for path in folder.iterdir():
        soundfile.write(path, np.full(16000, np.nan), 16000, subtype="FLOAT")


def bad_manifest(folder: Path) -> None:
    (folder / "manifest.csv").write_text("file\nprompt0.wav\n")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (nothing, ["recordings: no such folder or manifest"]),
        (no_audio, ["recordings: no audio in this folder"]),
        (all_empty, ["recordings: none of its 6", "prompt0.wav: is an empty file"]),
        (all_words, ["recordings: none of its 6", "prompt0.wav: is not audio"]),
        (all_short, ["recordings: ", "can use none of the 6", "prompt0.wav: too short"]),
        (all_nan, ["can use none of the 6", "prompt0.wav: holds samples that are NaN"]),
        (bad_manifest, ["manifest.csv: no column named path"]),
    ],
    ids=lambda each: each.__name__ if callable(each) else "",
)
def test_speech_that_cannot_be_used_is_one_line(pair, recordings, tmp_path, spoil, words):
    spoil(recordings)
    outcome = run("compare", *pair, "--audio", recordings, "--out", tmp_path / "out")
    check_error(outcome, *words)


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def half_the_weights(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def another_kind(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "bert"}')


def no_configuration(folder: Path) -> None:
    (folder / "config.json").unlink()


def no_preprocessing(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (nothing, ["mine: no such directory"]),
        (no_weights, ["mine: no weights", "pytorch_model.bin is needed"]),
        (half_the_weights, ["mine/model.safetensors: its weights cannot be loaded"]),
        (another_kind, ["mine: models of type 'bert' are not supported"]),
        (no_configuration, ["mine: no config.json"]),
        (no_preprocessing, ["mine: no preprocessor_config.json"]),
    ],
    ids=lambda each: each.__name__ if callable(each) else "",
)
def test_a_model_that_cannot_be_used_is_one_line(pair, speech, tmp_path, spoil, words):
    mine = shutil.copytree(pair[1], tmp_path / "mine")
    spoil(mine)
    outcome = run(
        "compare", pair[0], mine, "--audio", speech, "--out", tmp_path / "out", "--offline"
    )
    check_error(outcome, *words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-m", "cosine"], ["measure 'cosine' is unknown", "cka"]),
        (["--settings", "mine"], ["settings 'mine' are not known", "elkheir2024"]),
        (["--device", "abacus"], ["device 'abacus': cannot be used"]),
    ],
    ids=lambda each: each[0],
)
def test_an_option_that_cannot_be_is_one_line(pair, speech, tmp_path, options, words):
    outcome = run("compare", *pair, "--audio", speech, "--out", tmp_path / "out", *options)
    check_error(outcome, *words)


@pytest.mark.parametrize(
    "options",
    [["--memory", "0"], ["--memory", "much"], ["--on-error", "panic"], ["--colour", "red"]],
    ids=" ".join,
)
def test_an_option_s_form_is_checked_before_anything_runs(pair, speech, tmp_path, options):
    outcome = run("compare", *pair, "--audio", speech, "--out", tmp_path / "out", *options)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.said[-1].startswith("Error: ")
    assert options[0] in outcome.said[-1]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["out", "report.html"])
def test_a_place_that_cannot_be_written_is_one_line(pair, speech, tmp_path, name):
    out = tmp_path / "out"
    if name == "out":
        out.write_text("in the way")
    else:
        (out / name).mkdir(parents=True)
    outcome = run("compare", *pair, "--audio", speech, "--out", out, "-m", "cka", "--no-twins")
    check_error(outcome, f"{name}: cannot be ")
    assert not list(tmp_path.rglob("*.tmp"))


# A bad file among good ones


def test_many_bad_files_do_not_flood_the_terminal(pair, recordings, tmp_path):
    for number in range(25):
        (recordings / f"empty{number:02}.wav").write_bytes(b"")
    outcome = run("compare", *pair, "--audio", recordings, "--out", tmp_path / "out", "-m", "cka")
    format_table = [line for line in outcome.said if line.startswith("left out: ")]
    assert len(format_table) == 11
    assert format_table[-1] == "left out: 15 more; the report names them"
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert all(f"empty{number:02}.wav" in page for number in range(25))


def test_a_name_cannot_break_its_line(pair, recordings, tmp_path):
    (recordings / "two\nlines\x1b[2J.wav").write_bytes(b"")
    outcome = run("compare", *pair, "--audio", recordings, "--out", tmp_path / "out", "-m", "cka")
    (line,) = (line for line in outcome.said if "lines" in line)
    assert line.startswith("left out: ")
    assert r"two\nlines\x1b[2J.wav" in line


def test_a_bad_file_stops_a_run_that_was_told_to_stop(pair, recordings, tmp_path):
    soundfile.write(recordings / "short.wav", voice(0.01, seed=1), 16000)
    outcome = run(
        *("compare", *pair, "--audio", recordings, "--out", tmp_path / "out"),
        *("-m", "cka", "--on-error", "stop"),
    )
    check_error(outcome, "short.wav: too short", "mend or remove it")


def test_attention_alone_writes_no_activations_and_prints_a_finding(pair, speech, tmp_path):
    quick = ("--no-uncertainty", "--no-twins")
    told = run(
        "compare", *pair, "--audio", speech, "--out", tmp_path / "a", "-m", "attn_js", *quick
    )
    assert told.status == 0, told.err
    assert "Shared attention (Attention, Jensen–Shannon" in told.out
    assert not (tmp_path / "a" / "activations").exists()
    both = (*quick, "-m", "attn_js", "-m", "cka")
    run("compare", *pair, "--audio", speech, "--out", tmp_path / "b", *both)
    alone, beside = (Comparison.load(tmp_path / name / "results.nc") for name in "ab")
    assert alone.scores["attn_js"].identical(beside.scores["attn_js"])
    assert alone.provenance.corpus == beside.provenance.corpus


def test_attention_alone_leaves_out_what_a_model_cannot_use(pair, recordings, tmp_path):
    soundfile.write(recordings / "short.wav", voice(0.01, seed=1), 16000)
    options = ("--no-uncertainty", "--no-twins", "-m", "attn_js")
    told = run("compare", *pair, "--audio", recordings, "--out", tmp_path / "out", *options)
    assert told.status == 0
    assert any(line.startswith("left out: ") and "short.wav" in line for line in told.said)


# Before and after


def test_diff_leaves_what_changed_layer_by_layer(checkpoint, speech, tmp_path):
    before = checkpoint("wav2vec2", seed=1)
    out = tmp_path / "change"
    told = run(
        *("diff", before, checkpoint("wav2vec2", seed=2), "--audio", speech, "--out", out),
        *("--seed-twin", checkpoint("wav2vec2", seed=3), "--no-twins"),
        *("-m", "cka", "-m", "maxcorr", "-m", "attn_js"),
    )
    assert told.status == 0, told.err
    assert "Subspaces (CKA): fine-tuning changed " in told.out
    assert "than another seed changes" in told.out
    table = pd.read_csv(out / "changes.csv")
    assert set(table["measure"]) == {"cka", "maxcorr", "maxcorr_own", "attn_js", "attn_js_own"}
    assert table["ceiling"].notna().sum() == table["value"].notna().sum()
    assert {"changed_heads.csv", "changes.svg"} <= {path.name for path in out.iterdir()}
    assert "What did fine-tuning change?" in (out / "report.html").read_text("utf-8")
    found = Comparison.load(out / "results.nc")
    base, fine_tuned, second = found.models
    assert [each.tuned_from for each in found.provenance.models] == [None, base, None]
    assert change_tables.pairs(found) == (FineTuning(base, fine_tuned, second),)
    reasons = pd.read_csv(out / "claims.csv").set_index("claim")["reason"]
    assert reasons["fine-tuning, late layers"] == "cka_utterance was not measured"


def test_diff_of_models_of_two_architectures_is_one_line(pair, speech, tmp_path):
    told = run("diff", *pair, "--audio", speech, "--out", tmp_path / "x", "-m", "cka", "--no-twins")
    assert told.status == 1
    assert "is of another architecture than" in told.err.splitlines()[-1]
    assert not (tmp_path / "x/activations").exists()


def test_a_second_seed_is_a_ceiling_and_must_be_there(pair, speech, tmp_path):
    out = tmp_path / "out"
    command = ("compare", *pair, "--audio", speech, "--out", out, "-m", "cka", "--no-twins")
    first, second = (path.name for path in pair)
    assert run(*command, "--seed-of", f"{second}={first}").status == 0
    found = Comparison.load(out / "results.nc")
    assert [each.seed_of for each in found.provenance.models] == [None, first]
    outcome = run(*command, "--seed-of", f"{second}=nobody")
    assert outcome.status == 1
    assert "nobody is none of those compared" in outcome.err
    assert "SECOND=FIRST" in run(*command, "--seed-of", second).err


def test_a_base_that_is_stated_reaches_claims_record_configuration_and_report(
    checkpoint, speech, tmp_path
):
    a, b = (checkpoint("wav2vec2", seed=seed) for seed in (1, 2))
    fine_tuned = checkpoint("wav2vec2", head="ForCTC", seed=3)
    options = ("-m", "cka_utterance", "--no-twins", "--shifts", "1")
    command = ("compare", a, b, fine_tuned, "--audio", speech, *options)
    claim, heading = "fine-tuning, late layers", "What did fine-tuning change?"

    out = tmp_path / "unstated"
    outcome = run(*command, "--out", out)
    assert outcome.status == 0, outcome.err
    unknown = f"{fine_tuned.name} may have been fine-tuned from {a.name} or {b.name}"
    hint = "state which with --tuned-from TUNED=BASE, or tuned_from= in Python"
    assert f"note: {unknown}: {hint}" in outcome.said
    page = unescape((out / "report.html").read_text("utf-8"))
    assert heading not in page
    assert f"{unknown}: {hint}" in page
    line = pd.read_csv(out / "claims.csv").set_index("claim").loc[claim]
    assert (line["verdict"], line["reason"]) == ("cannot be asked", f"{unknown} ({hint})")

    out = tmp_path / "stated"
    outcome = run(*command, "--out", out, "--tuned-from", f"{fine_tuned.name}={b.name}")
    assert outcome.status == 0, outcome.err
    assert unknown not in outcome.err
    found = Comparison.load(out / "results.nc")
    assert [each.tuned_from for each in found.provenance.models] == [None, None, b.name]
    assert f"{b.name} with the same layer of {fine_tuned.name}" in (out / "report.html").read_text()
    assert pd.read_csv(out / "claims.csv").set_index("claim").loc[claim, "estimate"] != 0
    config = yaml.safe_load((out / "config.yaml").read_text("utf-8"))
    assert config["tuned_from"] == {fine_tuned.name: b.name}


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        (["b"], "--tuned-from 'b': not of the form TUNED=BASE"),
        (["b=b"], "--tuned-from 'b=b': a model cannot be its own; write TUNED=BASE"),
        (["b=a", "b=c"], "--tuned-from 'b=c': 'b' was already given 'a'; give one"),
        (["b=nobody"], "base of a fine-tuned model: nobody is none of those compared"),
    ],
    ids=str,
)
def test_a_base_that_cannot_be_is_refused_before_models_are_loaded(speech, tmp_path, stated, words):
    for name in "abc":
        (tmp_path / name).mkdir()  # and hold no models
    command = ["compare", *(tmp_path / name for name in "abc"), "--audio", speech]
    options = [part for each in stated for part in ("--tuned-from", each)]
    outcome = run(*command, "--out", tmp_path / "out", *options)
    check_error(outcome, words)


def test_uncertainty_can_be_left_out(pair, speech, tmp_path):
    out = tmp_path / "out"
    options = ("--no-twins", "--no-uncertainty", "-m", "maxcorr", "-m", "attn_js")
    assert run("compare", *pair, "--audio", speech, "--out", out, *options).status == 0
    found = Comparison.load(out / "results.nc")
    for part in (found.replicates, found.intervals, found.nulls, found.halves):
        assert not part.data_vars
    assert "95" not in (out / "claims.csv").read_text("utf-8")


def test_a_bootstrap_is_said_wherever_intervals_are(pair, speech, tmp_path):
    out = tmp_path / "out"
    chosen = [part for name in ("maxcorr", "attn_js") for part in ("-m", name)]
    options = ("--no-twins", "--shifts", "1", "--groups", "6", "--bootstrap", "40", *chosen)
    outcome = run("compare", *pair, "--audio", speech, "--out", out, *options)
    assert outcome.status == 0
    found = Comparison.load(out / "results.nc")
    assert found.provenance.settings["bootstrap"] == 40
    words = "a bootstrap of 40 draws of groups of utterances"
    assert found.intervals.attrs["method"] == found.method == words
    for name in ("maxcorr", "attn_js"):
        assert found.replicates[name].dims[-1] == "draw"
        assert found.replicates[name].sizes["draw"] == 40
        assert found.intervals[name].notnull().any()
    assert words in (out / "report.html").read_text("utf-8")
    assert words in outcome.out
    config = yaml.safe_load((out / "config.yaml").read_text("utf-8"))
    assert config["settings"]["bootstrap"] == 40


def test_too_few_draws_are_refused_in_one_line(pair, speech, tmp_path):
    command = ("compare", *pair, "--audio", speech, "--out", tmp_path / "out", "--bootstrap", "5")
    outcome = run(*command)
    assert outcome.status == 1
    assert "bootstrap must be at least 39 draws" in outcome.err
