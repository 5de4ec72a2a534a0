"""Cut layer pairs into tiles that fit into memory."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from assonance.inference.resampling import Resampling
from assonance.measures import Measure
from assonance.scoring.frame_source import FrameSource
from assonance.scoring.kept_sums import KeptSums
from assonance.scoring.pair_rules import PairRules
from assonance.settings import Settings
from assonance.statistics import CHUNK_FRAMES
from assonance.utils.memory import LIBRARIES

# Bytes that a neuron's score takes, in the tables and as a result; and those of its interval: sums
# over replicates, estimate and both ends.
_SCORE, _INTERVAL = 16, 32
# Temporary matrices of a pair's size, for two pairs at once.
_AT_WORK = 30
# Copies of a chunk of frames: as read, concatenated, and about their mean in both precisions.
_COPIES = 5
_FLOAT64, _FLOAT32 = 8, 4
# Vectors of a layer's width that are kept for each layer of a tile and each group; see
# `HsicBlockSums`.
_VECTORS = 3
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
    sums = KeptSums.of(source, measures, settings, resampling)
    tables = tables_size(source.widths, measures, resampling)
    left = left_for_sums(memory, tables)

    def cut(wanted: Callable[[str, str], bool]) -> list[Tile]:
        return plan(source.widths, wanted, left, sums)

    tiles = cut(rules.is_scored)
    if len(tiles) < 2:
        return tiles
    later = cut(lambda a, b: rules.is_scored(a, b) and not rules.comes_first(a, b))
    if later:
        first = cut(lambda a, b: rules.is_scored(a, b) and rules.comes_first(a, b))
        tiles = [*first, *later]
    return keep_layers(tiles, source.widths, left, sums)


def keep_layers(
    tiles: Sequence[Tile], widths: Mapping[str, int], memory: float, sums: KeptSums
) -> list[Tile]:
    """Let the sums of layers stay in memory until a later tile needs them, where there is room.

    Those that are needed soonest stay first.

    Parameters
    ----------
    tiles
        Tiles in their order.
    widths, memory, sums
        As for `plan`.
    """
    uses: dict[str, list[int]] = {}
    for number, tile in enumerate(tiles):
        for name in tile.layers:
            uses.setdefault(name, []).append(number)
    found: list[Tile] = []
    there: tuple[str, ...] = ()
    for number, tile in enumerate(tiles):
        room = memory - size(replace(tile, kept=()), widths, sums)
        waiting = {
            name: later[0]
            for name in there
            if name not in tile.layers and (later := [use for use in uses[name] if use > number])
        }
        kept = []
        for name in sorted(waiting, key=waiting.__getitem__):
            needed = sums.layer(widths[name])
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


def plan(
    widths: Mapping[str, int],
    wanted: Callable[[str, str], bool],
    memory: float,
    sums: KeptSums,
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
    memory
        Bytes that a tile may take. The smallest tile, of two layers, may take more.
    sums
        What is kept of each layer.

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
        tiles = _with_selves_early(_tiles(widths, rows, columns, chosen))
        if all(size(tile, widths, sums) <= memory for tile in tiles):
            found.append(keep_layers(tiles, widths, memory, sums))
        further -= bool(found)
        if not further or (found and len(tiles) < 2):
            break
    return min(found or [keep_layers(tiles, widths, memory, sums)], key=_cost)


def _cost(tiles: Sequence[Tile]) -> int:
    """Return what the layers of tiles cost, one after the other, in times that frames are read."""
    reads = sum(len(tile.layers) for tile in tiles)
    return reads + _OWN_SUMS * sum(map(len, new_layers(tiles)))


def size(tile: Tile, widths: Mapping[str, int], sums: KeptSums) -> float:
    """Estimate the bytes that a tile's sums, factors and kernels take, with the layers kept.

    Parameters
    ----------
    tile, widths, sums
        As for `plan`.
    """
    own = sum(sums.layer(widths[name]) for name in (*tile.layers, *tile.kept))
    crossed = sums.groups * sum(widths[a] * widths[b] for a, b in tile.pairs if a != b)
    # For two pairs, products by group in float32. Tables of layers are computed before.
    at_work = _AT_WORK + (sums.groups if sums.held else 0)
    at_work *= _FLOAT64 * max(widths[a] * widths[b] for a, b in tile.pairs)
    layers_at_work = 2 * sums.at_work(max(widths[name] for name in tile.layers))
    neurons = sum(widths[name] for name in tile.layers)
    vectors = _VECTORS * sums.groups * len(tile.layers) * neurons
    chunk = _COPIES * CHUNK_FRAMES * neurons
    kernels_at_work = _KERNELS_AT_WORK * sums.sampled**2 if sums.kernels else 0
    numbers = crossed + vectors + kernels_at_work
    return own + max(at_work, layers_at_work) + _FLOAT64 * numbers + _FLOAT32 * chunk


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


def _with_selves_early(tiles: Iterable[Tile]) -> list[Tile]:
    """Move each pair of a layer with itself to the first tile of the layer.

    The products of the layer with itself are there then; see `LayerSums.let_go`.
    """
    tiles = list(tiles)
    waiting = {a for tile in tiles for a, b in tile.pairs if a == b}
    found = []
    for tile in tiles:
        selves = [name for name in tile.layers if name in waiting]
        waiting.difference_update(selves)
        others = [(a, b) for a, b in tile.pairs if a != b]
        if selves or others:
            pairs = (*((name, name) for name in selves), *others)
            there = {name for pair in pairs for name in pair}
            found.append(Tile(tuple(name for name in tile.layers if name in there), pairs))
    return found
