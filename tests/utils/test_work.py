"""Work here is what the items' function yields."""

from dataclasses import dataclass

import numpy as np

from assonance.utils.pieces import NOWHERE, Piece
from assonance.utils.work import HERE, Workplace


@dataclass(frozen=True)
class Item:
    size: float


def compute(items, pieces, advance):
    for item in items:
        advance(item.size)
        yield Piece({"size": np.array(item.size)})


def test_pieces_come_in_the_order_of_their_items():
    told = []
    found = HERE.each("layers", compute, [Item(2.0), Item(1.0)], NOWHERE, told.append)
    assert [float(piece.arrays["size"]) for piece in found] == [2.0, 1.0]
    assert told == [2.0, 1.0]


def test_by_default_nothing_is_kept():
    assert Workplace().folder is None
    assert Workplace().work is HERE
