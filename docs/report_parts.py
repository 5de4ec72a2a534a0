"""Picture the report with a number at each of its parts: `make pictures`.

    python docs/report_parts.py runs/demo/report.html

The manual's start page names the parts by these numbers. Needs Chromium.
"""

import io
import shutil
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "images"

# Each picture: its name, where it begins and ends, and its parts. Numbers go on from one picture to
# the next.
PICTURES = (
    (
        "report-top",
        ("header", ".pair:has(#matrix)"),
        (
            "label:has(#measure)",
            "label:has(#row)",
            "#scale",
            "label:has(#find)",
            ".downloads",
            ".verdict",
            ".number:first-child",
            "#matrix-plot",
            "#curve-plot",
            "#sets-plot",
        ),
    ),
    (
        "report-middle",
        (".pair:has(#neurons)", ".pair:has(#neurons)"),
        ("#neurons-plot", "#neuron-card", "#neuron-list"),
    ),
    (
        "report-heads",
        ("#heads", "#trust"),
        ("#heads-plot", "#head-card", "#head-maps", "#trust-plot"),
    ),
    ("report-end", ("#caveats", "#tables"), ("#caveats", "#findings", "#run", "#tables")),
)
WIDTH, MARGIN = 1160, 8
VIEW = "#h=9"  # a head that does not attend evenly
LONGEST = 2000  # the list of tables goes on
COLOURS = 128

MARK = """([selectors, first]) => selectors.forEach((selector, place) => {
    const { left, top } = document.querySelector(selector).getBoundingClientRect();
    const mark = document.body.appendChild(document.createElement("div"));
    mark.textContent = first + place;
    mark.className = "mark";
    mark.style.cssText = `position: absolute; z-index: 99; width: 22px; height: 22px;
        border-radius: 11px; background: #b3124f; color: #fff; border: 2px solid #fff;
        font: bold 13px/22px sans-serif; text-align: center;
        left: ${Math.max(left - 19, 1)}px; top: ${Math.max(top + scrollY - 12, 1)}px`;
})"""


def draw(page: Any, first: int, ends: tuple[str, str], parts: tuple[str, ...]) -> bytes:
    """Mark the parts between two elements, and return a picture of them."""
    page.evaluate(MARK, [list(parts), first])
    top, bottom = (
        page.evaluate("(s) => document.querySelector(s).getBoundingClientRect().toJSON()", each)
        for each in ends
    )
    start = max(top["top"] - MARGIN, 0)
    height = min(bottom["bottom"] + MARGIN - start, LONGEST)
    clip = {"x": 0, "y": start, "width": WIDTH, "height": height}
    picture: bytes = page.screenshot(clip=clip, full_page=True)
    page.evaluate("document.querySelectorAll('.mark').forEach((each) => each.remove())")
    return picture


def main(report: str) -> None:
    """Draw all pictures of a report."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or sys.exit("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
        page.goto(Path(report).resolve().as_uri() + VIEW)
        page.wait_for_selector("html[data-ready]", state="attached")
        first = 1
        for name, ends, parts in PICTURES:
            image = Image.open(io.BytesIO(draw(page, first, ends, parts)))
            image.convert("RGB").quantize(COLOURS, kmeans=1).save(
                HERE / f"{name}.png", optimize=True
            )
            first += len(parts)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
