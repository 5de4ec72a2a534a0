"""Render the page: headline, views that a script draws, methods, tables."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from assonance.comparison.moments import Sound
from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.errors import join_names, printable
from assonance.report import appendix, headline, methods, views
from assonance.report.matches import Matches
from assonance.report.static_matrix import static_matrix
from assonance.report.words import bounds, level, title
from assonance.tables import changes as change_tables
from assonance.tables import heads as head_tables
from assonance.tables.methods import methods_text

MOST_LEFT_OUT = 50
# The parts of the page's script, in the order in which they run; they share one scope.
SCRIPTS = (
    *("numbers.js", "state.js", "drawing.js", "tooltip.js"),
    *(
        "matrix.js",
        "depth.js",
        "neurons.js",
        "neuron.js",
        "sound.js",
        "heads.js",
        "maps.js",
        "changes.js",
        "trust.js",
    ),
    *("headline.js", "toolbar.js", "tables.js", "start.js"),
)
STYLES = ("page.css", "print.css")


def render(
    comparison: Comparison,
    sentences: Sequence[str],
    pairs: Sequence[FineTuning] | None = None,
    sound: Sound | None = None,
    lead: str | None = None,
) -> str:
    """Render the page.

    Parameters
    ----------
    comparison
        Scores to report.
    sentences
        The findings in words, one list item each.
    pairs
        Models before and after fine-tuning; by default those that `assonance.tables.changes.pairs`
        finds.
    sound
        Clips of the moments that excite neurons most; by default the page has no sound.
    lead
        The measure that leads the page; see `Matches`.

    Returns
    -------
    str
        HTML that loads nothing from outside. The same comparison gives the same bytes.
    """
    pairs = change_tables.pairs(comparison) if pairs is None else pairs
    environment = Environment(
        autoescape=True,
        loader=PackageLoader("assonance.report", "browser"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"one_line": printable}
    record = comparison.provenance
    script = script_text()
    matches = Matches(comparison, lead)
    several = len(comparison.models) > 1
    return environment.get_template("page.html.j2").render(
        record=record,
        question=_question(comparison),
        verdict=headline.verdict(matches, pairs),
        numbers=headline.numbers(matches, *comparison.models[:2]) if several else [],
        models=[model for model in record.models if model.name in comparison.models],
        layers=_layers(comparison),
        facts=methods.facts,
        sentences=sentences,
        shown=_shown(matches, pairs),
        measures=list(_measures(comparison)),
        methods=methods_text(comparison),
        headless=[model for model in comparison.models if model not in _with_heads(comparison)],
        references=methods.references_text(comparison),
        intervals=methods.intervals_text(comparison),
        tables=appendix.tables(matches, pairs),
        matrix=static_matrix(matches),
        packed=views.pack(matches, pairs, sound),
        sound=base64.b64encode(sound.stream).decode() if sound else "",
        left_out=record.left_out[:MOST_LEFT_OUT],
        more_left_out=max(len(record.left_out) - MOST_LEFT_OUT, 0),
        style=Markup("\n".join(_package_file(name) for name in STYLES)),  # noqa: S704
        script=Markup(script),  # noqa: S704
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def script_text() -> str:
    """Return the page's script: its parts, in one scope."""
    parts = "\n".join(_package_file(name) for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();\n'


def _question(comparison: Comparison) -> str:
    """Word the question in the title of the page."""
    models = [printable(model) for model in comparison.models]
    if len(models) == 1:
        return f"How similar are the layers of {models[0]}?"
    names = join_names(models) if len(models) <= 3 else f"these {len(models)} models"
    return f"Do {names} represent speech the same way?"


def _layers(comparison: Comparison) -> str:
    """Say what the first layers of a model are, and that the last is numbered likewise."""
    models = {model.name: model for model in comparison.provenance.models}
    layers = list(models[comparison.models[0]].layers.items()) if comparison.models else []
    if not layers:
        return ""
    shown = [layers[0], *layers[1:2], *(layers[-1:] if len(layers) > 2 else [])]
    return "; ".join(f"{printable(name)} is {_within_a_sentence(text)}" for name, text in shown)


def _within_a_sentence(text: str) -> str:
    """Drop the final period, and the capital of the first word unless it is an acronym."""
    first = text[:1].lower() if text[1:2].islower() else text[:1]
    return printable(f"{first}{text[1:]}".removesuffix("."))


def _shown(matches: Matches, pairs: Sequence[FineTuning]) -> dict[str, bool]:
    """Tell which views have numbers."""
    comparison, layers = matches.comparison, bool(matches.shown)
    return {
        "matrix": layers,
        "depth": layers and len(comparison.models) > 1,
        "neurons": views.has_neurons(comparison),
        "heads": "entropy" in comparison.heads,
        "change": bool(pairs),
        "trust": bool(views.trust(comparison)),
    }


def _with_heads(comparison: Comparison) -> tuple[str, ...]:
    return head_tables.with_heads(comparison) if "entropy" in comparison.heads else ()


def _measures(comparison: Comparison) -> Iterator[dict[str, str]]:
    """Yield the rows of the table of measures, from the attributes of the scores."""
    for name, array in comparison.scores.data_vars.items():
        low, high = array.attrs.get("range", (float("-inf"), float("inf")))
        yield {
            "name": str(name),
            "title": title(comparison, str(name)),
            "level": level(str(name)),
            "definition": str(array.attrs.get("description", "")),
            "range": bounds(low, high),
            "source": str(array.attrs.get("source", "")),
        }


def _package_file(name: str) -> str:
    """Read a file of the page."""
    return resources.files("assonance.report").joinpath("browser", name).read_text("utf-8")
