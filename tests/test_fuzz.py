"""Whatever others write is read rightly, or refused in one clear line: tried with damaged files."""

import hashlib
import json
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile
import xarray as xr
from comparisons import comparison
from fuzzed import (
    damaged_bytes,
    damaged_json,
    damaged_table,
    damaged_values,
    damaged_yaml,
    fuzz,
    read_or_refused,
)
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from signals import voice

import assonance
from assonance import Comparison, Corpus
from assonance.activations.store import ActivationStore
from assonance.claims.claim import load_claims
from assonance.comparison.results_file import _SEAL, _SEAL_LENGTH
from assonance.corpus.alignments import Alignments
from assonance.models.loading import load_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Speech that listings name, and a place for damaged files."""
    root = tmp_path_factory.mktemp("fuzz")
    for name in "abc":
        soundfile.write(root / f"{name}.wav", voice(1.0, seed=ord(name)), 16000)
    return root


def listed(path):
    """List a corpus and read all of its speech."""
    corpus = read_or_refused(lambda: Corpus.from_path(path))
    for utterance in corpus or ():
        samples = read_or_refused(lambda utterance=utterance: utterance.read(16000))
        assert samples is None or len(samples) <= 16000 + 1
    for each in corpus.left_out if corpus else ():
        assert each.shown.isprintable()
        assert each.reason.isprintable()


MANIFEST = [
    ["id", "path", "speaker", "start", "end", "text"],
    ["one", "a.wav", "ann", "0.1", "0.5", "good day"],
    ["two", "a.wav", "ann", "0.5", "0.9", ""],
    ["three", "b.wav", "bo", "", "", "never"],
    ["four", "c.wav", "7", "0", "1", "night"],
]


@fuzz
@given(content=damaged_table(MANIFEST, ","))
def test_csv_manifests(folder, content):
    (folder / "list.csv").write_bytes(content)
    listed(folder / "list.csv")


ROWS = [
    {"id": "one", "path": "a.wav", "speaker": "ann", "start": 0.1, "end": 0.5, "language": "en"},
    {"id": "two", "path": "b.wav", "speaker": 7, "duration": 0.3, "text": None},
]


@fuzz
@given(rows=damaged_values(ROWS), content=st.none() | damaged_bytes(json.dumps(ROWS[0]).encode()))
def test_json_manifests(folder, rows, content):
    lines = rows if isinstance(rows, list) else [rows]
    text = "\n".join(map(json.dumps, lines)).encode()
    (folder / "list.jsonl").write_bytes(text if content is None else content)
    listed(folder / "list.jsonl")


CUT = {
    "id": "one",
    "start": 0.1,
    "duration": 0.5,
    "channel": 0,
    "type": "MonoCut",
    "supervisions": [
        {"id": "s", "recording_id": "r", "start": 0, "duration": 0.5, "speaker": "a", "text": "b"}
    ],
    "recording": {
        "id": "r",
        "sources": [{"type": "file", "channels": [0], "source": "a.wav"}],
        "sampling_rate": 16000,
        "num_samples": 16000,
        "duration": 1.0,
        "channel_ids": [0],
    },
}


@fuzz
@given(content=damaged_json(CUT))
def test_lhotse_cuts(folder, content):
    pytest.importorskip("lhotse")
    (folder / "cuts.jsonl").write_bytes(content)
    listed(folder / "cuts.jsonl")


KALDI = {
    "wav.scp": [["one", "a.wav"], ["two", "b.wav"]],
    "segments": [["seg1", "one", "0.1", "0.5"], ["seg2", "two", "0.2", "-1"]],
    "utt2spk": [["seg1", "ann"], ["seg2", "bo"]],
    "text": [["seg1", "good", "day"], ["seg2"]],
}


@fuzz
@given(name=st.sampled_from([*KALDI]), data=st.data())
def test_kaldi_directories(folder, name, data):
    place = folder / "kaldi"
    place.mkdir(exist_ok=True)
    for each in "ab":
        (place / f"{each}.wav").write_bytes((folder / f"{each}.wav").read_bytes())
    for each, rows in KALDI.items():
        (place / each).write_text("\n".join(" ".join(row) for row in rows))
    (place / name).write_bytes(data.draw(damaged_table(KALDI[name], " ")))
    listed(place)


@fuzz
@given(data=st.data())
def test_sound_files(folder, data):
    place = folder / "sound"
    place.mkdir(exist_ok=True)
    content = (folder / "a.wav").read_bytes()
    head = data.draw(damaged_bytes(content[:64]))
    (place / "a.wav").write_bytes(head + content[64:])
    listed(place)


CTM = [
    ["a", "1", "0.00", "0.30", "ah"],
    ["a", "1", "0.30", "0.20", "sil"],
    ["a", "1", ".5", ".1", "b"],
]
GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 1
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = "ah"
        intervals [2]:
            xmin = 0.5
            xmax = 1
            text = ""
"""


@fuzz
@given(content=damaged_table(CTM, " "), grid=damaged_bytes(GRID.encode()))
def test_alignments(folder, content, grid):
    (folder / "phone.ctm").write_bytes(content)
    place = folder / "grids"
    place.mkdir(exist_ok=True)
    (place / "a.TextGrid").write_bytes(grid)
    (utterance,) = [each for each in Corpus.from_path(folder / "kept.csv") if each.id == "a"]
    for path in (folder / "phone.ctm", place):
        spans = read_or_refused(lambda path=path: Alignments(path).spans(utterance, "phone"))
        assert all(0 <= each.start <= each.end for each in spans or ())


@pytest.fixture(scope="module", autouse=True)
def kept(folder):
    """Write a whole listing for those who look up one utterance."""
    (folder / "kept.csv").write_text("id,path\na,a.wav\n")


CLAIMS = {
    "claims": {
        "mine": {
            "says": "They are alike",
            "plus": [{"measure": "cka", "where": ["across"]}],
            "minus": [{"measure": "cka", "where": ["across", "random weights"]}],
            "match": "objective",
        }
    }
}


@fuzz
@given(content=damaged_yaml(CLAIMS))
def test_claims(folder, content):
    (folder / "claims.yaml").write_bytes(content)
    read_or_refused(lambda: load_claims(folder / "claims.yaml"))


CARD = {"frame_rate": 50, "first_frame": 0.01, "name": "mine", "layers": ["one", "two"]}


@fuzz
@given(content=damaged_yaml(CARD))
def test_cards_of_activations(folder, content):
    place = folder / "features"
    place.mkdir(exist_ok=True)
    np.save(place / "a.npy", np.ones((2, 50, 3), np.float32))
    (place / "activations.yaml").write_bytes(content)
    model = read_or_refused(lambda: load_model(place))
    if model is not None:
        assert model.n_frames(16000) >= 0


def written_arrays():
    """Return a file of arrays in each format, by its suffix."""
    layers = {"one": np.arange(150, dtype=np.float32).reshape(50, 3), "two": np.ones((50, 2))}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        np.save(root / "a.npy", np.ones((2, 50, 3), np.float32))
        np.savez_compressed(root / "a.npz", **layers)
        save_file(layers, root / "a.safetensors")
        with h5py.File(root / "a.h5", "w") as file:
            for key, values in layers.items():
                file.create_dataset(key, data=values, compression=1)
        return {path.suffix: path.read_bytes() for path in root.iterdir()}


ARRAYS = written_arrays()


@fuzz
@given(suffix=st.sampled_from(sorted(ARRAYS)), data=st.data())
def test_arrays(folder, suffix, data):
    with tempfile.TemporaryDirectory(dir=folder) as name:
        place = Path(name)
        (place / f"a{suffix}").write_bytes(data.draw(damaged_bytes(ARRAYS[suffix])))
        read_or_refused(lambda: assonance.Precomputed(place, frame_rate=50))


@fuzz
@given(data=st.data())
def test_configurations_of_checkpoints(folder, checkpoint, data):
    source = checkpoint()
    name = data.draw(st.sampled_from(["config.json", "preprocessor_config.json"]))
    with tempfile.TemporaryDirectory(dir=folder) as made:
        place = Path(made)
        for path in source.iterdir():
            if path.name != name:
                (place / path.name).symlink_to(path)
        content = json.loads((source / name).read_bytes())
        (place / name).write_bytes(data.draw(damaged_json(content)))
        read_or_refused(lambda: load_model(place, offline=True))


@fuzz
@given(data=st.data())
def test_weights(folder, checkpoint, data):
    source = checkpoint()
    with tempfile.TemporaryDirectory(dir=folder) as made:
        place = Path(made)
        for path in source.iterdir():
            if path.suffix != ".safetensors":
                (place / path.name).symlink_to(path)
        content = (source / "model.safetensors").read_bytes()
        head = 8 + int.from_bytes(content[:8], "little")
        damaged = data.draw(damaged_bytes(content[:head]))
        (place / "model.safetensors").write_bytes(damaged + content[head:])
        read_or_refused(lambda: load_model(place, offline=True))


@fuzz
@given(data=st.data())
def test_pickled_weights(folder, checkpoint, data):
    import torch
    from safetensors.torch import load_file

    source = checkpoint()
    pickled = folder / "pytorch_model.bin"
    if not pickled.exists():
        weights = load_file(source / "model.safetensors")
        torch.save({name: weights[name] for name in [*weights][:6]}, pickled)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        place = Path(made)
        for path in source.iterdir():
            if path.suffix != ".safetensors":
                (place / path.name).symlink_to(path)
        (place / pickled.name).write_bytes(data.draw(damaged_bytes(pickled.read_bytes())))
        read_or_refused(lambda: load_model(place, offline=True))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A file of results, and what it holds."""
    path = tmp_path_factory.mktemp("results") / "results.nc"
    made = comparison(("a", "b"), (3, 2), ["cka", "attn_js"])
    made.save(path)
    return path.read_bytes(), made


@fuzz
@given(data=st.data())
def test_results(folder, results, data):
    content, made = results
    (folder / "results.nc").write_bytes(data.draw(damaged_bytes(content)))
    found = read_or_refused(lambda: Comparison.load(folder / "results.nc"))
    if found is not None:  # nothing but what follows the contents can have changed
        assert found.provenance == made.provenance
        xr.testing.assert_identical(found.scores, made.scores)


@fuzz
@given(data=st.data())
def test_results_of_one_who_makes_the_checksum_fit(folder, results, data):
    content, made = results
    path = folder / "edited.nc"
    path.write_bytes(content)
    record = data.draw(damaged_values(json.loads(made.provenance.to_json())))
    with h5py.File(path, "r+") as file:
        del file["provenance/json"]
        text = json.dumps(record).encode().replace(b"\\u0000", b"")
        file["provenance"].create_dataset("json", data=text, dtype=h5py.string_dtype())
    bare = path.read_bytes()
    if data.draw(st.booleans()):
        bare = data.draw(damaged_bytes(bare))
    path.write_bytes(bare + _SEAL.format(hashlib.sha256(bare).hexdigest()).encode())
    found = read_or_refused(lambda: Comparison.load(path))
    if found is not None:
        assert len(found.to_dataframe()) >= 0
        assert all(name.isprintable() for name in found.models)


@fuzz
@given(data=st.data())
def test_stores_of_activations(folder, data):
    frames = np.arange(12, dtype=np.float32).reshape(4, 3)
    about = {"fingerprint": {"model": "m"}, "layers": {"one": 3}}
    with tempfile.TemporaryDirectory(dir=folder) as made:
        store = ActivationStore(Path(made), **about)
        store.write("u", {"one": frames}, np.arange(4.0), "audio")
        path = data.draw(st.sampled_from(sorted(Path(made).iterdir())))
        path.write_bytes(data.draw(damaged_bytes(path.read_bytes())))
        again = read_or_refused(lambda: ActivationStore(Path(made), **about))
        found = read_or_refused(lambda: again.read("u")) if again else None
        assert found is None or np.array_equal(found["one"], frames)


def test_the_length_of_a_checksum_is_that_of_its_line():
    assert len(_SEAL.format("0" * 64)) == _SEAL_LENGTH
