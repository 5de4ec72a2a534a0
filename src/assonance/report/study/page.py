"""Write a repeated study: the published figures, the findings, and a question of our own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from assonance.claims.verdict import ClaimResult
from assonance.comparison.result import Comparison
from assonance.errors import printable
from assonance.measures import MEASURES
from assonance.report.study import beyond, findings, patterns, pictures, published
from assonance.report.study.document import Block, Bullets, Heading, Picture, Table, Text
from assonance.report.study.recipe import Study

# Measures whose scores are read against floors and ceilings.
SCALED = (
    *("linreg_heldout", "cka_utterance", "maxcorr", "maxcorr_rotated"),
    *("localisation", "attn_pearson", "attn_js"),
)


@dataclass(frozen=True)
class Repeated:
    """A study that was run.

    Attributes
    ----------
    study
        The study.
    chosen
        Name of its set of models.
    comparisons
        Its runs, by name.
    roles
        From a role to the name of a model in the runs.
    spectrum
        Scores with the spectrum partialled out, one a row of `beyond.pairs`; None if there is no
        pair of objectives to compare.
    """

    study: Study
    chosen: str
    comparisons: Mapping[str, Comparison]
    roles: Mapping[str, str]
    spectrum: xr.Dataset | None

    @property
    def replicates(self) -> bool:
        """Whether the models are those of the paper."""
        return self.study.sets[self.chosen].replicates


def blocks(run: Repeated) -> list[Block]:
    """Write the study as headings, paragraphs, tables and figures."""
    own: list[Block] = []
    if run.spectrum is not None:
        which = beyond.pairs(run.comparisons["default"].provenance.models)
        own = own_question(run.spectrum, which)
    return [
        Heading(f"{run.study.title}: repeated", 1),
        *_introduction(run),
        *_against_figures(run),
        *_findings(run),
        *own,
        *_methods(),
    ]


def _introduction(run: Repeated) -> list[Block]:
    record = run.comparisons["default"].provenance
    known = {each.name: each for each in record.models}
    models = [(role, known[name]) for role, name in run.roles.items()]
    table = pd.DataFrame(
        {
            "role": [role for role, _ in models],
            "model": [printable(each.name) for _, each in models],
            "objective": [each.objective for _, each in models],
            "blocks × width": [each.size for _, each in models],
            "million parameters": [f"{each.n_parameters / 1e6:.1f}" for _, each in models],
            "fingerprint": [each.fingerprint[:12] for _, each in models],
        }
    )
    question = (
        "This is a replication: the models are the public checkpoints of the kinds that the paper "
        "names. It does not name them in every case; the table gives those taken here."
        if run.replicates
        else "The models are miniatures, and the speech is not that of the paper. So this is no "
        "replication: it asks whether the pattern recurs."
    )
    speech = record.corpus
    return [
        Text(
            f"Made by `assonance study` from the study of {run.study.source}, with the models "
            f"`{run.chosen}`. Every number on this page comes from that run."
        ),
        Text(question),
        Text(
            f"Speech: {speech.utterances} utterances, {speech.seconds / 60:.1f} minutes, "
            f"{speech.frames} frames. Intervals generalise to {record.population}."
        ),
        Table(table, "The models, by their role in the study."),
    ]


def _against_figures(run: Repeated) -> list[Block]:
    measures = [each for each in published.measures() if _measured(run, each)]
    cells = {
        each: patterns.cells(run.comparisons["published"], run.roles, each) for each in measures
    }
    found = {each: patterns.agreement(cells[each]) for each in measures}
    rows = []
    for measure, table in found.items():
        row = {"measure": _title(measure)}
        for name, values in table.iterrows():
            p = f", p {_p(values['p'])}" if np.isfinite(values["p"]) else ""
            row[str(name)] = f"{_interval(*values[['rho', 'low', 'high']])}{p}"
        defaults = patterns.cells(run.comparisons["default"], run.roles, measure)
        row["all cells, default settings"] = _number(patterns.of_all(defaults))
        rows.append(row)
    question = "replicate" if run.replicates else "recur"
    return [
        Heading("Against the published figures"),
        Text(
            f"Does the pattern of each measure {question}? Spearman's ρ between the scores and the "
            "values read off the paper's figures, over pairs of layers. Depth is counted in "
            "blocks: "
            "layer k of a model with B blocks is held against layer k·P/B of the published model "
            "with P blocks, interpolated between two. The figures do not show the last output of "
            "the "
            "large models, so the topmost layer of ours has no counterpart."
        ),
        Bullets(
            (
                "All cells: pairs of models and of layers together.",
                "Between pairs of models: the medians of the blocks of the matrix. p is exact over "
                "the orders of the models; with four models it cannot be below 1/24.",
                "Within pairs of models: the layers of each block, averaged over blocks. p is from "
                "permutations of the layers of each model.",
                "Beyond nearness in depth: the same with nearness in depth partialled out. In any "
                "deep network layers of about equal depth are alike.",
                "Depth profile: the mean score of each layer with all other models.",
            )
        ),
        Table(
            pd.DataFrame(rows),
            "ρ with its interval, in published settings: the middle 95 % of draws of each model's "
            "layers with replacement. It shows how much ρ hangs on single layers; cells are not "
            "independent, so they are not drawn. Last column: the same scores in default settings.",
        ),
        *(
            Picture(
                f"pattern-{measure}",
                pictures.svg(pictures.pattern(cells[measure], _title(measure))),
                f"{_title(measure)}: all pairs of layers here, the same in the paper, and both "
                f"against each other; ρ {_number(patterns.of_all(cells[measure]))} over all "
                "cells. Each matrix has colours from its own lowest to its own highest value.",
            )
            for measure in measures
        ),
        *_fine_tuning(run, measures),
    ]


def _fine_tuning(run: Repeated, measures: Sequence[str]) -> list[Block]:
    table = patterns.retained(run.comparisons["published"], run.roles, measures)
    if table.empty:
        return []
    found = patterns.retained_agreement(table).reset_index()
    shown = pd.DataFrame(
        {
            "measure": found["measure"].map(_title),
            "model": found["model"],
            "layers": found["layers"],
            "ρ over depth": found["rho"].map(_number),
            "p": found["p"].map(_p),
        }
    )
    return [
        Heading("What fine-tuning retains, by depth", 3),
        Text(
            "Each layer of a pretrained model against the same layer after fine-tuning. ρ over "
            "layers between the profile here and the published one; p from orders of the layers, "
            "which would be equally likely if the profiles were unrelated. Any two profiles that "
            "fall agree, so a ρ near 1 shows no more than a fall towards the top."
        ),
        Table(shown, "Rank correlation of what each layer retains."),
        Picture(
            "retained",
            pictures.svg(pictures.retained(table, {each: _title(each) for each in measures})),
            "What fine-tuning retains of each layer: solid here, dotted in the paper.",
        ),
    ]


def _findings(run: Repeated) -> list[Block]:
    judged = findings.judge(run.study, run.comparisons)
    table = pd.DataFrame(
        {
            "finding of the paper": [each.finding.says for each in judged],
            "verdict": [each.verdict for each in judged],
        }
    )
    parts: list[Block] = [
        Heading("What the paper could not say"),
        Text(
            "The paper gives no intervals, floors or held-out scores. Each finding is tested "
            "twice: "
            "by the paper's own measure in published settings, and by measures that are held out "
            "or "
            "read against a floor. A claim is supported if its 95 % interval lies above 0."
        ),
        Bullets(tuple(f"{name}: {meaning}." for name, meaning in findings.MEANINGS.items())),
        Table(table, "What becomes of each finding with these models."),
    ]
    for each in judged:
        parts += [
            Heading(f"{each.finding.says}: {each.verdict}", 3),
            Bullets(
                (
                    _sentence("As published", each.published),
                    *(_sentence("Stricter", result) for result in each.stricter),
                    *(_sentence("Besides", result) for result in each.besides),
                )
            ),
        ]
    return [*parts, *_scales(run)]


def _scales(run: Repeated) -> list[Block]:
    table = findings.scales(run.comparisons["default"], SCALED)
    text = table.apply(lambda row: _interval(row["mean"], row["low"], row["high"]), axis=1)
    wide = text.unstack("kind", fill_value="–")
    order = list(dict.fromkeys(table.index.get_level_values("kind")))
    wide = wide.loc[[each for each in SCALED if each in wide.index], order].reset_index()
    wide["measure"] = wide["measure"].map(_title)
    return [
        Heading("On what scale", 3),
        Text(
            "Means over pairs of layers, each pair of models weighted equally, with 95 % "
            "intervals. "
            "The localisation index is 0 if models share a space in unrelated bases, and 1 if one "
            "neuron predicts all that the other layer does."
        ),
        Table(wide, "Scores of pretrained models between floors and ceiling."),
    ]


def own_question(spectrum: xr.Dataset, which: pd.DataFrame) -> list[Block]:
    """Write the question of our own: what is left with the spectrum partialled out.

    Parameters
    ----------
    spectrum, which
        Scores and pairs, as for `assonance.report.study.beyond.test`.
    """
    found = beyond.test(spectrum, which)
    table = pd.DataFrame(
        {
            "hypothesis": [each.hypothesis.says for each in found],
            "contrast": [each.hypothesis.words for each in found],
            "estimate": [_interval(each.estimate, each.low, each.high) for each in found],
            "p": [_p(each.p) for each in found],
            "verdict": [each.verdict for each in found],
        }
    )
    return [
        Heading("A question of our own: is it more than the spectrum?"),
        Text(
            "Two layers can predict each other because both carry the spectrum of the speech that "
            "they were computed from. How much of LinReg is left if log-mel is partialled out of "
            "both? The hypotheses and their tests were committed before any score was computed "
            "(`assonance.report.study.beyond`)."
        ),
        Text(
            "Of the variance of a layer's neurons that log-mel leaves unexplained, the partial R² "
            "is "
            "the share that the other layer explains, on held-out speech: "
            "(R² of layer and spectrum together − R² of the spectrum)/(1 − R² of the spectrum). "
            "The spectrum of a frame has 80 log-mel bands of that frame and of those 80 ms before "
            "and after. Layers of one number are compared, of pretrained models of one size. What "
            "is nonlinear in log-mel is not partialled out."
        ),
        Table(table, "The hypotheses, with 95 % intervals by a jackknife over groups of speech."),
        Picture(
            "beyond-spectrum",
            pictures.svg(pictures.beyond(beyond.by_depth(spectrum, which))),
            "Held-out R² between layers of one number (dotted), and with the spectrum partialled "
            "out (solid): of the other objective, of its random weights, and of a second seed.",
        ),
    ]


def _methods() -> list[Block]:
    return [
        Heading("Where the numbers come from"),
        Text(
            "The folder of the run holds `published/` and `default/`, each with `results.nc`, "
            "tables "
            "and its own report, and `beyond_spectrum.nc`. `study.yaml` is the study as it was "
            "run. "
            f"Published values: {published.figures().attrs['source']}. "
            f"{published.figures().attrs['how']}"
        ),
    ]


def _sentence(kind: str, result: ClaimResult) -> str:
    return f"{kind}. {result.sentence()}"


def _measured(run: Repeated, measure: str) -> bool:
    return all(measure in each.scores for each in run.comparisons.values())


def _title(measure: str) -> str:
    return MEASURES[measure].title if measure in MEASURES else measure.capitalize()


def _interval(value: float, low: float, high: float) -> str:
    if not np.isfinite(low):
        return _number(value)
    return f"{_number(value)} [{_number(low)}, {_number(high)}]"


def _number(value: float) -> str:
    rounded = round(value, 2) + 0.0  # −0.00 becomes 0.00
    return f"{rounded:.2f}".replace("-", "−") if np.isfinite(value) else "–"


def _p(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"
