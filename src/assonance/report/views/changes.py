"""What fine-tuning changed, layer by layer."""

from collections.abc import Sequence
from typing import Any

from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.errors import printable
from assonance.report.packing import Packer
from assonance.report.words import title
from assonance.tables import changes as change_tables

_COLUMNS = ("value", "low", "high", "ceiling", "floor")


def changes(
    comparison: Comparison, pairs: Sequence[FineTuning], packer: Packer
) -> list[dict[str, Any]]:
    """Collect, for each fine-tuning and measure, the curve of each layer before and after."""
    return [_pair(comparison, pair, packer) for pair in pairs]


def _pair(comparison: Comparison, pair: FineTuning, packer: Packer) -> dict[str, Any]:
    """Collect the curves of one fine-tuning."""
    table = change_tables.layers(comparison, pair)
    measured = dict.fromkeys(map(str, table.index.get_level_values("measure")))
    curves = {name: change_tables.curve(table, name) for name in measured}
    return {
        "before": printable(pair.pretrained),
        "after": printable(pair.fine_tuned),
        "seed": None if pair.second_seed is None else printable(pair.second_seed),
        "curves": [
            {
                "id": name,
                "title": printable(title(comparison, name)),
                "layers": [printable(str(layer)) for layer in curve.index],
                "onset": change_tables.onset(curve),
                **{
                    column: packer.scores(curve[column].to_numpy(float))
                    for column in _COLUMNS
                    if curve[column].notna().any()
                },
            }
            for name, curve in curves.items()
            if not curve.empty
        ],
        "leading": change_tables.leading_measures(table),
    }
