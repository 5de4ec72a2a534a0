"""Objects of known classes are read as records, and all else in a pickle as plain data."""

import argparse
import io
import sys
import types
from collections import OrderedDict

import pytest
import torch
from hostile_pickles import call, dict_of, list_of, name, old_text, program, tensor, text, whole

from assonance.models.checkpoints.pickled.pickles import read_pickle
from assonance.models.checkpoints.pickled.stored import Record, Refused, Storage, StoredTensor
from assonance.models.checkpoints.pickled.torch_file import open_torch_file


def read(body):
    content, _ = read_pickle(io.BytesIO(program(body)))
    return content


@pytest.fixture
def fairseq(monkeypatch):
    """Stand-ins for the classes of fairseq that its checkpoints hold."""
    made = {}
    for module, names in {
        "fairseq": [],
        "fairseq.data": [],
        "fairseq.data.dictionary": ["Dictionary"],
        "fairseq.meters": ["AverageMeter", "TimeMeter", "StopwatchMeter"],
    }.items():
        room = types.ModuleType(module)
        monkeypatch.setitem(sys.modules, module, room)
        for each in names:
            made[each] = type(each, (), {"__module__": module})
            setattr(room, each, made[each])
    return made


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_records_of_fairseq_are_read_with_their_attributes(tmp_path, fairseq, zipped):
    words = fairseq["Dictionary"]()
    words.symbols, words.indices, words.count = ["<s>", "a"], {"<s>": 0, "a": 1}, [1, 1]
    meter = fairseq["AverageMeter"]()
    meter.val, meter.sum = 0.5, None
    content = {
        "args": argparse.Namespace(arch="hubert", nested=argparse.Namespace(layers=12)),
        "task_state": {"dictionaries": [words]},
        "extra_state": {"meters": OrderedDict(loss=meter, other=fairseq["TimeMeter"]())},
    }
    torch.save(content, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    nested = Record("argparse.Namespace", {"layers": 12})
    assert open_torch_file(tmp_path / "model.pt").content == {
        "args": Record("argparse.Namespace", {"arch": "hubert", "nested": nested}),
        "task_state": {
            "dictionaries": [
                Record(
                    "fairseq.data.dictionary.Dictionary",
                    {"symbols": ["<s>", "a"], "indices": {"<s>": 0, "a": 1}, "count": [1, 1]},
                )
            ]
        },
        "extra_state": {
            "meters": {
                "loss": Record("fairseq.meters.AverageMeter", {"val": 0.5, "sum": None}),
                "other": Record("fairseq.meters.TimeMeter", {}),
            }
        },
    }


def test_plain_values_are_themselves(tmp_path):
    content = {
        "numbers": [0, 255, 256, -1, 2**31, -(2**70), 1.5, float("inf")],
        "others": (None, True, False, "", "wörd\n", (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        3: torch.Size([2, 3]),
        2.5: {"deep": [[[[]]]]},
        None: {},
    }
    torch.save(content, tmp_path / "values.pt")
    assert open_torch_file(tmp_path / "values.pt").content == content | {3: (2, 3)}


def test_a_tensor_is_described_as_it_lies_in_its_storage(tmp_path):
    torch.save([torch.zeros(4, 6, dtype=torch.float16)[1:, ::2].T], tmp_path / "tensor.pt")
    file = open_torch_file(tmp_path / "tensor.pt")
    (found,) = file.content
    assert found == StoredTensor("0", "F16", 24, 6, (3, 3), (2, 6))
    assert (found.count, found.nbytes, found.span, found.contiguous) == (9, 18, 17, False)
    assert file.places["0"].length == 48


def test_a_tensor_may_stand_between_others_of_its_storage():
    both, storages = read_pickle(
        io.BytesIO(program(list_of(tensor(), tensor(offset=3, shape=(1,)))))
    )
    assert [each.offset for each in both] == [0, 3]
    assert storages == {"0": Storage("0", "F32", 4)}


def test_dictionaries_of_python_2_are_read():
    pairs = list_of(list_of(old_text("a"), whole(1)), list_of(old_text("b"), whole(2)))
    assert read(call("collections.OrderedDict", pairs)) == {"a": 1, "b": 2}


def test_shared_items_are_read_once_a_reference():
    assert read(b"]q\x00" + text("a") + b"a" + b"h\x00\x86") == (["a"], ["a"])


@pytest.mark.parametrize(
    "body",
    [
        name("argparse.Namespace") + b")\x81" + dict_of({"a": whole(1)}) + b"b",
        call("argparse.Namespace") + dict_of({"a": whole(1)}) + b"b",
    ],
    ids=["made", "called"],
)
def test_a_record_is_made_in_either_way(body):
    assert read(body) == Record("argparse.Namespace", {"a": 1})


@pytest.mark.parametrize("depth", [63, 64])
def test_items_may_be_nested_64_deep(depth):
    found = read(b"]" * depth + b"a" * (depth - 1))
    for _ in range(depth - 1):
        (found,) = found
    assert found == []
    with pytest.raises(Refused, match="nested more than 64 deep"):
        read(b"]" * 65 + b"a" * 64)


def test_a_pickle_ends_where_it_stops():
    stream = io.BytesIO(program(whole(1)) + program(whole(2)))
    assert [read_pickle(stream)[0] for _ in range(2)] == [1, 2]
    with pytest.raises(Refused, match="is cut short"):
        read_pickle(stream)
