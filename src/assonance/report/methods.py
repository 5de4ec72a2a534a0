"""Word what scores are read against, how sure they are, and what the models are."""

from assonance.comparison.records import ModelRecord
from assonance.comparison.result import Comparison
from assonance.errors import printable
from assonance.inference.intervals import coefficients_held
from assonance.tables import cells
from assonance.tables import trust as trust_tables


def references_text(comparison: Comparison) -> str:
    """Word what scores are read against."""
    twins = {
        twin: layers
        for name in cells.measures(comparison)[:1]
        for twin, layers in trust_tables.twin_layers(comparison, name).items()
    }
    return (
        "Circular shifts pair a layer with unrelated speech: the score by chance for this amount "
        "of speech, this width and this dependence between frames. Random weights: the same "
        "architectures untrained"
        + "".join(
            f"; {printable(twin)} at layers {', '.join(map(printable, layers))}"
            for twin, layers in twins.items()
        )
        + ". Log-mel frames have only 80 bands to match, too few for single neurons."
    )


def intervals_text(comparison: Comparison) -> str:
    """Word how intervals were computed, what they generalise to, and where they fail."""
    if not comparison.method:
        return "No intervals were computed."
    to = comparison.provenance.population
    text = (
        f"Scores carry 95 % intervals from {comparison.method}"
        f"{f'; they generalise to {to}' if to else ''}. Measures for which these fail in "
        "simulation have none: near zero similarity an interval for SVCCA, PWCCA and the "
        "consensus of MaxCorr would be wrong."
    )
    if coefficients_held(comparison.replicates):
        return (
            f"{text} The interval of MaxCorr allows for the choice of matches: it is wide where "
            "the match that other speech chose (MaxCorr, held out) correlates less."
        )
    return (
        f"{text} Intervals of MaxCorr and of LinReg's r hold where neurons share something; where "
        "they share nothing they lie too high: read held-out scores there."
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
