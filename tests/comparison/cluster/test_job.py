"""What other processes compute of a comparison is what the run itself would."""

from dataclasses import replace

import pytest

from assonance import AssonanceError, Configuration
from assonance.comparison.cluster.job import Job, compute_piece, read_speech
from assonance.comparison.compare import compare_request
from assonance.comparison.extracted import extract_all
from assonance.comparison.plan import READING
from assonance.comparison.prepared import PIECES, prepare
from assonance.comparison.read_once import plan_with_attention
from assonance.scoring.attention_pass import ATTENTION, AttentionPass
from assonance.scoring.frame_pass import LAYERS, SCORES, FramePass
from assonance.utils.progress import Silent
from assonance.utils.work import Workplace

SILENT = Silent()


@pytest.fixture
def configuration(checkpoint, speech):
    return Configuration.make(
        {
            "models": [str(checkpoint(seed=1)), str(checkpoint("hubert"))],
            "audio": str(speech),
            "measures": ["cka", "maxcorr", "attn_frobenius"],
            "settings": {"groups": 4, "shifts": 1},
            "memory": "1MB",
        }
    )


def test_a_run_takes_over_what_other_processes_have_computed(configuration, tmp_path, monkeypatch):
    alone = compare_request(
        configuration.models, configuration.audio, configuration.request(), tmp_path / "alone"
    )
    folder = tmp_path / "shared"
    job = Job.of(configuration, folder, None, "mark", None)
    prepared = prepare(configuration.models, configuration.audio, configuration.request(), SILENT)
    half = len(prepared.speech) // 2
    for model in prepared.roster:
        read_speech(job, model, (half, len(prepared.speech)))
        read_speech(job, model, (0, half))
    extracted = extract_all(
        *(prepared.roster, prepared.speech, prepared.measures, prepared.request, folder, SILENT)
    )
    assert all(each.computed == 0 for each in extracted.extractions.values())
    plan, place = prepared.plan(extracted), Workplace(folder=folder / PIECES)
    counts = {}
    for stage in (SCORES, LAYERS, ATTENTION):
        items = plan.stage(stage, place)[1]
        counts[stage] = len(items)
        for number in reversed(range(len(items))):
            compute_piece(job, stage, number)
    assert counts[LAYERS] > 1
    kept = [path.name.split("-")[0] for path in (folder / PIECES).glob("*.piece")]
    assert {stage: kept.count(stage) for stage in counts} == counts

    def never(*given, **about):
        raise AssertionError("computed again")

    monkeypatch.setattr(FramePass, "_tile", never)
    together = prepared.run(folder, SILENT)
    assert together.to_bytes() == alone.to_bytes()


def test_a_batch_that_reads_leaves_activations_and_the_piece_of_its_attention(
    configuration, tmp_path, monkeypatch
):
    configuration = configuration.model_copy(update={"memory": "1GB"})  # all maps fit
    given = configuration.models, configuration.audio, configuration.request()
    alone = compare_request(*given, tmp_path / "alone")
    folder = tmp_path / "shared"
    job = Job.of(configuration, folder, None, "mark", None)
    prepared = prepare(*given, SILENT)
    plan, _ = plan_with_attention(
        prepared.roster, prepared.speech, prepared.request, folder, prepared.plan
    )
    batches = len(plan.stage(READING, Workplace())[1])
    for number in range(batches):
        compute_piece(job, READING, number)
    kept = {
        name: sorted((tmp_path / name).glob("activations/*/*.safetensors"))
        for name in ("alone", "shared")
    }
    here = {path.relative_to(folder) for path in kept["shared"]}
    elsewhere = {path.relative_to(tmp_path / "alone"): path for path in kept["alone"]}
    assert {path.parent.name.partition("-")[0] for path in elsewhere.keys() - here} == {"mel"}
    assert all((folder / name).read_bytes() == elsewhere[name].read_bytes() for name in here)
    assert len(list((folder / PIECES).glob(f"{ATTENTION}-*.piece"))) == batches

    def never(*given, **about):
        raise AssertionError("attention was read again")

    monkeypatch.setattr(AttentionPass, "_sums", never)
    together = prepare(*given, SILENT).run(folder, SILENT)
    assert together.to_bytes() == alone.to_bytes()


def test_a_worker_that_does_not_share_the_folder_says_so(configuration, tmp_path):
    job = Job.of(configuration, tmp_path / "run", None, "mark", None)
    job.check_shared()
    with pytest.raises(AssonanceError, match="does not see this folder as the run does"):
        replace(job, mark="of another start").check_shared()
    with pytest.raises(AssonanceError, match="that all workers share"):
        compute_piece(replace(job, folder=str(tmp_path / "elsewhere")), LAYERS, 0)
