"""HDF5 files that are whole in themselves pass; all others are refused before they are read."""

import os

import h5py
import numpy as np
import pytest

from assonance.utils.hdf5 import check_hdf5


def test_nested_groups_of_numbers_and_names_pass(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x/y/z", data=np.zeros((1000, 1000)), compression=9, shuffle=True)
        file["names"] = ["one", "two"]
        file["one"] = 1.0
        file["nothing"] = h5py.Empty("f4")
    check_hdf5(tmp_path / "a.h5")


def soft(file):
    file["x"] = h5py.SoftLink("/y")


def outside(file):
    file["x"] = h5py.ExternalLink("other.h5", "/")


def cycle(file):
    file["x/again"] = file.create_group("x").parent


def twice(file):
    file["x"] = np.ones(3)
    file["y"] = file["x"]


def references(file):
    file.create_dataset("x", (2,), h5py.ref_dtype)


def unwritten(file):
    file.create_dataset("x", (2**20, 2**20), "f4", chunks=True)


@pytest.mark.parametrize("spoil", [soft, outside, cycle, twice, references, unwritten])
def test_what_has_no_bounds_or_lies_elsewhere_is_refused(tmp_path, spoil):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        spoil(file)
    with pytest.raises(ValueError, match=r"^'/.*' (is|holds)"):
        check_hdf5(tmp_path / "a.h5")


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.h5")
    with pytest.raises(ValueError, match="not a regular file"):
        check_hdf5(tmp_path / "a.h5")
