"""What scores are by chance, and between models and their references."""

from typing import Any

from assonance.comparison.result import Comparison
from assonance.errors import printable
from assonance.report.packing import rounded
from assonance.report.words import title
from assonance.tables import trust as trust_tables
from assonance.tables.floors_and_ceilings import SHIFTED


def trust(comparison: Comparison) -> list[dict[str, Any]]:
    """Collect, for each measure with a null, the means that its scores are read against."""
    table = trust_tables.chance_by_measure(comparison)
    marks = [(SHIFTED.name, SHIFTED.words)]
    marks += [(each.name, each.words) for each in trust_tables.averaged()]
    marks += [("value", "between models")]
    return [
        {
            "id": name,
            "title": printable(title(comparison, name)),
            "marks": [
                {"words": words, "value": float(rounded(row[key]))}
                for key, words in marks
                if row[key] == row[key]
            ],
        }
        for name, row in zip(map(str, table.index), table.to_dict("records"), strict=True)
    ]
