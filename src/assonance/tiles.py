"""Which layer pairs to hold in memory at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

# Matrices of a layer's width that measures keep beside its sums: scatter, correlations,
# eigenvectors, whitening.
_FACTORS = 4
_FLOAT64 = 8


@dataclass(frozen=True)
class Tile:
    """Layer pairs whose sums are gathered in one pass over the frames.

    Attributes
    ----------
    layers
        Every layer that occurs in `pairs`.
    pairs
        Row and column layers.
    """

    layers: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]


def plan(
    widths: Mapping[str, int],
    wanted: Callable[[str, str], bool],
    *,
    folds: int,
    memory: float,
) -> list[Tile]:
    """Cut all pairs of layers into tiles that fit into memory.

    Parameters
    ----------
    widths
        Layer name to its number of neurons, in order.
    wanted
        Whether a pair is to be compared.
    folds
        Into how many parts the sums are kept.
    memory
        Bytes that a tile may take; the smallest tile, of two layers, may take more.

    Returns
    -------
    list of Tile
        Each wanted pair in exactly one tile, in the order of `widths`; no empty tile.
    """
    names = list(widths)
    strips = list(_strips(names, _layers_at_once(max(widths.values()), folds, memory)))
    tiles = []
    for number, rows in enumerate(strips):
        for columns in strips[number:]:
            pairs = tuple(
                (a, b)
                for i, a in enumerate(rows)
                for b in (rows[i:] if columns is rows else columns)
                if wanted(a, b)
            )
            if pairs:
                layers = {name for pair in pairs for name in pair}
                tiles.append(Tile(tuple(name for name in names if name in layers), pairs))
    return tiles


def _layers_at_once(width: int, folds: int, memory: float) -> int:
    """How many rows, and as many columns, a tile may have."""
    count = 1
    while _size(count + 1, width, folds) <= memory:
        count += 1
        if count >= 64:  # larger tiles save nothing more
            break
    return count


def _size(count: int, width: int, folds: int) -> float:
    """Bytes of the sums and factors of `count` rows against `count` columns."""
    products = (folds + 1) * (count**2 + 2 * count)
    factors = _FACTORS * 2 * count * (1 + (2 * folds if folds > 1 else 0))
    return _FLOAT64 * width**2 * (products + factors)


def _strips(names: Sequence[str], count: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), count):
        yield names[start : start + count]
