"""What the bundled miniatures show, written down.

    python -m benchmarks.zoo --write docs/miniatures.md

Three comparisons on the bundled speech: models before and after fine-tuning, one model along its
fine-tuning, and all pretrained ones with each other. Minutes on two cores.
"""

import argparse
import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from assonance import Comparison, compare
from assonance.claims.claim import Claim, load_claims
from assonance.claims.verdict import evaluate_claims
from assonance.comparison.relations import FineTuning
from assonance.demo import SPEECH, Miniature, miniatures
from assonance.errors import AssonanceWarning
from assonance.settings import find_settings
from assonance.tables.changes import RETAINED, layers
from assonance.utils.progress_bars import Bars
from benchmarks.validity.__main__ import markdown

CHANGE = ("linreg_heldout", "cka_utterance", "maxcorr", "maxcorr_rotated", "attn_js")
KINSHIP = (
    *("linreg_heldout", "linreg_heldout_r", "cka_utterance"),
    *("maxcorr", "maxcorr_rotated", "attn_pearson"),
)
# Nothing is read off shifted speech here, and ten groups are half the time of twenty.
SETTINGS = replace(find_settings("default"), groups=10, shifts=1)
FINE_TUNING = ("fine-tuning, late layers", "fine-tuning, contrastive")


def learned(models: Sequence[Miniature]) -> pd.DataFrame:
    """Tabulate what each model learned on held-out speech, next to untrained references."""
    rows = []
    for model in models:
        result = json.loads((model.path / "evaluation.json").read_text("utf-8"))
        if "end" in result:
            continue
        task = result["task"]
        reads = "error" in task
        shared, probe = result["predicted_by_partner"], result["probe"]
        rows.append(
            {
                "model": model.name,
                "MB": model.megabytes,
                "task": task["error" if reads else "accuracy"],
                "guessing, or random weights": task["random_error" if reads else "guessing"],
                "five languages": max(probe["trained"]["five_languages"]),
                "at random weights": max(probe["random"]["five_languages"]),
                "R² from the other objective": _mean(shared["trained"]),
                "from its random weights": _mean(shared["random"]),
            }
        )
    return pd.DataFrame(rows).set_index("model")


def changed(comparison: Comparison, pairs: Sequence[FineTuning]) -> pd.DataFrame:
    """Tabulate how much of each layer fine-tuning retains, with intervals."""
    columns = {}
    for pair in pairs:
        table = layers(comparison, pair)
        for name in ("linreg_heldout", "maxcorr", "attn_js"):
            part = table.xs((name, RETAINED), level=("measure", "way"))
            columns[f"{pair.fine_tuned}: {name}"] = part.apply(_with_interval, axis=1)
        own = table.xs(("maxcorr_own", RETAINED), level=("measure", "way"))["value"]
        columns[f"{pair.fine_tuned}: own best match"] = own.map("{:.0%}".format)
    return pd.DataFrame(columns).T.rename_axis("after: measure")


def between(comparison: Comparison) -> pd.DataFrame:
    """Tabulate the scores of pairs of models at best matching layers, averaged over layers."""
    rows = []
    names = list(comparison.models)
    for row in names:
        for col in names:
            if row != col:
                best = {
                    name: float(comparison.matrix(name, row, col).max("layer_col").mean())
                    for name in ("linreg_heldout", "cka_utterance", "maxcorr", "maxcorr_rotated")
                }
                index = comparison.matrix("localisation", row, col).max("layer_col").mean()
                rows.append({"model": row, "from": col, **best, "localisation": float(index)})
    return pd.DataFrame(rows).set_index(["model", "from"])


def verdicts(comparison: Comparison, claims: Sequence[Claim]) -> str:
    """List the verdicts on the claims that can be tested."""
    found = [each for each in evaluate_claims(comparison, claims) if each.tested]
    return "\n".join(f"- {each.sentence()}" for each in found)


def main() -> None:
    """Compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="where to write the page")
    parser.add_argument("--out", type=Path, default=Path("runs/zoo"), help="for activations")
    given = parser.parse_args()
    warnings.simplefilter("ignore", AssonanceWarning)
    models = miniatures()
    known = {each.name: each for each in models}
    page = [INTRODUCTION, "## What they learned\n", LEARNED, markdown(learned(models)), ""]

    own = load_claims(Path(__file__).with_suffix(".yaml"))
    about_change = [*(each for each in load_claims() if each.name in FINE_TUNING), *own]
    tuned = [each for each in models if each.fine_tuned_from]
    ends = [each for each in tuned if not each.milestone]
    page += ["## Fine-tuning\n", CHANGED]
    before = [known[each.fine_tuned_from] for each in ends if each.fine_tuned_from]
    found = _compare([*before, *ends], CHANGE, given.out, twins=False)
    page += [markdown(changed(found, _pairs(ends))), "", verdicts(found, about_change), ""]

    way = {each.fine_tuned_from for each in tuned if each.milestone}
    followed = sorted(
        (each for each in tuned if each.fine_tuned_from in way),
        key=lambda each: each.milestone or math.inf,
    )
    start = [each for each in models if each.name in way]
    found = _compare([*start, *followed], CHANGE, given.out, twins=False)
    page += [ALONG, markdown(changed(found, _pairs(followed))), ""]

    first = [each for each in models if not each.fine_tuned_from]
    found = _compare(first, KINSHIP, given.out, twins=True)
    page += [
        "## Models with each other\n",
        KIN,
        markdown(between(found)),
        "",
        verdicts(found, load_claims()),
        "",
    ]
    text = "\n".join(page)
    print(text)
    if given.write:
        given.write.write_text(text, encoding="utf-8")


def _compare(
    models: Sequence[Miniature], measures: Sequence[str], out: Path, *, twins: bool
) -> Comparison:
    names = {each.name for each in models}
    with Bars() as bars:
        return compare(
            [each.path for each in models],
            SPEECH,
            measures,
            settings=SETTINGS,
            twins=twins,
            offline=True,
            out=out,
            seeds={e.name: e.seed_of for e in models if e.seed_of in names},
            progress=bars,
        )


def _pairs(tuned: Sequence[Miniature]) -> list[FineTuning]:
    return [FineTuning(each.fine_tuned_from, each.name) for each in tuned if each.fine_tuned_from]


def _with_interval(row: "pd.Series[Any]") -> str:
    text = f"{row['value']:.2f}"
    return text if row["low"] != row["low"] else f"{text} [{row['low']:.2f}, {row['high']:.2f}]"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


INTRODUCTION = """# What the miniatures show

Made by `python -m benchmarks.zoo --write docs/miniatures.md` from the bundled models and speech;
every figure below comes from that command. The models are miniatures trained on two hours of
telephone prompts. The findings hold for them and illustrate assonance; published models may
differ. Intervals generalise to other speech of the same four voices.
"""
LEARNED = """\
On held-out speech. *Task*: for pretrained models, the share of masked frames whose cluster or
code is predicted, next to the share of the most frequent cluster or of guessing. For fine-tuned
models, the character error rate, next to that of the same network fine-tuned from random weights
(lower is better). *Five languages*: accuracy of a linear probe on the best layer. *R²*: mean over
layers.
"""
CHANGED = """\
Each layer before fine-tuning against the same layer after: the held-out R² of a linear map, the
best matches of its neurons and heads, and the share of neurons whose best match is still the same
neuron.
"""
ALONG = """During one of the fine-tunings, after the number of steps in the name, and at the end:
"""
KIN = """\
At the best matching layer of the other model, averaged over layers. A second seed of a recipe is
the ceiling: what two trainings share.
"""

if __name__ == "__main__":
    main()
