"""One browser and one small page for all tests of the page's scripts."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
from browser import CHROMIUM
from comparisons import comparison

from assonance.comparison.moments import OFFSETS, Clip, Moment, Sound
from assonance.corpus import Corpus
from assonance.corpus.clips import RATE, make_sprite
from assonance.report.page import render

MEASURES = (
    *("cka", "svcca", "linreg", "linreg_heldout", "linreg_heldout_r"),
    *("maxcorr", "maxcorr_rotated", "localisation", "attn_js", "attn_pearson"),
)


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="session")
def found():
    """Models of two kinds, a second seed and one that was fine-tuned."""
    names = ("hubert-a", "hubert-a2", "hubert-tuned", "wav2vec2-b")
    made = comparison(names, (4, 4, 4, 3), MEASURES, baseline=True, notes=("A caveat.",))
    about = {"hubert-a2": {"seed_of": "hubert-a"}, "hubert-tuned": {"tuned_from": "hubert-a"}}
    models = [
        replace(each, **about.get(each.name, {"objective": "contrastive"}))
        if each.name in names
        else each
        for each in made.provenance.models
    ]
    return replace(made, provenance=replace(made.provenance, models=tuple(models)))


@pytest.fixture(scope="session")
def report(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(found, ("They share a space.",)), "utf-8")
    return path


@pytest.fixture(scope="session")
def little(tmp_path_factory):
    """A page with every kind of table, each of them small."""
    measures = ("cka", "linreg", "linreg_heldout_r", "maxcorr", "mincorr", "attn_js")
    made = comparison(("before", "after"), (2, 2), measures, twins=False)
    models = [replace(each, fine_tuned=each.name == "after") for each in made.provenance.models]
    made = replace(made, provenance=replace(made.provenance, models=tuple(models)))
    path = tmp_path_factory.mktemp("little") / "report.html"
    path.write_text(render(made, ("They share a space.",)), "utf-8")
    return path


TONES = {"low": 400, "middle": 800, "high": 1600}


@pytest.fixture(scope="session")
def tones(tmp_path_factory):
    """Clips of two neurons, each of another tone, so that one hears which it is."""
    folder = tmp_path_factory.mktemp("tones")
    for name, pitch in TONES.items():
        samples = np.sin(2 * np.pi * pitch * np.arange(RATE) / RATE)
        soundfile.write(folder / f"{name}.wav", samples / 2, RATE)
    speech = {each.id: each for each in Corpus.from_path(folder)}
    sprite = make_sprite((speech[name], 0.0, 1.0) for name in TONES)
    clips = tuple(
        Clip(
            Moment(name, 0.5, 4.25, f"a {name} tone"),
            start + 0.1,
            0.8,
            0.4,
            {"": np.cos(OFFSETS), "wav2vec2-b": np.where(OFFSETS < 0.4, np.sin(OFFSETS), np.nan)},
        )
        for name, start in zip(TONES, sprite.starts, strict=True)
    )
    heard = {("hubert-a", "encoder.2", 5): clips, ("hubert-a", "encoder.2", 7): clips[::-1]}
    return Sound(sprite.content, sprite.seconds, "CC BY 4.0.", heard, False)


@pytest.fixture(scope="session")
def sounding(found, tones, tmp_path_factory):
    """A page with sound."""
    path = tmp_path_factory.mktemp("sounding") / "report.html"
    path.write_text(render(found, ("They share a space.",), sound=tones), "utf-8")
    return path
