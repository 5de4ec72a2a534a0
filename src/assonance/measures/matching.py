"""Find the matching of neurons with the highest total similarity: one-to-one, or fractional."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linear_sum_assignment, linprog

# Partners of each neuron in the first linear programme of a transport plan.
_CANDIDATES = 5
# Improvement of the plan above which a partner is added.
_TOLERANCE = 1e-10


def assignment(gain: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Match rows to columns, each at most once, with the highest sum of gains.

    Returns
    -------
    tuple of numpy.ndarray
        Rows, in ascending order, and their columns; min(rows, columns) of each.
    """
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return rows, columns


def transport(gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the transport plan from rows to columns with the highest mean gain; exact.

    Every row gives the same amount and every column receives the same: the transport polytope of
    Khosla & Williams 2024. Column generation: a linear programme over few candidate pairs is
    solved, and pairs with a positive reduced gain are added until there are none.

    Parameters
    ----------
    gain
        Gains between 0 and 1, shape (rows, columns), neither of them 0.

    Returns
    -------
    numpy.ndarray
        The plan: nonnegative; rows sum to 1/rows and columns to 1/columns.
    """
    rows, columns = gain.shape
    plan = np.zeros(gain.shape)
    if rows == columns:
        plan[assignment(gain)] = 1 / rows
        return plan
    # In these units rows give and columns receive integers, so an optimal plan is integral.
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
    """Choose the best few partners of each row and column, and others for a feasible plan."""
    rows, columns = gain.shape
    kept = np.zeros(gain.shape, dtype=bool)
    of_rows, of_columns = (-min(_CANDIDATES, count) for count in (columns, rows))
    best = np.argpartition(gain, of_rows, axis=1)[:, of_rows:]
    np.put_along_axis(kept, best, True, axis=1)
    best = np.argpartition(gain, of_columns, axis=0)[of_columns:]
    np.put_along_axis(kept, best, True, axis=0)
    # Filling columns with rows in order is always feasible.
    cuts = np.union1d(np.arange(rows) * columns, np.arange(columns) * rows)
    kept[cuts // columns, cuts // rows] = True
    return kept
