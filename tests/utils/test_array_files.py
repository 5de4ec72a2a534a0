"""Arrays of others: every format as it was written; what is damaged or lies is refused at once."""

import io
import json
import pickle
import struct
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from assonance.utils.array_files import read_arrays

LAYERS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones((2, 2))}
MOST = 2**28  # bytes that a refusal may take


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def header(shape, dtype="<f4", fortran=False, **more):
    file = io.BytesIO()
    about = {"descr": dtype, "fortran_order": fortran, "shape": shape, **more}
    text = repr(about).encode()
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text + b"\n")
    return file.getvalue()


def zipped(compression=zipfile.ZIP_STORED, **members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def encrypted():
    content = bytearray(zipped(**{"a.npy": npy(LAYERS["a"])}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def lying_size():
    content = bytearray(zipped(**{"a.npy": npy(LAYERS["a"])}))
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", 2**31)
    return bytes(content)


def safetensors(about, content=b""):
    text = json.dumps(about).encode()
    return struct.pack("<Q", len(text)) + text + content


def entry(shape, ends, dtype="F32"):
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": ends}}


BIG = (10**6, 10**6)
DAMAGED = {
    "nothing.npy": b"",
    "nothing.npz": b"",
    "nothing.safetensors": b"",
    "nothing.h5": b"",
    "junk.npy": b"junk",
    "junk.npz": b"junk",
    "junk.safetensors": b"junkjunkjunk",
    "junk.h5": b"junk",
    "too large.npy": header(BIG),
    "cut.npy": npy(LAYERS["a"])[:-1],
    "longer.npy": npy(LAYERS["a"]) + b"x",
    "negative.npy": header((-2, -3)) + bytes(24),
    "overflowing.npy": header((2**63, 2**63)),
    "no numbers.npy": header(("a", 2)),
    "objects.npy": header((1,), "|O") + pickle.dumps([1]),
    "objects inside.npy": header((1,), [("a", "O")]) + pickle.dumps([1]),
    "no header.npy": b"\x93NUMPY\x01\x00\xff\xff{",
    "code.npy": header("__import__('os').system('true')"),
    "deep.npy": b"\x93NUMPY\x01\x00\xff\x0f" + b"(" * 4095,
    "another version.npy": b"\x93NUMPY\x09\x00\x00\x00",
    "no members.npz": zipped(),
    "wrong members.npz": zipped(**{"a.txt": b"text"}),
    "a folder.npz": zipped(**{"a/": b""}),
    "a pickle.npz": zipped(**{"a.npy": pickle.dumps([1])}),
    "empty member.npz": zipped(**{"a.npy": b""}),
    "lying member.npz": zipped(**{"a.npy": header(BIG)}),
    "encrypted.npz": encrypted(),
    "lying size.npz": lying_size(),
    "cut.npz": zipped(**{"a.npy": npy(LAYERS["a"])})[:-5],
    "many.npz": zipped(**{f"{number}.npy": b"" for number in range(5000)}),
    "lying header.safetensors": struct.pack("<Q", 2**60) + b"{}",
    "too large.safetensors": safetensors(entry(BIG, [0, 4 * 10**12])),
    "lying offsets.safetensors": safetensors(entry([2, 3], [0, 23]), bytes(23)),
    "negative.safetensors": safetensors(entry([-2, -3], [0, 24]), bytes(24)),
    "unknown type.safetensors": safetensors(entry([1], [0, 4], "Q7"), bytes(4)),
    "no array.safetensors": safetensors({}),
    "deep.safetensors": struct.pack("<Q", 5000) + b"[" * 5000,
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_or_lying_file_is_refused_before_memory_is_taken(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(DAMAGED[name])
    tracemalloc.start()
    try:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - of many libraries
            read_arrays(path)
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()
    assert not isinstance(caught.value, MemoryError)


def test_a_zip_bomb_is_refused_unopened(tmp_path, monkeypatch):
    monkeypatch.setattr("assonance.utils.array_files.UNPACKED", 2**20)
    content = zipped(zipfile.ZIP_DEFLATED, **{"a.npy": header((2**20,)) + bytes(2**22)})
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"unpacks to \d+ bytes, too many for a file of its size"):
        read_arrays(tmp_path / "a.npz")


def external(file, secret):
    file.create_dataset("a", (2, 3), "f4", external=[(str(secret), 0, 24)])


def virtual(file, secret):
    with h5py.File(secret.with_suffix(".h5"), "w") as other:
        other["x"] = LAYERS["a"]
    layout = h5py.VirtualLayout((2, 3), "f4")
    layout[:] = h5py.VirtualSource(secret.with_suffix(".h5"), "x", (2, 3))
    file.create_virtual_dataset("a", layout)


def link(file, secret):
    file["a"] = h5py.ExternalLink(str(secret), "x")


def bomb(file, secret):
    file.create_dataset("a", BIG, "f4", chunks=(1000, 1000), compression=1)


@pytest.mark.parametrize("spoil", [external, virtual, link, bomb])
def test_hdf5_that_reaches_outside_or_has_no_bounds_is_refused(tmp_path, spoil):
    secret = tmp_path / "secret"
    secret.write_bytes(b"root:x:0:0:root:/root:/bin")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        spoil(file, secret)
    with pytest.raises(ValueError, match=r"another file|another place|too large"):
        read_arrays(tmp_path / "a.h5")


def test_arrays_are_read_as_they_were_written(tmp_path):
    np.savez(tmp_path / "a.npz", **LAYERS)
    np.savez_compressed(tmp_path / "c.npz", **LAYERS)
    save_file(LAYERS, tmp_path / "a.safetensors")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values in LAYERS.items():
            file[name] = values
    for path in tmp_path.iterdir():
        found = read_arrays(path)
        assert set(found) == set(LAYERS)
        for name, values in LAYERS.items():
            np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize(
    "values",
    [np.asfortranarray(LAYERS["a"]), LAYERS["b"].astype(">f8"), np.float16([1]), np.zeros((0, 3))],
)
def test_any_layout_of_an_array_is_read(tmp_path, values):
    np.save(tmp_path / "a.npy", values)
    found = read_arrays(tmp_path / "a.npy")[""]
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)


def test_arrays_of_zeros_are_no_bomb(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros((1000, 1000), np.float32))
    assert read_arrays(tmp_path / "a.npz")["a"].shape == (1000, 1000)
