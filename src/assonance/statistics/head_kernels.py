"""Compiled inner loops over attention maps, for sums that are no matrix products.

Each loop runs on one core, releases Python's global lock and computes in the precision of the maps.
The logarithms are written here because inlined polynomials are several times as fast as calls of a
library.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import NDArray

# Sums may be reordered, so that they vectorise. NaN and infinities keep their meaning.
compiled = numba.njit(
    fastmath={"contract", "reassoc", "nsz", "arcp"}, nogil=True, error_model="numpy"
)
# Values of a row that are processed at once: few enough that those of all heads of two layers stay
# in the cache, and that a float32 sum keeps its digits.
_PIECE = 1024


def _polynomial(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    terms: int,
    domain: tuple[float, float],
) -> list[float]:
    """Fit a function by a polynomial through Chebyshev points; coefficients, lowest first."""
    fitted = Chebyshev.interpolate(function, terms - 1, domain=domain)
    coefficients: list[float] = fitted.convert(kind=Polynomial).coef.tolist()
    return coefficients


# The bits of a positive float32 with exponent e and fraction f are the integer 2²³·(127 + e + f).
# 2²³ times its binary logarithm is that, less 2²³·127, plus 2²³·(log₂(1 + f) − f). A polynomial
# gives this last term for f in [0, 1]; its constant is a whole number and joins the 2²³·127.
_UNIT = 2.0**-23
_BEND = [each / _UNIT for each in _polynomial(lambda f: np.log2(1 + f) - f, 8, (0, 1))]
_P = tuple(np.float32(each) for each in _BEND)
_ONE, _FRACTION = np.int32(0x3F800000), np.int32(0x007FFFFF)
_ZERO = np.int32(_ONE - round(_BEND[0]))
# log(1 + f)/f. An even number of points avoids f = 0, where it is only defined as a limit.
_Q = tuple(_polynomial(lambda f: np.log1p(f) / f, 16, (0.5**0.5 - 1, 2**0.5 - 1)))
_LN2 = float(np.log(2))
# The bits of √½. Subtracting them from a number's bits leaves the exponent for which its fraction
# 1 + f is in [√½, √2].
_ROOT = 0x3FE6A09E667F3BCD
# All bits but those of a float64's fraction.
_EXPONENT = -(2**52)


@compiled
def _log2_single(x: Any) -> Any:
    """Compute 2²³·log₂ x of a float32 x ≥ 0; finite at 0, so that 0·log 0 is 0.

    The natural logarithm is within 4e-7 + 2⁻²³·|log x|: the polynomial is within 2.6e-7, and what
    is added to it is rounded.
    """
    bits = np.float32(x).view(np.int32)
    f = np.int32((bits & _FRACTION) | _ONE).view(np.float32) - np.float32(1)
    bend = _P[4] + f * (_P[5] + f * (_P[6] + f * _P[7]))
    bend = _P[1] + f * (_P[2] + f * (_P[3] + f * bend))
    return np.float32(np.int32(bits - _ZERO)) + f * bend


@compiled
def _log_double(x: Any) -> Any:
    """Compute the logarithm of a float64 ≥ 0 to 1e-13; finite at 0, so that 0·log 0 is 0."""
    bits = np.float64(x).view(np.int64)
    exponent = np.int64(bits - _ROOT) & _EXPONENT
    f = np.int64(bits - exponent).view(np.float64) - 1.0
    f2 = f * f
    f4 = f2 * f2
    first = (_Q[0] + f * _Q[1]) + f2 * (_Q[2] + f * _Q[3])
    second = (_Q[4] + f * _Q[5]) + f2 * (_Q[6] + f * _Q[7])
    third = (_Q[8] + f * _Q[9]) + f2 * (_Q[10] + f * _Q[11])
    fourth = (_Q[12] + f * _Q[13]) + f2 * (_Q[14] + f * _Q[15])
    value = (first + f4 * second) + f4 * f4 * (third + f4 * fourth)
    return np.float64(np.int32(exponent >> 52)) * _LN2 + f * value


@compiled
def _sum_single(x: Any, y: Any) -> Any:
    total = np.float32(0)
    for k in range(x.shape[0]):
        both = x[k] + y[k]
        total += both * _log2_single(both)
    return total * (_UNIT * _LN2)


@compiled
def _sum_double(x: Any, y: Any) -> Any:
    total = 0.0
    for k in range(x.shape[0]):
        both = x[k] + y[k]
        total += both * _log_double(both)
    return total


def _log_sums(log_sum: Any) -> Any:
    """Compile the loops over layers, heads and pieces around a sum of one precision."""

    @compiled
    def loops(rows: Any, pairs: Any, out: Any) -> None:
        for start in range(0, rows.shape[1], _PIECE):
            stop = min(start + _PIECE, rows.shape[1])
            for pair in range(pairs.shape[0]):
                first, last, col, end = pairs[pair]
                for i in range(first, last):
                    for j in range(max(i, col), end):
                        out[i, j] += log_sum(rows[i, start:stop], rows[j, start:stop])

    return loops


_log_sums_single, _log_sums_double = _log_sums(_sum_single), _log_sums(_sum_double)


def add_log_sums(
    rows: NDArray[np.floating], pairs: NDArray[np.int64], out: NDArray[np.float64]
) -> None:
    """Add Σ(p + q)·log(p + q) for pairs of rows p and q, on and above the diagonal, to `out`.

    Parameters
    ----------
    rows
        Values ≥ 0 of N heads, float32 or float64, shape (N, K); 0·log 0 is 0.
    pairs
        First and last + 1 row, first and last + 1 column of each block of pairs; shape (P, 4).
    out
        Sums to add to, shape (N, N).
    """
    (_log_sums_single if rows.dtype == np.float32 else _log_sums_double)(rows, pairs, out)


@compiled
def take_rows(maps: Any, first: int, rows: Any, sums: Any) -> None:
    """Copy some rows of maps, and sum each over its keys in float64.

    Parameters
    ----------
    maps
        N maps, shape (N, T, T).
    first
        The first of the R rows.
    rows
        Filled with the rows; shape (N, R, T).
    sums
        Filled with their sums; shape (N, R).
    """
    for head in range(rows.shape[0]):
        for query in range(rows.shape[1]):
            row, result = maps[head, first + query], rows[head, query]
            total = 0.0
            for key in range(row.shape[0]):
                value = row[key]
                result[key] = value
                total += value
            sums[head, query] = total


@compiled
def standardise(maps: Any, sums: Any, smallest: Any, rows: Any, varies: Any) -> None:
    """Centre every row over its keys and scale it to norm 1.

    Parameters
    ----------
    maps
        Rows of N maps, shape (N, R, T).
    sums
        The sum of each row; shape (N, R).
    smallest
        A row counts as constant if its standard deviation is below this share of its mean.
    rows
        Filled with the standardised rows, 0 for constant rows; shape (N, R, T).
    varies
        Filled with 1 for each row that varies and 0 for each constant row; shape (N, R).
    """
    count = maps.shape[2]
    for head in range(maps.shape[0]):
        for query in range(maps.shape[1]):
            row, result = maps[head, query], rows[head, query]
            mean = sums[head, query] / count
            # In float64 for float32 maps too: float32 sums would not find all constant rows.
            squares = 0.0
            for key in range(count):
                deviation = row[key] - mean
                squares += deviation * deviation
            norm = np.sqrt(squares)
            constant = norm <= smallest * abs(mean) * np.sqrt(count)
            varies[head, query] = 0.0 if constant else 1.0
            factor = 0.0 if constant else 1.0 / norm
            for key in range(count):
                result[key] = (row[key] - mean) * factor


@compiled
def squared_distance(x: Any, y: Any) -> Any:
    """Compute the squared distance of two maps in float64."""
    total = 0.0
    for query in range(x.shape[0]):
        for key in range(x.shape[1]):
            difference = np.float64(x[query, key]) - np.float64(y[query, key])
            total += difference * difference
    return total


@compiled
def add_profile(attention: Any, offsets: Any, keys: Any) -> Any:
    """Add the attention to the key at each offset, and to each key; return ‖A − 1/T‖².

    Parameters
    ----------
    attention
        One head's map A, shape (T, T).
    offsets
        Sums over queries to add to, for offsets 1 − T … T − 1; float64, shape (2T − 1,).
    keys
        Sums over queries to add to; float64, shape (T,).
    """
    count = attention.shape[0]
    deviation = 0.0
    for query in range(count):
        row = attention[query]
        here = offsets[count - 1 - query : 2 * count - 1 - query]
        for key in range(count):
            value = np.float64(row[key])
            here[key] += value
            keys[key] += value
            deviation += (value - 1 / count) * (value - 1 / count)
    return deviation


@compiled
def add_on_grid(attention: Any, cells: Any) -> None:
    """Add a map on a grid of cells over the same time: queries averaged, keys summed.

    A frame that overlaps several cells is split between them in proportion to the overlap, so that
    rows still sum to 1, whether the grid is coarser or finer than the map.

    Parameters
    ----------
    attention
        One head's map, shape (T, T).
    cells
        The grid to add to; float64, shape (G, G).
    """
    count, size = attention.shape[0], cells.shape[0]
    width = count / size
    mean = np.empty(count)
    for i in range(size):
        start, stop = i * width, (i + 1) * width
        mean[:] = 0.0
        for query in range(int(start), min(int(np.ceil(stop)), count)):
            weight = (min(query + 1.0, stop) - max(float(query), start)) / width
            for key in range(count):
                mean[key] += weight * attention[query, key]
        for j in range(size):
            first, last = j * width, (j + 1) * width
            total = 0.0
            for key in range(int(first), min(int(np.ceil(last)), count)):
                total += (min(key + 1.0, last) - max(float(key), first)) * mean[key]
            cells[i, j] += total
