"""The sections of the page, each left out where its measures were not taken."""

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
    """Pictures of one measure, and what the measure is."""

    label: str
    text: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Section:
    """A question and its pictures.

    Attributes
    ----------
    id, short, heading
        Its anchor, its name in the navigation, the question.
    text
        How to read it.
    panels
        What is shown; one at a time where `switch` says so and the reader's browser can.
    """

    id: str
    short: str
    heading: str
    text: str
    panels: tuple[Panel, ...]
    switch: bool = True

    @property
    def readings(self) -> bool:
        """Whether some of its pictures can be read raw or as a share."""
        return any(picture.reading for panel in self.panels for picture in panel.pictures)


def names_of(comparison: Comparison, *levels: str) -> list[str]:
    """Name the measures of some levels, the telling ones first."""
    names = [name for name in cells.measures(comparison) if level(name) in levels]
    return sorted(
        names, key=lambda name: FIRST_SHOWN.index(name) if name in FIRST_SHOWN else len(FIRST_SHOWN)
    )


def what(comparison: Comparison, measure: str) -> str:
    """Say in a line what a measure is and where it comes from."""
    attributes = comparison.scores[measure].attrs
    parts = [
        f"{attributes['description']}." if attributes.get("description") else "",
        f"Scale: {scales.scale(comparison, measure)}.",
        f"Source: {attributes['source']}." if attributes.get("source") else "",
    ]
    return " ".join(filter(None, parts))


def panel(comparison: Comparison, measure: str, pictures: Iterator[Picture]) -> Panel:
    """Put a measure's pictures together."""
    return Panel(scales.title(comparison, measure), what(comparison, measure), tuple(pictures))


def slug_of(comparison: Comparison, measure: str) -> str:
    """Name a measure in an id: its own name where that is safe, its number otherwise."""
    safe = measure.isascii() and measure.isidentifier()
    return measure if safe else str(cells.measures(comparison).index(measure))
