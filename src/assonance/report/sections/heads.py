"""The section on attention heads: how alike they are, and what kinds there are."""

from collections.abc import Iterator
from itertools import chain, permutations

from assonance.comparison.result import Comparison
from assonance.errors import join_names, printable
from assonance.plots import heads as head_plots
from assonance.plots import scales
from assonance.report.pictures import Picture, picture
from assonance.report.sections.layers import matrix_picture
from assonance.report.sections.section import Panel, Section, names_of, panel, slug_of
from assonance.tables import heads as head_tables

KINDS_TEXT = (
    "What a head looks at, by numbers from 0 to 1. Diagonal: at least half of its attention lies "
    "within one frame of one offset. Vertical: its queries agree on few keys. Global: its "
    "attention is nearly even. Positional: its mean over offsets says at least half of its maps. "
    "Content: none of these; where it looks depends on what is there. After Yang et al. (2020)."
)


def kinds_of_heads(comparison: Comparison) -> Iterator[Picture]:
    """Draw what every head looks at."""
    if "entropy" not in comparison.heads:
        return
    table = head_tables.heads(comparison)
    if table.empty:
        return
    counts = table["kind"].value_counts()
    words = join_names([f"{count} {kind}" for kind, count in counts.items()], most=5)
    shown = table.rename_axis(["model", "layer", "head"]).rename(
        columns={
            name: str(comparison.heads[name].attrs.get("long_name", name))
            for name in head_tables.DESCRIPTORS
        }
    )
    yield picture(
        "head-kinds",
        lambda: head_plots.head_kinds(comparison),
        shown,
        "Where each head looks, from the past (left) to the future (right), each profile as high "
        f"as its own peak: {words}.",
        f"Small profiles of the attention of {len(table)} heads over relative offsets: {words}.",
    )


def matches(comparison: Comparison, measure: str, slug: str) -> Iterator[Picture]:
    """Draw how alike each head and its best match are, and what positions alone would make."""
    if measure not in head_tables.head_measures(comparison):
        return
    models = head_tables.with_heads(comparison)
    if len(models) < 2:
        return
    table = head_tables.head_matches(comparison, measure)
    if table.empty:
        return
    name = scales.title(comparison, measure)
    means = head_tables.head_models(comparison, measure).to_numpy()
    average = join_names(
        [
            f"{printable(row)} in {printable(col)} {means[i, j]:.2f}"
            for (i, row), (j, col) in permutations(enumerate(models), 2)
        ]
    )
    shown = table.rename_axis(["model", "other model", "layer", "head"]).rename(
        columns={
            "layer_col": "best layer of the other",
            "head_col": "its head",
            "value": name,
            "position": "positions alone",
            "mutual": "each other's best",
        }
    )
    yield picture(
        f"head-matches-{slug}",
        lambda: head_plots.head_matches(comparison, measure),
        shown,
        f"{name} of each head with its best match anywhere in the other model, against what two "
        "heads with the same mean over relative offsets and nothing else would score. Above the "
        f"line they are alike beyond positions. On average, best matches of {average}.",
        f"Scatter of {len(table)} best matches of heads; on average, {average}.",
    )


def heads(comparison: Comparison) -> Section | None:
    """Show how alike attention is."""
    names = names_of(comparison, "head")
    if not names:
        return None
    panels = [
        panel(
            comparison,
            name,
            chain(
                matrix_picture(comparison, name),
                matches(comparison, name, slug_of(comparison, name)),
            ),
        )
        for name in names
    ]
    kinds = tuple(kinds_of_heads(comparison))
    if kinds:
        panels.append(Panel("Kinds of heads", KINDS_TEXT, kinds))
    text = (
        "How alike the attention maps of two layers are: the best match of each head of the row "
        "layer, averaged. The input of the first block has no attention and is hatched."
    )
    return Section("heads", "Heads", "Which heads do the same?", text, tuple(panels))
