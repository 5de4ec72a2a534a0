"""Matchings of highest total similarity: one to one, and of fractions of neurons."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linear_sum_assignment, linprog

# Partners of each neuron that the first attempt at a transport plan may use.
_CANDIDATES = 5
# By how much a partner that was left out must improve the plan to be taken in.
_TOLERANCE = 1e-10


def assignment(gain: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair rows with columns, each at most once, for the highest sum of gains.

    Returns
    -------
    tuple of numpy.ndarray
        Rows, in order, and their columns; as many as the smaller side has.
    """
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return rows, columns


def transport(gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share the rows out to the columns for the highest mean gain; exact.

    Every row gives the same amount and every column takes the same: the transport polytope of
    Khosla & Williams 2024. A linear programme of few candidates is solved; as long as its prices
    show others to be worth more, they are taken in and it is solved again.

    Parameters
    ----------
    gain
        Between 0 and 1, shape (rows, columns), neither 0.

    Returns
    -------
    numpy.ndarray
        The plan: not negative, rows summing to 1/rows and columns to 1/columns.
    """
    rows, columns = gain.shape
    plan = np.zeros(gain.shape)
    if rows == columns:
        plan[assignment(gain)] = 1 / rows
        return plan
    # In units of which rows give and columns take whole numbers, and so does the best plan.
    unit = math.gcd(rows, columns)
    amounts = np.repeat([columns // unit, rows // unit], [rows, columns])
    kept = _candidates(gain)
    while True:
        i, j = kept.nonzero()
        ends = np.concatenate([i, rows + j]), np.tile(np.arange(len(i)), 2)
        solved = linprog(
            -gain[i, j],
            A_eq=sparse.csr_array((np.ones(2 * len(i)), ends)),
            b_eq=amounts,
            method="highs-ds",
            options={
                "primal_feasibility_tolerance": _TOLERANCE,
                "dual_feasibility_tolerance": _TOLERANCE,
            },
        )
        if solved.status:
            raise RuntimeError(f"no transport plan was found: {solved.message}")
        prices = solved.eqlin.marginals
        missed = (gain + prices[:rows, None] + prices[rows:] > _TOLERANCE) & ~kept
        if not missed.any():
            plan[i, j] = solved.x.round() * unit / (rows * columns)
            return plan
        kept |= missed


def _candidates(gain: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Choose the best few partners of each row and column, and some that admit a plan."""
    rows, columns = gain.shape
    kept = np.zeros(gain.shape, dtype=bool)
    of_rows, of_columns = (-min(_CANDIDATES, count) for count in (columns, rows))
    best = np.argpartition(gain, of_rows, axis=1)[:, of_rows:]
    np.put_along_axis(kept, best, True, axis=1)
    best = np.argpartition(gain, of_columns, axis=0)[of_columns:]
    np.put_along_axis(kept, best, True, axis=0)
    # Filling columns with rows in the order they come is a plan.
    cuts = np.union1d(np.arange(rows) * columns, np.arange(columns) * rows)
    kept[cuts // columns, cuts // rows] = True
    return kept
