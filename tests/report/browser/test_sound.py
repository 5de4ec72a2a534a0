"""Moments of a neuron can be seen and heard, by mouse and keyboard, and nothing is fetched."""

import itertools

import numpy as np
import pytest
from browser import boxes, opened

VIEW = "#m=cka&a=hubert-a.2&b=wav2vec2-b.1&n=5"
# Keeps what is played: offset and duration, and the samples from there on.
LISTEN = """() => {
    window.heard = [];
    const start = AudioBufferSourceNode.prototype.start;
    AudioBufferSourceNode.prototype.start = function (when, offset, seconds) {
        const rate = this.buffer.sampleRate;
        const all = this.buffer.getChannelData(0);
        const samples = all.slice(offset * rate, (offset + seconds) * rate);
        window.heard.push({ offset, seconds, rate, samples: [...samples] });
        return start.call(this, when, offset, seconds);
    };
}"""


def said(page, selector, words):
    expect = pytest.importorskip("playwright.sync_api").expect
    expect(page.locator(selector)).to_have_text(words)


def pitch_of(heard):
    samples = np.array(heard["samples"])
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.fft.rfftfreq(len(samples), 1 / heard["rate"])[spectrum.argmax()]


def test_each_clip_is_decoded_and_plays_its_own_stretch(browser, sounding, tones):
    clips = tones.clips["hubert-a", "encoder.2", 5]
    with opened(browser, sounding, VIEW) as it:
        page = it.page
        page.evaluate(LISTEN)
        for k, (clip, pitch) in enumerate(zip(clips, (400, 800, 1600), strict=True)):
            page.locator(".clips button").nth(k).click()
            said(page, "#said", f"playing {clip.moment.utterance} at 0.50 s")
            heard = page.evaluate("window.heard.at(-1)")
            assert heard["offset"] == pytest.approx(clip.start, abs=1e-3)
            assert heard["seconds"] == pytest.approx(clip.seconds, abs=1e-3)
            assert pitch_of(heard) == pytest.approx(pitch, abs=5)
        assert it.requests == []
        assert it.messages == []


def test_a_clip_ends_by_itself_and_stops_when_another_or_its_own_button_is_pressed(
    browser, sounding
):
    with opened(browser, sounding, VIEW) as it:
        buttons = it.page.locator(".clips button")
        buttons.nth(0).click()
        said(it.page, ".clips li:nth-child(1) button", "■")
        buttons.nth(1).click()
        said(it.page, ".clips li:nth-child(1) button", "▶")
        said(it.page, ".clips li:nth-child(2) button", "■")
        said(it.page, ".clips li:nth-child(2) button", "▶")
        buttons.nth(2).click()
        said(it.page, ".clips li:nth-child(3) button", "■")
        buttons.nth(2).click()
        said(it.page, ".clips li:nth-child(3) button", "▶")


def test_clips_are_played_by_keyboard(browser, sounding):
    with opened(browser, sounding, VIEW) as it:
        page = it.page
        page.locator("#neuron-card .tools button").last.focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        said(page, "#said", "playing low at 0.50 s")
        assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("stop")
        page.keyboard.press("Tab")
        page.keyboard.press(" ")
        said(page, "#said", "playing middle at 0.50 s")


def test_the_card_shows_moments_words_and_the_licence(browser, sounding):
    with opened(browser, sounding, VIEW) as it:
        page = it.page
        text = page.inner_text("#neuron-card")
        assert "middle at 0.50 s, 4.25 SD above its mean" in text
        assert "a middle tone" in text
        assert "Licence: CC BY 4.0." in text
        assert "4.0.." not in text
        assert page.locator(".clips svg path.curve").count() == 3
        page.click("#neuron-list [data-key=all]")
        page.click("#neuron-list [data-key=neuron-7]")
        assert (
            page.locator(".clips button").first.get_attribute("aria-label").startswith("play high")
        )
        page.click("#neuron-list [data-key=neuron-6]")
        assert "The page has no moments of this neuron" in page.inner_text("#neuron-card")


@pytest.mark.parametrize("width", [360, 1280, 1920])
def test_clips_are_not_cut_and_do_not_overlap(browser, sounding, width):
    with opened(browser, sounding, VIEW, width=width) as it:
        assert it.page.evaluate("document.documentElement.scrollWidth") <= width
        for part in ("button", "svg", "span"):
            for box in boxes(it.page, f".clips {part}"):
                assert box["left"] >= 0
                assert box["right"] <= width
        rows = boxes(it.page, ".clips li")
        assert len(rows) == 3
        assert all(one["bottom"] <= two["top"] for one, two in itertools.pairwise(rows))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_a_page_with_sound(browser, sounding, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with opened(browser, sounding, VIEW, scheme=scheme) as it:
        assert axe.run(it.page).response["violations"] == []


def test_a_page_without_sound_shows_no_moments(browser, report):
    with opened(browser, report, VIEW) as it:
        assert it.page.locator(".clips").count() == 0
        assert it.page.locator("#stream").count() == 0
