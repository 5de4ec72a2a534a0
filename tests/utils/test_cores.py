"""Work on cores, and memory that goes back to the system."""

import ctypes
import os
import platform
from pathlib import Path

import pytest
import torch

from assonance.utils.cores import worker_pool
from assonance.utils.memory import Scratch, trim_heap

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


def test_results_come_in_the_order_of_the_items_and_torch_computes_on_one_thread():
    threads = torch.get_num_threads()
    with worker_pool() as share:
        found = list(share(lambda number: (number**2, torch.get_num_threads()), range(20)))
    assert found == [(number**2, 1) for number in range(20)]
    assert torch.get_num_threads() == threads


def test_memory_is_used_again_where_it_is_large_enough():
    scratch, like = Scratch(), torch.zeros(1, dtype=torch.float64)
    first = scratch.like(like, 4, 5)
    again = scratch.like(like, 2, 3)
    assert again.shape == (2, 3)
    assert again.data_ptr() == first.data_ptr()
    assert scratch.like(like, 2, 3, key="mine").data_ptr() != first.data_ptr()
