"""Cut layer pairs into tiles that fit into memory."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from assonance.inference.resampling import Resampling
from assonance.measures import Measure
from assonance.scoring.frame_source import FrameSource
from assonance.scoring.pair_rules import PairRules
from assonance.settings import Settings
from assonance.statistics import CHUNK_FRAMES

# Bytes that Python, torch and what they import take.
_LIBRARIES = 0.45e9
# Number of matrices of a layer's width squared that are kept with its sums: scatter, correlations,
# eigenvectors, whitening and loadings. For each fold: scatter of training and held-out frames,
# training correlations, their inverse, and scatter about the training mean.
_FACTORS = 5
_FOLD_FACTORS = 5
# Temporary matrices of a pair's size, for two pairs at once.
_AT_WORK = 30
# Copies of a chunk of frames: as read, concatenated, and about their mean in both precisions.
_COPIES = 5
_FLOAT64, _FLOAT32 = 8, 4
# Matrices of sampled frames by sampled frames while two kernels are computed.
_KERNELS_AT_WORK = 6
# What the sums and factors of a layer cost, in times that its frames are read.
_OWN_SUMS = 6
# Shapes of tiles that are tried beyond the first that fits.
_FURTHER = 9
# Neurons of several layers that are scored together: enough to keep a core busy with small layers,
# and few enough to stay in its cache.
_TOGETHER = 2048


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


def cut_tiles(
    source: FrameSource,
    measures: Sequence[Measure],
    settings: Settings,
    resampling: Resampling,
    rules: PairRules,
    memory: float,
) -> list[Tile]:
    """Cut the pairs of layers into the tiles that `FramePass` takes one by one.

    Where they are several, no tile has both pairs that come first and others.

    Parameters
    ----------
    source, measures, settings, resampling, rules
        As for `FramePass`. No frame is read.
    memory
        Bytes that the process may take. Sums and factors get what the libraries leave.
    """
    kept = kept_sums(source, measures, settings, resampling)

    def cut(wanted: Callable[[str, str], bool]) -> list[Tile]:
        return plan(source.widths, wanted, memory=left_by_libraries(memory), **kept)

    tiles = cut(rules.is_scored)
    if len(tiles) < 2:
        return tiles
    later = cut(lambda a, b: rules.is_scored(a, b) and not rules.comes_first(a, b))
    if not later:
        return tiles
    return [*cut(lambda a, b: rules.is_scored(a, b) and rules.comes_first(a, b)), *later]


def new_layers(tiles: Sequence[Tile]) -> list[set[str]]:
    """Return the layers of each tile whose sums are computed there: not those of the one before."""
    layers = [set(tile.layers) for tile in tiles]
    return [new - known for known, new in pairwise([set[str](), *layers])]


def left_by_libraries(memory: float) -> float:
    """Return the bytes that are left for sums and factors; half of the memory at least."""
    return max(memory - _LIBRARIES, memory / 2)


def kept_sums(
    source: FrameSource, measures: Sequence[Measure], settings: Settings, resampling: Resampling
) -> dict[str, Any]:
    """Return what sums a tile keeps, by the parameters of `tiles.plan` and `tiles.size`."""
    return {
        "groups": resampling.groups,
        "folds": resampling.folds,
        "sampled": min(sum(source.sizes), settings.sample_frames),
        "kernels": sum(each.needs == "sample" for each in measures),
        "held": is_held(settings, resampling),
    }


def is_held(settings: Settings, resampling: Resampling) -> bool:
    """Return whether intervals of regressions hold their coefficients; see `FramePass.held`."""
    exact = settings.refit or settings.bootstrap is not None
    return bool(resampling.weights) and resampling.folds > 2 and not exact


def plan(
    widths: Mapping[str, int],
    wanted: Callable[[str, str], bool],
    *,
    groups: int,
    folds: int,
    memory: float,
    sampled: int = 0,
    kernels: int = 0,
    held: bool = False,
) -> list[Tile]:
    """Cut all pairs of layers into tiles that fit into memory.

    Layers are cut into few strips of rows. The layers of a strip stay in memory while its tiles
    take all columns in turn, so what belongs to a layer alone is computed about once a strip. The
    frames of a layer are read once for each of its tiles. Of several shapes of tiles that fit, the
    one that costs least is taken.

    Parameters
    ----------
    widths
        Layer name to its number of neurons, in order.
    wanted
        Whether to compare a pair.
    groups, folds
        Number of jackknife groups whose sums are kept, and number of folds.
    memory
        Bytes that a tile may take. The smallest tile, of two layers, may take more.
    sampled, kernels
        Number of sampled frames, and of matrices of sampled frames squared that each layer keeps.
    held
        Whether intervals of regressions hold their coefficients; see `HeldScores`.

    Returns
    -------
    list of Tile
        Each wanted pair in exactly one tile, in the order of `widths`; no empty tile.
    """
    names = list(widths)
    chosen = {(a, b) for i, a in enumerate(names) for b in names[i:] if wanted(a, b)}
    if not chosen:
        return []
    compared = {name for pair in chosen for name in pair}
    widths = {name: width for name, width in widths.items() if name in compared}
    found: list[list[Tile]] = []
    further = _FURTHER
    for rows, columns in _shapes(sum(widths.values()), len(widths)):
        tiles = list(_tiles(widths, rows, columns, chosen))
        sizes = (
            size(
                tile,
                widths,
                groups=groups,
                folds=folds,
                sampled=sampled,
                kernels=kernels,
                held=held,
            )
            for tile in tiles
        )
        if all(each <= memory for each in sizes):
            found.append(tiles)
        further -= bool(found)
        if not further or (found and len(tiles) < 2):
            break
    return min(found or [tiles], key=_cost)


def _cost(tiles: Sequence[Tile]) -> int:
    """Return what the layers of tiles cost, one after the other, in times that frames are read."""
    reads = sum(len(tile.layers) for tile in tiles)
    return reads + _OWN_SUMS * sum(map(len, new_layers(tiles)))


def size(
    tile: Tile,
    widths: Mapping[str, int],
    *,
    groups: int,
    folds: int,
    sampled: int = 0,
    kernels: int = 0,
    held: bool = False,
) -> float:
    """Estimate the bytes that a tile's sums, factors and kernels take.

    Parameters
    ----------
    tile, widths, groups, folds, sampled, kernels, held
        As for `plan`.
    """
    own = sum(widths[name] ** 2 for name in tile.layers)
    crossed = sum(widths[a] * widths[b] for a, b in tile.pairs if a != b)
    factors = own * (_FACTORS + (_FOLD_FACTORS * folds if folds > 1 else 0))
    at_work = _AT_WORK * max(widths[a] * widths[b] for a, b in tile.pairs)
    if held:
        # Products by group in float32: of each layer, and of two pairs.
        factors += own * (groups // 2)
        at_work += groups * max(widths[a] * widths[b] for a, b in tile.pairs)
    chunk = _COPIES * CHUNK_FRAMES * sum(widths[name] for name in tile.layers)
    products = groups * (own + crossed) + (folds * own if groups > folds else 0)
    kernel_values = sampled**2 * (kernels * len(tile.layers) + (_KERNELS_AT_WORK if kernels else 0))
    return _FLOAT64 * (products + factors + at_work + kernel_values) + _FLOAT32 * chunk


def stacks(
    pairs: Sequence[tuple[str, str]], widths: Mapping[str, int]
) -> list[tuple[tuple[str, ...], str]]:
    """Group row layers by the column layer they are scored against.

    Parameters
    ----------
    pairs
        Row and column layers, to be scored in both directions.
    widths
        As for `plan`.

    Returns
    -------
    list of tuple
        Row layers and the column layer; every pair and its reverse in exactly one.
    """
    rows: dict[str, dict[str, int]] = {}
    for a, b in pairs:
        rows.setdefault(b, {})[a] = widths[a]
        rows.setdefault(a, {})[b] = widths[b]
    return [
        (tuple(strip), column) for column, of in rows.items() for strip in _strips(of, _TOGETHER)
    ]


def _strips(widths: Mapping[str, int], most: float) -> Iterator[list[str]]:
    """Yield runs of layers with at most `most` neurons; a wider layer is a run of its own."""
    strip: list[str] = []
    for name, width in widths.items():
        if strip and sum(widths[each] for each in strip) + width > most:
            yield strip
            strip = []
        strip.append(name)
    yield strip


def _shapes(total: float, count: int) -> Iterator[tuple[float, float]]:
    """Yield most neurons in the rows and in the columns of a tile, from all to those of a layer."""
    for strips in range(1, count + 1):
        for share in (1, 2, 4):
            yield total / strips, total / strips / share
    yield 0, 0


def _tiles(
    widths: Mapping[str, int], most: float, columns: float, wanted: Container[tuple[str, str]]
) -> Iterator[Tile]:
    """Yield the tiles with wanted pairs, strip of rows by strip of rows."""
    names = list(widths)
    for rows in _strips(widths, most):
        after = {name: widths[name] for name in names[names.index(rows[0]) :]}
        for strip in _strips(after, columns):
            pairs = tuple((a, b) for a in rows for b in strip if (a, b) in wanted)
            if pairs:
                layers = {name for pair in pairs for name in pair}
                order = dict.fromkeys([*rows, *strip])
                yield Tile(tuple(name for name in order if name in layers), pairs)
