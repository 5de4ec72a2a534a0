"""Write the manual's page of formulas, and draw the picture of each measure.

    python docs/formulas.py          # the page
    python docs/formulas.py --draw   # and its pictures, from seeded synthetic data

Titles, sources and what a measure is blind to come from the declarations; the formulas are here.
"""

import io
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import assonance
from assonance.measures import MEASURES
from assonance.measures.names import LEVELS
from assonance.plots.curves import STYLES, ruled
from assonance.settings import find_settings

HERE = Path(__file__).parent
PAGE = HERE / "manual" / "formulas.md"
PICTURES = HERE / "images" / "measures"
Array = NDArray[np.float64]

HEAD = """# Formulas

<!-- Written by `python docs/formulas.py --draw`. -->

$X$ and $Y$ are the frames (rows) of a row layer with $D$ neurons and of a column layer; both are
centred. $x_i$ is a neuron of $X$, and $r_{ij}$ its Pearson correlation with neuron $j$ of $Y$.
$S_{xy} = X^\\top Y/n$, and so on; $R_{xy}$ is the same of standardised neurons. $\\lVert\\cdot\\rVert$ is
the Frobenius norm and $\\lVert\\cdot\\rVert{}_*$ the sum of singular values. A superscript $(-f)$ marks what
was fitted without fold $f$.

**The pictures** are all made in one way, from synthetic data of known truth. Across is the share of
variance that each neuron of $Y$ has in common with its counterpart in $X$: from 0, unrelated layers, to
1, equal ones. The three lines differ in what is done to $Y$ then: nothing (*same neurons*), a random
rotation, or an invertible linear map. So:

- A measure is blind to rotations or linear maps where its lines coincide.
- The height of the lines on the left is what it gives unrelated layers. Frames are dependent, as in
  speech, and there are 16 neurons and 1000 frames.

[Choosing a measure](../measures.md) has ranges and intervals."""

HEADS = """Two heads have maps $A$ and $B$ of $T$ queries (rows) and $T$ keys, with rows $a_t$ and
$b_t$. A layer's score is the best match of each row head among the column heads, averaged over row heads.

**In the pictures** $B$ goes from a map unrelated to $A$ to $A$ itself, for heads that attend to few keys
(*sharp*) or to many (*broad*), and for a sharp $B$ whose keys are put in another order."""

TITLES = {"neuron": "Neurons", "layer": "Layers", "head": "Attention heads"}

HELD_OUT = r"\frac1D\sum_i\Big(1-\frac{\sum_f\sum_{t\in f}(x_{ti}-\hat x_{ti}^{(-f)})^2}"
HELD_OUT += r"{\sum_f\sum_{t\in f}(x_{ti}-\bar x_i^{(-f)})^2}\Big)"
# Each a formula, and what its letters are.
FORMULAS: Mapping[str, tuple[str, str]] = {
    "maxcorr": (r"\frac1D\sum_i\max_j|r_{ij}|", ""),
    "mincorr": (
        r"\frac1D\sum_i\min_Y\max_{j\in Y}|r_{ij}|",
        "The minimum is over the other layers that the row layer is compared with; in the picture, two.",
    ),
    "maxcorr_heldout": (
        r"\frac1D\sum_i\operatorname{corr}\big(x_{ti},\ \sigma_i^{(-f)}\,y_{t\,m_i^{(-f)}}\big),"
        r"\quad m_i^{(-f)}=\operatorname{argmax}_j|r_{ij}^{(-f)}|",
        "The correlation is over the frames $t$ of all folds, each fold $f$ with the match $m_i$ and the "
        "sign $\\sigma_i$ that all other folds chose.",
    ),
    "maxcorr_rotated": (
        r"\frac1K\sum_k\frac1D\sum_i\max_j\big|\operatorname{corr}(x_i,(\tilde YQ_k)_j)\big|",
        "$\\tilde Y$ is standardised, and the $Q_k$ are $K$ random orthogonal matrices "
        f"({find_settings('default').rotations} by default).",
    ),
    "one_to_one": (
        r"\frac1D\max_\pi\sum_i|r_{i\,\pi(i)}|",
        "$\\pi$ gives each neuron a partner of its own; $D$ is the width of the narrower layer.",
    ),
    "soft_matching": (
        r"\max_P\sum_{ij}P_{ij}\,|r_{ij}|",
        "$P\\ge0$ has rows that sum to $1/D$ and columns that sum to one over the width of $Y$.",
    ),
    "linreg": (
        r"\frac1D\sum_i r_i,\quad r_i^2=s_i^\top S_{yy}^{-1}s_i\,/\,S_{x_ix_i}",
        "$s_i$ are the covariances of neuron $i$ with $Y$.",
    ),
    "linreg_r2": (r"\frac1D\sum_i r_i^2", "$r_i$ is that of `linreg`."),
    "linreg_heldout": (
        HELD_OUT,
        "$\\hat x^{(-f)}$ is the least-squares prediction from $Y$, and $\\bar x^{(-f)}$ the mean.",
    ),
    "linreg_heldout_r": (
        r"\frac1D\sum_i\frac{\sum(x-\bar x)(\hat x-\bar x)}"
        r"{\sqrt{\sum(x-\bar x)^2\ \sum(\hat x-\bar x)^2}}",
        "The sums are those of `linreg_heldout`.",
    ),
    "ridge_heldout": (
        HELD_OUT,
        "$\\hat x=\\bar x+\\tilde y^\\top\\beta$, where $\\beta$ minimises "
        "$\\lVert x-\\bar x-\\tilde Y\\beta\\rVert{}^2+\\lambda\\lVert\\beta\\rVert{}^2$ without fold $f$, and "
        "$\\lambda$ is the best of 23 by cross-validation within the training folds.",
    ),
    "cca_mean": (
        r"\frac1K\sum_k\rho_k,\quad S_{xx}^{-1/2}S_{xy}S_{yy}^{-1/2}=U\operatorname{diag}(\rho)V^\top",
        "$K$ is the lower of the two ranks.",
    ),
    "cca_r2": (r"\frac1K\sum_k\rho_k^2", "$\\rho_k$ are those of `cca_mean`."),
    "svcca": (
        r"\frac1K\sum_k\rho_k",
        "$\\rho_k$ are canonical correlations of the leading principal directions of both standardised "
        "layers: those that hold 99 % of the variance.",
    ),
    "pwcca": (
        r"\sum_kw_k\rho_k\Big/\sum_kw_k,\quad w_k=\sum_i|h_k^\top x_i|",
        "$h_k$ is the $k$-th canonical direction of `svcca` in $X$, and $x_i$ is not standardised.",
    ),
    "pwcca_mean": (
        r"\tfrac12\big(\text{pwcca}(X,Y)+\text{pwcca}(Y,X)\big)",
        "",
    ),
    "cca_heldout": (
        r"\frac1K\sum_k\operatorname{corr}\big(Xa_k^{(-f)},\ Yb_k^{(-f)}\big)",
        "$a_k$ and $b_k$ are the canonical directions of `svcca` without fold $f$; the correlation is "
        "over the frames of all folds, each with its own directions.",
    ),
    "cka": (
        r"\frac{\lVert Y^\top X\rVert{}^2}{\lVert X^\top X\rVert\,\lVert Y^\top Y\rVert}",
        "",
    ),
    "cka_standardized": (
        r"\frac{\lVert R_{xy}\rVert{}^2}{\lVert R_{xx}\rVert\,\lVert R_{yy}\rVert}",
        "",
    ),
    "cka_debiased": (
        r"\frac{H(K,L)}{\sqrt{H(K,K)\,H(L,L)}},\quad "
        r"H(K,L)=\left\langle  K_{ab}L_{ab}+K_{ab}L_{cd}-2K_{ab}L_{ac}\right\rangle",
        "$K=XX^\\top$ and $L=YY^\\top$; the mean is over all choices of four distinct frames "
        "$a, b, c, d$.",
    ),
    "cka_utterance": (
        r"\frac{H(K,L)}{\sqrt{H(K,K)\,H(L,L)}}",
        "As `cka_debiased`, with the mean over four frames of four distinct *utterances*.",
    ),
    "cka_rbf": (
        r"\frac{\langle\bar K,\bar L\rangle}{\lVert\bar K\rVert\,\lVert\bar L\rVert},\quad "
        r"K_{ab}=\exp\!\Big(-\frac{\lVert x_a-x_b\rVert{}^2}{2\,\operatorname{median}\lVert x_c-x_d\rVert{}^2}"
        r"\Big)",
        "$\\bar K$ is centred in rows and columns; $L$ is the same of $Y$. On a sample of frames, as are "
        "the next three.",
    ),
    "rsa": (
        r"\operatorname{corr}\big(\operatorname{rank}\lVert x_a-x_b\rVert,\ "
        r"\operatorname{rank}\lVert y_a-y_b\rVert\big)",
        "Over all pairs of frames $a, b$.",
    ),
    "mutual_knn": (
        r"\frac1n\sum_a\frac{|N_x(a)\cap N_y(a)|}{k}",
        "$N_x(a)$ are the $k=10$ frames that are nearest to frame $a$ in $X$.",
    ),
    "distance_correlation": (
        r"\sqrt{\frac{\langle A,B\rangle}{\lVert A\rVert\,\lVert B\rVert}}",
        "$A_{ab}=\\lVert x_a-x_b\\rVert$, centred in rows and columns; $B$ is the same of $Y$.",
    ),
    "procrustes": (
        r"1-\frac{\min_Q\lVert X-YQ\rVert{}^2}{\lVert X\rVert{}^2+\lVert Y\rVert{}^2}"
        r"=\frac{2\lVert X^\top Y\rVert{}_*}{\lVert X\rVert{}^2+\lVert Y\rVert{}^2}",
        "$Q$ is orthogonal.",
    ),
    "bures": (r"\frac{\lVert X^\top Y\rVert{}_*}{\lVert X\rVert\,\lVert Y\rVert}", ""),
    "angular_procrustes": (
        r"1-\frac2\pi\arccos\frac{\lVert X^\top Y\rVert{}_*}{\lVert X\rVert\,\lVert Y\rVert}",
        "",
    ),
    "attn_frobenius": (
        r"1-\left\langle \lVert A-B\rVert\right\rangle",
        "The mean is over utterances.",
    ),
    "attn_frobenius_normalized": (
        r"1-\left\langle \lVert A-B\rVert/\sqrt{2T}\right\rangle",
        "The mean is over utterances.",
    ),
    "attn_pearson": (
        r"\left\langle \tfrac{T-1}{T}\operatorname{corr}(a_t,b_t)\right\rangle",
        "The mean is over all queries $t$ of all utterances. The factor is that of the published code.",
    ),
    "attn_pearson_centered": (
        r"\left\langle \operatorname{corr}(a_t,b_t)\right\rangle",
        "The mean is over all queries $t$ of all utterances.",
    ),
    "attn_js": (
        r"1-\left\langle \operatorname{JS}(a_t,b_t)\right\rangle,\quad "
        r"\operatorname{JS}(a,b)=\tfrac12\sum_k a_k\ln\frac{2a_k}{a_k+b_k}"
        r"+\tfrac12\sum_k b_k\ln\frac{2b_k}{a_k+b_k}",
        "The mean is over queries $t$.",
    ),
    "attn_js_bits": (
        r"1-\left\langle \operatorname{JS}(a_t,b_t)\right\rangle/\ln2",
        "$\\operatorname{JS}$ is that of `attn_js`.",
    ),
    "attn_cka": (
        r"\left\langle \frac{\lVert B^\top A\rVert{}^2}{\lVert A^\top A\rVert\,\lVert B^\top B\rVert}"
        r"\right\rangle",
        "Columns of $A$ and $B$ are centred; the mean is over utterances.",
    ),
}

UTTERANCES, FRAMES, NEURONS = 40, 25, 16
SHARED = np.linspace(0, 1, 11)
QUERIES, MAPS = 40, 6


def page() -> str:
    """Return the page."""
    blind = runpy.run_path(str(HERE / "measures.py"))["blind"]
    parts = [HEAD]
    for level, title in TITLES.items():
        parts += [f"## {title}", *([HEADS] if level == "head" else [])]
        for name in [each for each, of in LEVELS.items() if of == level]:
            measure, (formula, letters) = MEASURES[name], FORMULAS[name]
            unseen = blind(measure) if level != "head" else ""
            parts += [
                f"### {measure.title}: `{name}`",
                f"{measure.summary}.",
                f"$${formula}$$",
                *([letters] if letters else []),
                f"*Source:* {measure.source}." + (f" *Blind to:* {unseen}." if unseen else ""),
                f"![{measure.title} by the share that two layers have in common](../images/measures/{name}.png)",
            ]
    return "\n\n".join(parts) + "\n"


def layers() -> Iterator[tuple[float, dict[str, dict[str, Array]]]]:
    """Yield, for each share of variance, the layers of the three lines.

    Their truth is known: Y is X with as much of it replaced by other, equally slow signals.
    """
    rng = np.random.default_rng(0)
    size = UTTERANCES, FRAMES, NEURONS
    strength = np.geomspace(2, 0.5, NEURONS)
    signal, *others = (_slow(rng, size).reshape(-1, NEURONS) for _ in range(3))
    rotation = np.linalg.qr(rng.normal(size=(NEURONS, NEURONS)))[0]
    left, _, right = np.linalg.svd(rng.normal(size=(NEURONS, NEURONS)))
    maps = {
        "same neurons": np.eye(NEURONS),
        "rotated": rotation,
        "linear map": left * np.geomspace(3, 0.3, NEURONS) @ right,
    }
    for share in SHARED:
        mixed = [
            (np.sqrt(share) * signal + np.sqrt(1 - share) * other) * strength for other in others
        ]
        yield (
            share,
            {
                words: {"x": signal * strength, "y": mixed[0] @ each, "z": mixed[1] @ each}
                for words, each in maps.items()
            },
        )


def _slow(rng: np.random.Generator, size: tuple[int, int, int]) -> Array:
    """Draw signals of unit variance in which each frame is .8 of the one before."""
    values = rng.normal(size=size)
    for frame in range(1, size[1]):
        values[:, frame] = 0.8 * values[:, frame - 1] + 0.6 * values[:, frame]
    return values


def maps() -> Iterator[tuple[float, dict[str, dict[str, list[Array]]]]]:
    """Yield, for each share, the attention maps of the three lines."""
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, MAPS, 1, QUERIES, QUERIES))
    order = rng.permutation(QUERIES)
    for share in SHARED:
        lines = {}
        for words, sharpness in (("sharp", 3.0), ("broad", 0.5)):
            a, unrelated = (_softmax(sharpness * each) for each in (one, other))
            b = share * a + (1 - share) * unrelated
            lines[words] = {"x": list(a), "y": list(b)}
        x, y = lines["sharp"].values()
        lines["sharp, keys reordered"] = {"x": x, "y": [each[..., order] for each in y]}
        yield share, lines


def _softmax(values: Array) -> Array:
    weights = np.exp(values)
    attention: Array = weights / weights.sum(-1, keepdims=True)
    return attention


def curves() -> dict[str, dict[str, list[float]]]:
    """Compute the score of every measure at every share, by line."""
    heads = [name for name, level in LEVELS.items() if level == "head"]
    frames = [name for name in LEVELS if name not in heads]
    groups = np.repeat(np.arange(UTTERANCES), FRAMES)
    found: dict[str, dict[str, list[float]]] = {name: {} for name in LEVELS}

    def add(names: list[str], words: str, score: Callable[[str], float]) -> None:
        for name in names:
            found[name].setdefault(words, []).append(score(name))

    for _, lines in layers():
        for words, given in lines.items():
            scores = assonance.similarity_matrix(given, frames, groups=groups).sel(layer_row="x")
            add(frames, words, lambda name, of=scores: float(of[name].sel(layer_col="y"))
                if "layer_col" in of[name].dims else float(of[name]))  # fmt: skip
    for _, drawn in maps():
        for words, given_maps in drawn.items():
            scores = assonance.head_similarity_matrix(given_maps, heads)
            cell = scores.sel(layer_row="x", layer_col="y")
            add(heads, words, lambda name, of=cell: float(of[name]))
    return found


def draw() -> None:
    """Draw the picture of each measure."""
    from PIL import Image

    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, lines in curves().items():
        figure = Figure(figsize=(3.4, 2.3), layout="constrained")
        axes = figure.subplots()
        for (words, scores), (color, marker) in zip(lines.items(), STYLES, strict=False):
            axes.plot(SHARED, scores, color=color, marker=marker, ms=3.5, lw=1.3, label=words)
        axes.set_xlabel("share in common", size=8)
        axes.set_ylabel(MEASURES[name].title, size=8)
        low = min(min(each) for each in lines.values())
        axes.set_ylim(min(0, low) - 0.04, 1.04)
        axes.tick_params(labelsize=7)
        axes.legend(fontsize=7, frameon=False)
        ruled(axes)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=170)
        image = Image.open(file).convert("RGB").quantize(48)
        image.save(PICTURES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    if "--draw" in sys.argv:
        draw()
    print(PAGE)
