"""Cut layer pairs into tiles that fit into memory."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assonance.inference.resampling import Resampling
from assonance.measures import Measure
from assonance.scoring.frame_source import FrameSource
from assonance.scoring.pair_rules import PairRules
from assonance.settings import Settings
from assonance.statistics import CHUNK_FRAMES
from assonance.utils.memory import LIBRARIES

# Bytes that a neuron's score takes, in the tables and as a result; and those of its interval: sums
# over replicates, estimate and both ends.
_SCORE, _INTERVAL = 16, 32
# Number of matrices of a layer's width squared that are kept with its sums: scatter, correlations,
# eigenvectors, whitening and loadings. For each fold: scatter of training and held-out frames, and
# in float32 the inverse of the first and the scatter about the training mean.
_FACTORS = 5
_FOLD_FACTORS = 3
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
    kept
        Layers of earlier tiles whose sums stay in memory meanwhile, since a later tile needs them.
    """

    layers: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    kept: tuple[str, ...] = ()


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
        Bytes that the process may take. Sums and factors get what libraries and tables leave.
    """
    sums = kept_sums(source, measures, settings, resampling)
    tables = tables_size(source.widths, measures, resampling)
    left = left_for_sums(memory, tables)

    def cut(wanted: Callable[[str, str], bool]) -> list[Tile]:
        return plan(source.widths, wanted, memory=left, **sums)

    tiles = cut(rules.is_scored)
    if len(tiles) < 2:
        return tiles
    later = cut(lambda a, b: rules.is_scored(a, b) and not rules.comes_first(a, b))
    if later:
        first = cut(lambda a, b: rules.is_scored(a, b) and rules.comes_first(a, b))
        tiles = [*first, *later]
    return keep_layers(tiles, source.widths, memory=left, **sums)


def keep_layers(
    tiles: Sequence[Tile], widths: Mapping[str, int], *, memory: float, **sums: Any
) -> list[Tile]:
    """Let the sums of layers stay in memory until a later tile needs them, where there is room.

    Those that are needed soonest stay first.

    Parameters
    ----------
    tiles, widths, memory
        Tiles in their order, and as for `plan`.
    sums
        What a tile keeps, as for `size`.
    """
    uses: dict[str, list[int]] = {}
    for number, tile in enumerate(tiles):
        for name in tile.layers:
            uses.setdefault(name, []).append(number)
    found: list[Tile] = []
    there: tuple[str, ...] = ()
    for number, tile in enumerate(tiles):
        room = memory - size(replace(tile, kept=()), widths, **sums)
        waiting = {
            name: later[0]
            for name in there
            if name not in tile.layers and (later := [use for use in uses[name] if use > number])
        }
        kept = []
        for name in sorted(waiting, key=waiting.__getitem__):
            needed = layer_size(widths[name], **sums)
            if needed <= room:
                room -= needed
                kept.append(name)
        found.append(replace(tile, kept=tuple(kept)))
        there = (*tile.layers, *kept)
    return found


def new_layers(tiles: Sequence[Tile]) -> list[set[str]]:
    """Return the layers of each tile whose sums are computed there: those not in memory then."""
    there = [set[str](), *({*tile.layers, *tile.kept} for tile in tiles)]
    return [set(tile.layers) - known for known, tile in zip(there, tiles, strict=False)]


def left_for_sums(memory: float, tables: float) -> float:
    """Return the bytes that libraries and tables leave for sums; half of the memory at least."""
    return max(memory - LIBRARIES - tables, memory / 2)


def tables_size(
    widths: Mapping[str, int], measures: Sequence[Measure], resampling: Resampling
) -> float:
    """Estimate the bytes of the scores of all neurons, and of the results that are made of them."""
    most = max(widths.values(), default=0)
    neurons = sum(each.level == "neuron" for each in measures)
    each = _SCORE + (_INTERVAL if resampling.weights else 0)
    return each * neurons * len(widths) ** 2 * most


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
    sums = _sums(groups, folds, sampled, kernels, held)
    found: list[list[Tile]] = []
    further = _FURTHER
    for rows, columns in _shapes(sum(widths.values()), len(widths)):
        tiles = list(_tiles(widths, rows, columns, chosen))
        if all(size(tile, widths, **sums) <= memory for tile in tiles):
            found.append(keep_layers(tiles, widths, memory=memory, **sums))
        further -= bool(found)
        if not further or (found and len(tiles) < 2):
            break
    return min(found or [keep_layers(tiles, widths, memory=memory, **sums)], key=_cost)


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
    """Estimate the bytes that a tile's sums, factors and kernels take, with the layers kept.

    Parameters
    ----------
    tile, widths, groups, folds, sampled, kernels, held
        As for `plan`.
    """
    sums = _sums(groups, folds, sampled, kernels, held)
    own = sum(layer_size(widths[name], **sums) for name in (*tile.layers, *tile.kept))
    crossed = groups * sum(widths[a] * widths[b] for a, b in tile.pairs if a != b)
    # For two pairs, products by group in float32.
    at_work = _AT_WORK + (groups if held else 0)
    crossed += at_work * max(widths[a] * widths[b] for a, b in tile.pairs)
    chunk = _COPIES * CHUNK_FRAMES * sum(widths[name] for name in tile.layers)
    kernels_at_work = _KERNELS_AT_WORK * sampled**2 if kernels else 0
    return own + _FLOAT64 * (crossed + kernels_at_work) + _FLOAT32 * chunk


def _sums(groups: int, folds: int, sampled: int, kernels: int, held: bool) -> dict[str, Any]:
    return {"groups": groups, "folds": folds, "sampled": sampled, "kernels": kernels, "held": held}


def layer_size(
    width: int, *, groups: int, folds: int, sampled: int = 0, kernels: int = 0, held: bool = False
) -> float:
    """Estimate the bytes that the sums, factors and kernels of a layer take.

    Parameters
    ----------
    width
        Its number of neurons.
    groups, folds, sampled, kernels, held
        As for `plan`.
    """
    matrices = groups + _FACTORS + (_FOLD_FACTORS * folds if folds > 1 else 0)
    matrices += folds if groups > folds else 0
    matrices += groups // 2 if held else 0  # products by group in float32
    return _FLOAT64 * (matrices * width**2 + kernels * sampled**2)


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
