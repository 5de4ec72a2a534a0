"""Numbers travel as they are shown, whatever their size."""

import base64
import json
import zlib

import numpy as np
import pytest

from assonance.report.packing import Packer, rounded

KINDS = {"i2": "<i2", "i4": "<i4", "f8": "<f8"}


def unpacked(text):
    """Decode as the page's script does."""
    stream = zlib.decompress(base64.b64decode(text))
    length = int(np.frombuffer(stream, "<u4", 1)[0])
    record = json.loads(stream[8 : 8 + length])

    def read(each):
        count = int(np.prod(each["shape"]))
        values = np.frombuffer(stream, KINDS[each["kind"]], count, 8 + length + each["at"])
        if each["kind"] == "f8":
            return values.reshape(each["shape"])
        lowest = np.iinfo(values.dtype).min
        return np.where(values == lowest, np.nan, values / each["unit"]).reshape(each["shape"])

    return record, read


@pytest.mark.parametrize(
    ("most", "kind"), [(1, "i2"), (32, "i2"), (33, "i4"), (2e6, "i4"), (3e6, "f8"), (1e300, "f8")]
)
def test_scores_come_back_rounded_in_the_smallest_kind_that_holds_them(most, kind):
    values = np.array([[most, -most / 3, np.nan], [0.12345, -0.0004, 0.0]])
    packer = Packer()
    packer.scores([1.0])
    record, read = unpacked(packer.pack({"values": packer.scores(values), "name": "ü"}))
    assert record["name"] == "ü"
    assert record["values"]["kind"] == kind
    np.testing.assert_array_equal(read(record["values"]), rounded(values))


def test_whole_numbers_come_back_as_they_are():
    packer = Packer()
    record, read = unpacked(packer.pack({"values": packer.integers([3, np.nan, 40_000])}))
    np.testing.assert_array_equal(read(record["values"]), [3, np.nan, 40_000])


def test_the_same_numbers_make_the_same_text():
    def pack():
        packer = Packer()
        return packer.pack({"values": packer.scores(np.linspace(0, 1, 100))})

    assert pack() == pack()
