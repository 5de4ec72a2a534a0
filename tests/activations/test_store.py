"""The store: what goes in comes out, and nothing else ever does."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from assonance.activations.store import ActivationStore
from assonance.errors import AssonanceError

LAYERS = {"encoder.0": 3, "encoder.1": 5}
MADE_WITH = {"model": "a" * 64, "version": "1"}


def reopen(folder, made_with=MADE_WITH, layers=LAYERS):
    return ActivationStore(folder, fingerprint=made_with, layers=layers)


def activations(seed=0, frames=7):
    draw = np.random.default_rng(seed)
    return {
        label: draw.standard_normal((frames, width), dtype=np.float32)
        for label, width in LAYERS.items()
    }


def write(store, utterance, activations, audio):
    """Write frames at 50 a second."""
    frames = len(next(iter(activations.values())))
    store.write(utterance, activations, np.arange(frames) / 50, audio)


@pytest.fixture
def store(tmp_path):
    return reopen(tmp_path / "store")


def shard_of(store):
    (path,) = store.folder.glob("*.safetensors")
    return path


def assert_same(found, expected):
    assert list(found) == list(expected)
    for label in expected:
        assert found[label].dtype == np.float32
        np.testing.assert_array_equal(found[label], expected[label])


# What goes in comes out


@pytest.mark.parametrize(
    "name", ["a", "deep/er", "../../escape", "/etc/passwd", "größe\n", "x" * 999, ""]
)
def test_what_was_written_under_any_name_is_read_back_and_stays_in_the_folder(store, name):
    write(store, name, activations(), "audio")
    assert_same(store.read(name), activations())
    assert name in store
    assert store.n_frames(name) == 7
    assert store.ids == (name,)
    assert shard_of(store).parent == store.folder


def test_a_reopened_store_still_holds_it(store):
    write(store, "a", activations(), "audio")
    again = reopen(store.folder)
    assert again.holds("a", "audio")
    assert_same(again.read("a"), activations())


def test_only_the_layers_asked_for_are_read(store):
    write(store, "a", activations(), "audio")
    assert_same(store.read("a", ["encoder.1"]), {"encoder.1": activations()["encoder.1"]})


def test_damage_in_a_layer_that_is_not_asked_for_is_not_even_looked_at(store):
    write(store, "a", activations(), "audio")
    damage(shard_of(store), -1)  # the last byte belongs to encoder.1
    assert_same(store.read("a", ["encoder.0"]), {"encoder.0": activations()["encoder.0"]})


def test_an_utterance_written_again_replaces_the_first(store):
    write(store, "a", activations(seed=1), "old")
    write(store, "a", activations(seed=2, frames=4), "new")
    assert_same(store.read("a"), activations(seed=2, frames=4))
    assert store.ids == ("a",)


def test_ids_are_those_of_all_utterances_sorted(store):
    for name in ("b", "a", "c"):
        write(store, name, activations(), "audio")
    assert store.ids == ("a", "b", "c")


def test_other_layouts_of_the_same_numbers_are_kept_right(store):
    turned = {label: np.asfortranarray(array) for label, array in activations().items()}
    sliced = {label: np.repeat(array, 2, axis=0)[::2] for label, array in activations().items()}
    reordered = dict(reversed(activations().items()))
    for given in (turned, sliced, reordered):
        write(store, "a", given, "audio")
        assert_same(store.read("a"), activations())


def test_the_same_activations_make_the_same_bytes(tmp_path):
    contents = set()
    for name in ("one", "two"):
        store = reopen(tmp_path / name)
        write(store, "a", activations(), "audio")
        contents.add((shard_of(store).read_bytes(), (store.folder / "store.json").read_bytes()))
    assert len(contents) == 1


def test_shards_are_safetensors_that_others_can_read_and_nothing_is_pickled(store):
    write(store, "a", activations(), "audio")
    loaded = load_file(shard_of(store))
    assert_same({label: loaded[label] for label in LAYERS}, activations())
    with pytest.raises(Exception):  # noqa: B017, PT011 - any failure will do
        pickle.loads(shard_of(store).read_bytes())  # noqa: S301


# What is asked wrongly


@pytest.mark.parametrize(
    "wrong",
    [
        {"encoder.0": np.zeros((7, 3), np.float32)},
        {**activations(), "encoder.2": np.zeros((7, 2), np.float32)},
        {**activations(), "encoder.1": np.zeros((7, 4), np.float32)},
        {**activations(), "encoder.1": np.zeros((6, 5), np.float32)},
    ],
    ids=["a layer too few", "a layer too many", "another width", "another length"],
)
def test_activations_of_another_shape_are_refused(store, wrong):
    with pytest.raises(AssonanceError, match="do not fit the store"):
        write(store, "a", wrong, "audio")
    assert "a" not in store


def test_an_utterance_that_is_not_there_is_named(store):
    with pytest.raises(AssonanceError, match="no activations of nobody; the same command"):
        store.read("nobody")
    with pytest.raises(AssonanceError, match="no activations of nobody; the same command"):
        store.n_frames("nobody")


def test_a_layer_that_is_not_there_is_named_with_those_that_are(store):
    write(store, "a", activations(), "audio")
    with pytest.raises(AssonanceError, match=r"no layer 'encoder.9'; it has encoder.0, encoder.1"):
        store.read("a", ["encoder.9"])


# Torn, damaged, changed


def damage(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(content)


def test_every_damaged_byte_is_noticed(store):
    write(store, "a", activations(frames=2), "audio")
    whole = shard_of(store).read_bytes()
    for place in range(len(whole)):
        damage(shard_of(store), place)
        if store.holds("a", "audio"):
            # White space in the header may turn into other white space; the content may not.
            assert_same(store.read("a"), activations(frames=2))
        shard_of(store).write_bytes(whole)
    assert store.holds("a", "audio")


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_torn_shard_is_not_there_until_it_is_made_anew(store, kept):
    write(store, "a", activations(), "audio")
    torn = shard_of(store)
    torn.write_bytes(torn.read_bytes()[:kept])
    assert "a" not in store
    assert store.ids == ()
    with pytest.raises(AssonanceError, match="damaged; extract again"):
        store.read("a")
    write(store, "a", activations(), "audio")
    assert_same(store.read("a"), activations())


def test_a_damaged_number_is_never_read(store):
    write(store, "a", activations(), "audio")
    damage(shard_of(store), -1)
    assert "a" not in store
    with pytest.raises(AssonanceError, match="damaged"):
        store.read("a")


def test_damage_after_a_shard_was_verified_is_found(store):
    write(store, "a", activations(), "audio")
    assert store.holds("a", "audio")
    assert_same(store.read("a"), activations())
    damage(shard_of(store), -1)
    with pytest.raises(AssonanceError, match="damaged"):
        store.read("a")


def test_damage_that_is_not_looked_for_is_found_by_whoever_reads(store):
    write(store, "a", activations(), "audio")
    damage(shard_of(store), -1)
    trusting = ActivationStore(store.folder, fingerprint=MADE_WITH, layers=LAYERS, verify=False)
    assert trusting.holds("a", "audio")
    assert not trusting.holds("a", "other audio")
    with pytest.raises(AssonanceError, match="damaged"):
        trusting.read("a")


def test_activations_of_other_audio_do_not_count(store):
    write(store, "a", activations(), "old audio")
    assert store.holds("a", "old audio")
    assert not store.holds("a", "new audio")


def test_a_shard_from_another_model_does_not_count(store, tmp_path):
    other = reopen(tmp_path / "other", made_with={**MADE_WITH, "model": "b" * 64})
    write(other, "a", activations(), "audio")
    shutil.copy(shard_of(other), store.folder)
    assert "a" not in store
    assert store.ids == ()


def test_a_shard_under_another_name_does_not_count(store):
    write(store, "a", activations(), "audio")
    shard_of(store).rename(store._shard("b"))
    assert "b" not in store
    assert store.ids == ()


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_failed_write_leaves_what_was_there(store, monkeypatch, step):
    write(store, "a", activations(seed=1), "audio")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(step, full)
    with pytest.raises(AssonanceError, match=r"No space left on device; it needs \d+ bytes"):
        write(store, "a", activations(seed=2), "audio")
    assert_same(store.read("a"), activations(seed=1))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal that cannot be caught")
def test_a_process_killed_while_it_writes_leaves_whole_shards_alone(tmp_path):
    program = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_store, assonance.activations.store
store = test_store.reopen({str(tmp_path / "store")!r})
test_store.write(store, "done", test_store.activations(), "audio")
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
test_store.write(store, "half", test_store.activations(), "audio")
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    leftovers = list((tmp_path / "store").glob("*.tmp"))
    assert len(leftovers) == 1
    store = reopen(tmp_path / "store")
    assert store.ids == ("done",)
    assert "half" not in store
    write(store, "half", activations(), "audio")
    assert store.ids == ("done", "half")


def test_abandoned_temporary_files_are_cleared_and_fresh_ones_left_to_their_writers(store):
    abandoned, fresh = store.folder / "a.safetensors.1.tmp", store.folder / "b.safetensors.2.tmp"
    for path in (abandoned, fresh):
        path.write_bytes(b"half")
    os.utime(abandoned, (time.time() - 7200,) * 2)
    reopen(store.folder)
    assert not abandoned.exists()
    assert fresh.exists()


# Other folders


@pytest.mark.parametrize(
    ("made_with", "layers", "words"),
    [
        ({**MADE_WITH, "model": "b" * 64}, LAYERS, "made with model aaaaaaaaaaaa…, now model bbb"),
        ({**MADE_WITH, "version": "2"}, LAYERS, "made with version 1, now version 2"),
        ({"model": "a" * 64}, LAYERS, "made with version 1, now version None"),
        (MADE_WITH, {"encoder.0": 3}, "made with layers"),
    ],
)
def test_a_folder_made_with_something_else_is_refused_saying_what(store, made_with, layers, words):
    with pytest.raises(AssonanceError) as caught:
        reopen(store.folder, made_with, layers)
    assert str(caught.value).startswith(f"{store.folder}: {words}")
    assert str(caught.value).endswith("delete the folder or name another")


def test_a_folder_of_something_else_is_refused_untouched(tmp_path):
    (tmp_path / "thesis.tex").write_text("all my work")
    with pytest.raises(AssonanceError, match="holds files but is no store"):
        reopen(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "7"])
def test_a_store_whose_card_is_unreadable_is_refused(store, content):
    (store.folder / "store.json").write_text(content)
    with pytest.raises(AssonanceError, match=r"store\.json: not readable as a store"):
        reopen(store.folder)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AssonanceError, match="file: cannot keep activations here"):
        reopen(tmp_path / "file")


def test_a_creation_cut_short_can_be_taken_up(tmp_path):
    (tmp_path / "store.json.77.tmp").write_text('{"for')
    store = reopen(tmp_path)
    write(store, "a", activations(), "audio")
    assert "a" in reopen(tmp_path)


def test_a_temporary_file_that_its_writer_has_just_renamed_is_left_alone(store, monkeypatch):
    leftover = store.folder / "store.json.1.tmp"
    leftover.touch()
    found = Path.glob

    def then_it_is_renamed(folder, pattern):
        paths = [*found(folder, pattern)]
        leftover.unlink(missing_ok=True)
        return iter(paths)

    monkeypatch.setattr(Path, "glob", then_it_is_renamed)
    assert reopen(store.folder).ids == ()
