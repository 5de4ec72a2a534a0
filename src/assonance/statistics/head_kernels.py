"""Compiled inner loops over attention maps, for sums that are no matrix products.

Each loop runs on one core, releases Python's global lock and computes in the precision of the maps.
The logarithms are written here because inlined polynomials are several times as fast as calls of a
library.
"""

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


def _log1p_over_f(terms: int) -> tuple[float, ...]:
    """Fit log(1 + f)/f for 1 + f in [√½, √2] by a polynomial; return coefficients, lowest first."""

    def ratio(f: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log1p(f) / f

    # An even number of Chebyshev points avoids f = 0, where the ratio is only defined as a limit.
    fitted = Chebyshev.interpolate(ratio, terms - 1, domain=[0.5**0.5 - 1, 2**0.5 - 1])
    return tuple(fitted.convert(kind=Polynomial).coef.tolist())


_P = tuple(np.float32(each) for each in _log1p_over_f(10))
_Q = _log1p_over_f(16)
_LN2_SINGLE, _LN2 = np.float32(np.log(2)), float(np.log(2))
# The bits of √½. Subtracting them from a number's bits leaves the exponent for which its fraction
# 1 + f is in [√½, √2].
_ROOT_SINGLE, _ROOT = 0x3F3504F3, 0x3FE6A09E667F3BCD
# All bits but those of a float64's fraction.
_EXPONENT = -(2**52)


@compiled
def _log_single(x: Any) -> Any:
    """Compute the logarithm of a float32 ≥ 0 to 2e-7; finite at 0, so that 0·log 0 is 0."""
    bits = np.float32(x).view(np.int32)
    exponent = np.int32(np.int32(bits - np.int32(_ROOT_SINGLE)) >> np.int32(23))
    f = np.int32(bits - np.int32(exponent << np.int32(23))).view(np.float32) - np.float32(1)
    f2 = f * f
    f4 = f2 * f2
    low = (_P[0] + f * _P[1]) + f2 * (_P[2] + f * _P[3])
    high = (_P[4] + f * _P[5]) + f2 * (_P[6] + f * _P[7]) + f4 * (_P[8] + f * _P[9])
    return np.float32(exponent) * _LN2_SINGLE + f * (low + f4 * high)


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
def _log_sums_single(x: Any, y: Any, out: Any) -> None:
    for start in range(0, x.shape[1], _PIECE):
        stop = min(start + _PIECE, x.shape[1])
        for i in range(x.shape[0]):
            for j in range(y.shape[0]):
                total = np.float32(0)
                for k in range(start, stop):
                    both = x[i, k] + y[j, k]
                    total += both * _log_single(both)
                out[i, j] += total


@compiled
def _log_sums_double(x: Any, y: Any, out: Any) -> None:
    for start in range(0, x.shape[1], _PIECE):
        stop = min(start + _PIECE, x.shape[1])
        for i in range(x.shape[0]):
            for j in range(y.shape[0]):
                total = 0.0
                for k in range(start, stop):
                    both = x[i, k] + y[j, k]
                    total += both * _log_double(both)
                out[i, j] += total


def add_log_sums(
    x: NDArray[np.floating], y: NDArray[np.floating], out: NDArray[np.float64]
) -> None:
    """Add Σ(p + q)·log(p + q) for each row p of x and row q of y to `out`; 0·log 0 is 0.

    Parameters
    ----------
    x, y
        Values ≥ 0, both float32 or both float64, shapes (Hx, K) and (Hy, K).
    out
        Sums to add to, shape (Hx, Hy).
    """
    single = x.dtype == np.float32
    (_log_sums_single if single else _log_sums_double)(x, y, out)


@compiled
def standardise(maps: Any, smallest: Any, rows: Any, sums: Any, varies: Any) -> None:
    """Centre every row over its keys and scale it to norm 1.

    Parameters
    ----------
    maps
        Rows of N maps, shape (N, R, T).
    smallest
        A row counts as constant if its standard deviation is below this share of its mean.
    rows
        Filled with the standardised rows, 0 for constant rows; shape (N, R, T).
    sums
        Filled with the sum of each row; shape (N, R).
    varies
        Filled with 1 for each row that varies and 0 for each constant row; shape (N, R).
    """
    count = maps.shape[2]
    for head in range(maps.shape[0]):
        for query in range(maps.shape[1]):
            row, result = maps[head, query], rows[head, query]
            # In float64 for float32 maps too: float32 sums would not find all constant rows.
            total = 0.0
            for key in range(count):
                total += row[key]
            sums[head, query] = total
            mean = total / count
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
def add_offsets(attention: Any, out: Any) -> None:
    """Add the attention from every query to the key at each offset to `out`.

    Parameters
    ----------
    attention
        One head's map, shape (T, T).
    out
        Sums to add to, for offsets 1 − T … T − 1; float64, shape (2T − 1,).
    """
    count = attention.shape[0]
    for query in range(count):
        for key in range(count):
            out[key - query + count - 1] += attention[query, key]
