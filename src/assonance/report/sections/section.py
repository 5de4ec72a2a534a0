"""Sections of the page: a heading, a text and figures by measure."""

from collections.abc import Iterator
from dataclasses import dataclass

from assonance.comparison.result import Comparison
from assonance.measures.roles import FIRST_SHOWN
from assonance.plots import scales
from assonance.report.pictures import Picture
from assonance.report.words import level
from assonance.tables import cells


@dataclass(frozen=True)
class Panel:
    """The figures of one measure, with its definition."""

    label: str
    text: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Section:
    """A question and the figures that answer it.

    Attributes
    ----------
    id, short, heading
        Anchor, name in the navigation, question.
    text
        How to read the figures.
    panels
        Figures by measure.
    switch
        Whether readers choose one panel at a time; otherwise all are shown.
    """

    id: str
    short: str
    heading: str
    text: str
    panels: tuple[Panel, ...]
    switch: bool = True

    @property
    def readings(self) -> bool:
        """Whether some figures exist both raw and scaled from floor to ceiling."""
        return any(picture.reading for panel in self.panels for picture in panel.pictures)


def names_of(comparison: Comparison, *levels: str) -> list[str]:
    """List the measures of some levels, those of `FIRST_SHOWN` first."""
    names = [name for name in cells.measures(comparison) if level(name) in levels]
    return sorted(
        names, key=lambda name: FIRST_SHOWN.index(name) if name in FIRST_SHOWN else len(FIRST_SHOWN)
    )


def definition(comparison: Comparison, measure: str) -> str:
    """Word the definition, the scale and the source of a measure."""
    attributes = comparison.scores[measure].attrs
    parts = [
        f"{attributes['description']}." if attributes.get("description") else "",
        f"Scale: {scales.scale(comparison, measure)}.",
        f"Source: {attributes['source']}." if attributes.get("source") else "",
    ]
    return " ".join(filter(None, parts))


def panel(comparison: Comparison, measure: str, pictures: Iterator[Picture]) -> Panel:
    """Make the panel of a measure from its figures."""
    return Panel(
        scales.title(comparison, measure), definition(comparison, measure), tuple(pictures)
    )


def slug_of(comparison: Comparison, measure: str) -> str:
    """Return what names a measure in an id: its name if that is safe, its number otherwise."""
    safe = measure.isascii() and measure.isidentifier()
    return measure if safe else str(cells.measures(comparison).index(measure))
