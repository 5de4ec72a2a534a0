"""Write `docs/measures.md`: which measure fits a question, and what each is blind to.

    python docs/measures.py

The tables come from the declarations of the measures, which the tests hold to the measures
themselves.
"""

from pathlib import Path

from assonance.measures import MEASURES, Measure
from assonance.measures.names import LEVELS
from assonance.measures.roles import STANDARD

PAGE = Path(__file__).with_name("measures.md")

# What a transformation of one layer is in words, by its name in the declarations.
BLIND = {
    "translation": "means",
    "scale": "a common scale",
    "neuron scale": "the scale of each neuron",
    "neuron sign": "signs of neurons",
    "permutation": "order of neurons",
    "orthogonal": "rotations",
    "linear": "invertible linear maps",
    "column linear": "linear maps of the column layer",
}
# What goes without saying beside another.
IMPLIED = {
    "linear": {
        "column linear",
        "orthogonal",
        "neuron scale",
        "scale",
        "neuron sign",
        "permutation",
    },
    "orthogonal": {"neuron sign", "permutation"},
    "neuron scale": {"scale"},
}
TITLES = {"neuron": "Neurons", "layer": "Layers", "head": "Attention heads"}
HEAD = """# Choosing a measure

<!-- Written by `python docs/measures.py` from the declarations of the measures. -->

A measure answers one question and is blind to the rest. What it is blind to decides which one fits:
a measure that ignores rotations cannot find shared neurons, and one that ignores all linear maps calls
two layers the same if each can be computed from the other.

| question | measure | read it against |
|---|---|---|
| Does one layer contain what the other does? | `linreg_heldout` | random twins, log-mel, a second seed |
| Do two layers arrange frames in the same way? | `cka_utterance`, `cka` | random twins; `cka_standardized` if few neurons dominate |
| Do they share directions, whatever their strength? | `svcca`, `pwcca`; held out: `cca_heldout` | more frames than neurons |
| Do they share single neurons? | `maxcorr`; held out: `maxcorr_heldout` | `maxcorr_rotated`, and the localisation index |
| Which neurons does every layer have? | `mincorr` | |
| Do heads attend alike? | `attn_js`, `attn_pearson` | random weights; for `attn_pearson` also heads that attend by position alone |
| Are the nearest neighbours of a frame the same? | `mutual_knn` | the sample of frames |
| What did fine-tuning change? | `assonance diff`: `linreg_heldout` both ways, `maxcorr` | a second seed |

In-sample measures (`linreg`, `svcca`, …) grow with the width of the column layer where speech is short.
Held-out ones do not: prefer them wherever both are given.

In the tables, *directional* measures differ when row and column change places. A measure without an
interval has a kink at correlations of 0, or a bias that cannot be corrected well enough, or is of a
sample of frames. Read `linreg_heldout` in place of `cca_r2`, and `maxcorr` in place of `one_to_one` and
`soft_matching`, where an interval matters. Measures in bold are computed by default."""


def blind(measure: Measure) -> str:
    """Return what leaves a measure of neurons or layers unchanged, the most general first."""
    implied = {each for name in measure.invariances for each in IMPLIED.get(name, ())}
    named = measure.invariances - implied
    return ", ".join(words for name, words in reversed(BLIND.items()) if name in named)


def row(name: str) -> str:
    """Return the row of a measure."""
    measure = MEASURES[name]
    shown = f"**`{name}`**" if name in STANDARD else f"`{name}`"
    low, high = ("…" if end is None else f"{end:.3g}" for end in measure.range)
    held = "held out" if measure.needs == "folds" else "in sample"
    cells = [
        *(shown, measure.summary),
        *([blind(measure)] if measure.level != "head" else []),
        "symmetric" if measure.symmetric else "directional",
        f"{low} to {high}",
        *([held] if measure.level != "head" else []),
        "yes" if measure.interval else "no",
        measure.source,
    ]
    return f"| {' | '.join(each.replace('|', chr(92) + '|') for each in cells)} |"


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for level, title in TITLES.items():
        columns = ["measure", "what it is", "blind to", "direction", "range", "speech"]
        if level == "head":
            columns = ["measure", "what it is", "direction", "range"]
        columns += ["interval", "source"]
        rows = [row(name) for name, of in LEVELS.items() if of == level]
        head = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        parts.append("\n".join([f"## {title}", "", *head, *rows]))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(PAGE)
