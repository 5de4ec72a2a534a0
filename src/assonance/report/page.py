"""The page: what was compared, the answer, the sections, how it was run."""

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
    """Write the page.

    Parameters
    ----------
    comparison
        What was found.
    sentences
        The answer, a claim each.
    pairs
        Models before and after fine-tuning; those that `assonance.tables.changes.pairs` finds by
        default.

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
    script, style = _own("script.js"), _own("style.css")
    return environment.get_template("page.html.j2").render(
        record=record,
        question=_question(comparison),
        models=[model for model in record.models if model.name in comparison.models],
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
    """Say of a model what a reader must know, a few words each."""
    layers = f"{len(model.layers)} layer{'s' if len(model.layers) != 1 else ''}"
    if not model.n_parameters:
        return [model.family, model.size, "nothing learnt", layers]
    weights = "fine-tuned" if model.fine_tuned else "pretrained"
    if model.tuned_from:
        weights = f"fine-tuned from {model.tuned_from}"
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
    ]


def _question(comparison: Comparison) -> str:
    """Ask what the page answers."""
    models = [printable(model) for model in comparison.models]
    if len(models) == 1:
        return f"What do the layers of {models[0]} share?"
    names = join_names(models) if len(models) <= 3 else f"these {len(models)} models"
    return f"Do {names} represent speech the same way?"


def _measures(comparison: Comparison) -> Iterator[dict[str, str]]:
    """Describe each measure taken, as its results do."""
    for name, array in comparison.scores.data_vars.items():
        yield {
            "name": str(name),
            "title": str(array.attrs.get("long_name", name)),
            "level": level(str(name)),
            "what": str(array.attrs.get("description", "")),
            "range": _bounds(*array.attrs.get("range", (-math.inf, math.inf))),
            "source": str(array.attrs.get("source", "")),
        }


def _bounds(low: float, high: float) -> str:
    """Say from where to where a measure can go."""
    if math.isinf(low):
        return "no bounds" if math.isinf(high) else f"up to {high:.3g}"
    return f"from {low:.3g}" if math.isinf(high) else f"{low:.3g} to {high:.3g}"


def _own(name: str) -> Markup:
    """Read a file of the package, to stand in the page as it is."""
    text = resources.files("assonance.report").joinpath(name).read_text("utf-8")
    return Markup(text)  # noqa: S704
