"""Render the page: models and speech, summary, sections, methods."""

import base64
import hashlib
import math
from collections.abc import Iterator, Sequence
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from assonance.comparison.records import ModelRecord
from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.errors import join_names, printable
from assonance.report.pictures import cell
from assonance.report.sections import sections
from assonance.report.words import level
from assonance.tables import changes as change_tables

MOST_LEFT_OUT = 50


def render(
    comparison: Comparison, sentences: Sequence[str], pairs: Sequence[FineTuning] | None = None
) -> str:
    """Render the page.

    Parameters
    ----------
    comparison
        Scores to report.
    sentences
        The summary, one list item each.
    pairs
        Models before and after fine-tuning; by default those that `assonance.tables.changes.pairs`
        finds.

    Returns
    -------
    str
        HTML.
    """
    environment = Environment(
        autoescape=True,
        loader=PackageLoader("assonance.report", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"one_line": printable, "cell": cell}
    record = comparison.provenance
    script, style = _package_file("script.js"), _package_file("style.css")
    return environment.get_template("page.html.j2").render(
        record=record,
        question=_question(comparison),
        models=[model for model in record.models if model.name in comparison.models],
        layers=_layers(comparison),
        baseline=comparison.baseline,
        twins=[model for model in record.models if model.twin_of],
        facts=facts,
        sentences=sentences,
        sections=sections(comparison, change_tables.pairs(comparison) if pairs is None else pairs),
        measures=list(_measures(comparison)),
        left_out=record.left_out[:MOST_LEFT_OUT],
        more_left_out=max(len(record.left_out) - MOST_LEFT_OUT, 0),
        style=style,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def facts(model: ModelRecord) -> list[str]:
    """List what a reader must know of a model, a few words each."""
    layers = f"{len(model.layers)} layer{'s' if len(model.layers) != 1 else ''}"
    if not model.n_parameters:
        return [model.family, model.size, "no learned weights", layers]
    purpose = f" for {model.task}" if model.fine_tuned and model.task else ""
    weights = f"fine-tuned{purpose}" if model.fine_tuned else "pretrained"
    if base := model.tuned_from or model.base:
        weights = f"fine-tuned from {base}{purpose}"
    if model.objective == "none":
        weights = "random weights"
    return [
        model.family,
        *([] if model.objective == "none" else [f"{model.objective} objective"]),
        model.size,
        f"{model.n_parameters / 1e6:.1f} M parameters",
        weights,
        *([f"another seed of {model.seed_of}"] if model.seed_of else []),
        layers,
        *([model.input] if model.input else []),
        *([f"weights {model.weights}"] if model.weights.startswith("converted") else []),
    ]


def _question(comparison: Comparison) -> str:
    """Word the question in the title of the page."""
    models = [printable(model) for model in comparison.models]
    if len(models) == 1:
        return f"How similar are the layers of {models[0]}?"
    names = join_names(models) if len(models) <= 3 else f"these {len(models)} models"
    return f"Do {names} represent speech the same way?"


def _layers(comparison: Comparison) -> list[tuple[str, str]]:
    """List the layers of the first model with their definitions, worded as part of a sentence."""
    models = {model.name: model for model in comparison.provenance.models}
    layers = models[comparison.models[0]].layers
    return [(layer, _within_a_sentence(text)) for layer, text in layers.items()]


def _within_a_sentence(text: str) -> str:
    """Drop the final period, and the capital of the first word unless it is an acronym."""
    first = text[:1].lower() if text[1:2].islower() else text[:1]
    return f"{first}{text[1:]}".removesuffix(".")


def _measures(comparison: Comparison) -> Iterator[dict[str, str]]:
    """Yield the rows of the table of measures, from the attributes of the scores."""
    for name, array in comparison.scores.data_vars.items():
        yield {
            "name": str(name),
            "title": str(array.attrs.get("long_name", name)),
            "level": level(str(name)),
            "definition": str(array.attrs.get("description", "")),
            "range": _bounds(*array.attrs.get("range", (-math.inf, math.inf))),
            "source": str(array.attrs.get("source", "")),
        }


def _bounds(low: float, high: float) -> str:
    """Format the range of a measure."""
    if math.isinf(low):
        return "unbounded" if math.isinf(high) else f"at most {high:.3g}"
    return f"at least {low:.3g}" if math.isinf(high) else f"{low:.3g} to {high:.3g}"


def _package_file(name: str) -> Markup:
    """Read a file of this package, to insert into the page unescaped."""
    text = resources.files("assonance.report").joinpath(name).read_text("utf-8")
    return Markup(text)  # noqa: S704
