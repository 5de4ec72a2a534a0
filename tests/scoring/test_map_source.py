"""Maps in memory are read one utterance at a time, on the coarsest grid of its layers."""

import torch
from material import make_maps

from assonance.scoring.map_source import MapsInMemory

LENGTHS = (6, 9)
MAPS = {
    name: [torch.from_numpy(one) for one in utterances]
    for name, utterances in make_maps({"a": 2, "b": 3}, LENGTHS).items()
}


def test_maps_are_read_as_they_are_without_a_copy():
    source = MapsInMemory(MAPS)
    assert source.heads == {"a": 2, "b": 3}
    assert source.frames == source.sizes == list(LENGTHS)
    for index in range(2):
        (read,) = source.read(index)
        assert [one.data_ptr() for one in read] == [MAPS[name][index].data_ptr() for name in MAPS]


def test_layers_of_other_lengths_are_read_on_the_coarsest_grid():
    finer = [torch.eye(12)[None] for _ in LENGTHS]
    source = MapsInMemory({**MAPS, "finer": finer})
    assert source.frames == [6, 9]
    (read,) = source.read(0)
    torch.testing.assert_close(read[2], torch.eye(6)[None])
