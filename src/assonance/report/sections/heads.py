"""Section on attention heads: how similar they are, and of what kinds."""

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
    "The kind of a head is the first of these that applies. Diagonal: at least half of the "
    "attention lies within one frame of a single offset. Vertical: queries attend to the same few "
    "keys. Global: attention is nearly even. Positional: the mean over relative offsets explains "
    "at least half of the attention map. Content: none of these; attention depends on the speech. "
    "Diagonal, vertical and global are those of Yang et al. (2020)."
)

_NO_FLOOR = (
    " Average attention alone scores above 0.95 for all heads here, so the line is no useful "
    "reference."
)


def head_kinds(comparison: Comparison) -> Iterator[Picture]:
    """Draw the mean attention profile of every head."""
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
        "Mean attention of each head by relative offset, from the past (left) to the future "
        f"(right), scaled to its own peak. Kinds: {words}.",
        f"Small attention profiles of {len(table)} heads over relative offsets: {words}.",
    )


def matches(comparison: Comparison, measure: str, slug: str) -> Iterator[Picture]:
    """Draw the score of each head with its best match, against that of their positions alone."""
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
            f"{means[i, j]:.2f} for {printable(row)} in {printable(col)}"
            for (i, row), (j, col) in permutations(enumerate(models), 2)
        ]
    )
    shown = table.rename_axis(["model", "other model", "layer", "head"]).rename(
        columns={
            "layer_col": "layer of the best match",
            "head_col": "matching head",
            "value": name,
            "position": "average offsets alone",
            "mutual": "mutual best match",
        }
    )
    yield picture(
        f"head-matches-{slug}",
        lambda: head_plots.head_matches(comparison, measure),
        shown,
        f"{name} of each head with its best match in any layer of the other model (up), against "
        "the score of their average attention by offset alone (across). Above the line: more "
        f"similar than average attention offsets explain. Means: {average}."
        + (_NO_FLOOR if (table["position"] > 0.95).all() else ""),
        f"Scatter of the best matches of {len(table)} heads; means: {average}.",
    )


def heads_section(comparison: Comparison) -> Section | None:
    """Show how similar attention heads are."""
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
    kinds = tuple(head_kinds(comparison))
    if kinds:
        panels.append(Panel("Kinds of heads", KINDS_TEXT, kinds))
    text = (
        "Similarity of attention maps. The score of two layers is the mean over the heads of the "
        "row layer, each with its best match in the column layer. The input of the first block has "
        "no attention and is hatched."
    )
    return Section("heads", "Heads", "How similar are the attention heads?", text, tuple(panels))
