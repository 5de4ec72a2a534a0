"""Open a page in Chromium, with every request and every message of its console kept."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass
class Opened:
    """A page in the browser: what it asked for, and what it said."""

    page: Any
    requests: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


@contextmanager
def opened(
    browser: Any,
    path: Path,
    view: str = "",
    *,
    width: int = 1280,
    height: int = 800,
    scheme: str = "light",
    script: bool = True,
) -> Iterator[Opened]:
    """Open a file; requests to anywhere else are counted and refused."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        java_script_enabled=script,
        accept_downloads=True,
    )
    page = context.new_page()
    found = Opened(page)
    page.on("console", lambda message: found.messages.append(message.text))
    page.on("pageerror", lambda error: found.messages.append(str(error)))
    page.on("dialog", lambda dialog: (found.messages.append(dialog.message), dialog.dismiss()))

    def answer(route: Any) -> None:
        if route.request.url.startswith(path.as_uri()):
            route.continue_()
        else:
            found.requests.append(route.request.url)
            route.abort()

    context.route("**/*", answer)
    page.goto(f"{path.as_uri()}{view}")
    if script:
        page.wait_for_selector("html[data-ready]", state="attached", timeout=20_000)
    try:
        yield found
    finally:
        context.close()


def boxes(page: Any, selector: str) -> list[dict[str, float]]:
    """Return left, top, right, bottom and text of the visible elements that a selector finds."""
    found: list[dict[str, float]] = page.evaluate(
        """(selector) => [...document.querySelectorAll(selector)].map((node) => {
            const { left, top, right, bottom } = node.getBoundingClientRect();
            const text = node.id || node.textContent.slice(0, 40);
            return { left, top: top + scrollY, right, bottom: bottom + scrollY, text };
        }).filter(({ left, right, top, bottom }) => right > left && bottom > top)""",
        selector,
    )
    return found
