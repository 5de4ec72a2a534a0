"""The numbers of the headline, for each ordered pair of models."""

from dataclasses import asdict
from itertools import permutations
from typing import Any

from assonance.report.headline import numbers
from assonance.report.matches import Matches


def headline(matches: Matches) -> dict[str, list[dict[str, Any]]]:
    """Compute the numbers of each ordered pair of models, by their places such as ``0,1``."""
    models = list(enumerate(matches.comparison.models))
    return {
        f"{i},{j}": [asdict(each) for each in numbers(matches, row, col)]
        for (i, row), (j, col) in permutations(models, 2)
    }
