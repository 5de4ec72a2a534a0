"""From scores to answers: floors, ceilings, and what lies between them."""

import numpy as np
from numpy.typing import NDArray

# Where the whole layer says on average hardly more than the best direction of a random basis,
# there is nothing to localise and the index is a ratio of noises.
LEAST_ROOM = 0.01


def localisation_index(
    best: NDArray[np.floating],
    rotated: NDArray[np.floating],
    whole: NDArray[np.floating],
) -> float:
    """Tell how far single neurons, not only the shared space, correspond.

    Σ(best − rotated)/Σ(whole − rotated) over the neurons where all three are defined: 0 when two
    layers share a space in unrelated bases, 1 when one neuron says all that the other layer
    knows. Source: assonance; see docs/architecture.md.

    Parameters
    ----------
    best
        Correlation of each neuron with its best match (`maxcorr`), shape (D,).
    rotated
        The same in random bases of the other layer (`maxcorr_rotated`), shape (D,).
    whole
        Correlation with the prediction from the whole other layer (`linreg_heldout_r`, or
        `linreg` where nothing is held out), shape (D,).

    Returns
    -------
    float
        About 0 to 1; negative where neurons match worse than random bases. NaN where `whole`
        exceeds `rotated` by less than 0.01 on average.
    """
    defined = np.isfinite(best) & np.isfinite(rotated) & np.isfinite(whole)
    if not defined.any():
        return float("nan")
    room = float((whole[defined] - rotated[defined]).mean())
    if room < LEAST_ROOM:
        return float("nan")
    return float((best[defined] - rotated[defined]).mean()) / room
