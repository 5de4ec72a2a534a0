"""How much of what miniatures share is more than the spectrum, written down.

    python -m benchmarks.beyond_spectrum --write docs/beyond_spectrum.md

The question of our own of `assonance study elkheir2024`, alone: minutes instead of the whole study.
Hypotheses and tests are those of `assonance.report.study.beyond`, stated before any score of them.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from assonance.comparison.beyond_spectrum import MEASURE, of_models
from assonance.comparison.prepared import prepare
from assonance.comparison.request import Request
from assonance.corpus import Reading
from assonance.demo import SPEECH
from assonance.report.study import beyond, bundled_study
from assonance.report.study.document import Heading, Picture, Text, as_markdown
from assonance.report.study.page import own_question
from assonance.report.study.recipe import load_study
from assonance.settings import find_settings
from assonance.utils.progress_bars import Bars


def main() -> None:
    """Compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="where to write the page")
    parser.add_argument("--out", type=Path, default=Path("runs/elkheir2024"), help="activations")
    given = parser.parse_args()
    recipe = load_study(bundled_study("elkheir2024"))
    mini, run = recipe.sets["mini"], recipe.runs["default"]
    models = {role: name for role, name in mini.models.items() if role not in mini.tuned_from}
    request = Request(
        measures=(MEASURE,),
        settings=replace(find_settings(run.settings), groups=run.groups or 20),
        whole_twins=True,
        reading=Reading(max_hours=mini.hours),
        seeds={models[second]: models[first] for second, first in mini.seed_of.items()},
    )
    with Bars() as bars:
        prepared = prepare(list(models.values()), SPEECH, request, bars)
        which = beyond.pairs(tuple(prepared.records.values()))
        scores = of_models(prepared, beyond.ends(which), given.out, bars)
    speech = prepared.speech
    blocks = own_question(scores, which)
    title, *rest = blocks
    made = Text(
        "Made by `python -m benchmarks.beyond_spectrum --write docs/beyond_spectrum.md` from "
        "bundled "
        f"miniatures on {len(speech)} bundled utterances, {speech.seconds / 60:.1f} minutes; every "
        "number comes from that command. Intervals hold for other speech of these speakers, not "
        "for "
        "other models."
    )
    first = [Heading(each.text, 1) for each in [title] if isinstance(each, Heading)]
    text = as_markdown([*first, made, *rest], "images")
    print(text)
    if given.write:
        for each in blocks:
            if isinstance(each, Picture):
                path = given.write.parent / "images" / f"{each.name}.svg"
                path.write_text(each.svg, encoding="utf-8")
        given.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
