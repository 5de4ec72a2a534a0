"""Amounts of memory, reusable buffers, and freed memory returned to the system."""

import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from assonance import AssonanceError
from assonance.utils import memory
from assonance.utils.memory import MEMORY, Scratch, format_bytes, parse_bytes, trim_heap

STATM = Path("/proc/self/statm")


def resident() -> int:
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(
    not STATM.exists() or platform.libc_ver()[0] != "glibc", reason="another C library"
)
def test_freed_memory_goes_back_though_what_lies_between_is_kept():
    size, count = 2**14, 4000
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    blocks = [libc.malloc(size) for _ in range(count)]
    for block in blocks:
        ctypes.memset(block, 1, size)
    for block in blocks[:-1]:
        libc.free(block)
    between = libc.malloc(size)
    before = resident()
    trim_heap()
    assert before - resident() > size * count / 2
    libc.free(blocks[-1])
    libc.free(between)


# Allocates and frees a mebibyte again and again; prints how often the system gave a page.
ROUNDS = """
import ctypes, resource
from assonance.utils.memory import keep_freed_memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        block = libc.malloc(2**20)
        ctypes.memset(ctypes.c_void_p(block), 1, 2**20)
        libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
returned = faults()
keep_freed_memory(1e9)
print(returned, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_a_process_that_returns_freed_memory_at_once_can_keep_it():
    about = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}  # as Dask starts its workers
    said = subprocess.run(
        [sys.executable, "-c", ROUNDS], env=about, capture_output=True, text=True, check=True
    )
    returned, kept = map(int, said.stdout.split())
    pages = 100 * 2**20 / os.sysconf("SC_PAGE_SIZE")
    assert returned >= pages
    assert kept < pages / 10


# A thread takes and frees memory while another, which did before, still lives; prints how often the
# system gave each a page.
THREADS = """
import ctypes, resource, threading
from assonance.utils.memory import keep_freed_memory, share_heap
share_heap()
keep_freed_memory(1e9)
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
def take():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [libc.malloc(2**20) for _ in range(50)]
    for block in blocks:
        ctypes.memset(ctypes.c_void_p(block), 1, 2**20)
    for block in blocks:
        libc.free(block)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, flush=True)
freed, ended = threading.Event(), threading.Event()
def first():
    take()
    freed.set()
    ended.wait()
def second():
    freed.wait()
    take()
    ended.set()
threads = [threading.Thread(target=each) for each in (first, second)]
for each in threads:
    each.start()
for each in threads:
    each.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_one_thread_frees_another_uses():
    said = subprocess.run(
        [sys.executable, "-c", THREADS], capture_output=True, text=True, check=True
    )
    first, second = map(int, said.stdout.split())
    pages = 50 * 2**20 / os.sysconf("SC_PAGE_SIZE")
    assert first > pages / 2
    assert second < pages / 10


def test_memory_is_used_again_where_it_is_large_enough():
    scratch, like = Scratch(), torch.zeros(1, dtype=torch.float64)
    first = scratch.like(like, 4, 5)
    again = scratch.like(like, 2, 3)
    assert again.shape == (2, 3)
    assert again.data_ptr() == first.data_ptr()
    assert scratch.like(like, 2, 3, key="mine").data_ptr() != first.data_ptr()


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("4GB", 4e9),
        ("4 GiB", 4 * 2**30),
        ("512MB", 5.12e8),
        ("1.5g", 1.5e9),
        ("800k", 8e5),
        ("2TiB", 2 * 2**40),
        ("100B", 100),
        (4, 4 * 2**30),
        (0.5, 2**29),
        (1e-6, 1e-6 * 2**30),
    ],
)
def test_amounts_are_read(amount, expected):
    assert parse_bytes(amount) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("machine", "container", "expected"),
    [
        (8e9, None, 4e9),
        (8e9, "max", 4e9),
        (64e9, "6000000000", 3e9),
        (8e9, "64000000000", 4e9),
        (512e9, None, 16e9),
        (np.inf, None, 4e9),
    ],
)
def test_by_default_half_of_what_machine_or_container_has_is_used(
    tmp_path, monkeypatch, machine, container, expected
):
    limit = tmp_path / "memory.max"
    if container:
        limit.write_text(f"{container}\n")
    monkeypatch.setattr(memory, "_CGROUP_LIMITS", (limit,))
    monkeypatch.setattr(memory, "machine_bytes", lambda: machine)
    assert parse_bytes(MEMORY) == expected


@pytest.mark.parametrize(
    "amount",
    ["", "GB", "much", "4 apples", "-1GB", 0, "0MB", "1e3", "nan", float("nan"), float("inf")],
)
def test_what_is_no_amount_is_refused(amount):
    with pytest.raises(AssonanceError, match="give one such as 4GB or 512MB"):
        parse_bytes(amount)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.00 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (380_267_417, "380 MB"),
        (1_263_000_000, "1.26 GB"),
        (12.34e12, "12.3 TB"),
    ],
)
def test_amounts_are_written_with_three_digits(amount, text):
    assert format_bytes(amount) == text


@given(st.integers(1, 10**14))
def test_a_written_amount_is_right_to_half_a_percent(amount):
    written = format_bytes(amount).replace("bytes", "B").replace("kB", "KB")
    assert parse_bytes(written) == pytest.approx(amount, rel=0.005)


@pytest.mark.parametrize(("resident", "trims"), [(0.94e9, 0), (0.95e9, 1), (1.1e9, 1)])
def test_freed_memory_is_returned_only_where_nearly_all_is_taken(resident, trims, monkeypatch):
    trimmed = []
    monkeypatch.setattr(memory, "_allowed", 1e9)
    monkeypatch.setattr(memory, "resident_bytes", lambda: resident)
    monkeypatch.setattr(memory, "trim_heap", lambda: trimmed.append(True))
    memory.trim_full_heap()
    assert len(trimmed) == trims
