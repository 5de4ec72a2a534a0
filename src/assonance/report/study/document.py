"""Hold a text with tables and figures, and write it as Markdown or as one HTML page."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Heading:
    """A heading of level 1 (the title) to 3."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph; words between backticks are code."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table of text with its caption."""

    frame: pd.DataFrame
    caption: str


@dataclass(frozen=True)
class Picture:
    """A figure as SVG, with the name of its file and a caption that says what it shows."""

    name: str
    svg: str
    caption: str


Block = Heading | Text | Bullets | Table | Picture


def as_markdown(blocks: Sequence[Block], pictures: str) -> str:
    """Write blocks as Markdown.

    Parameters
    ----------
    blocks
        The text.
    pictures
        Folder of the figures, relative to the text.
    """
    return "\n\n".join(_markdown(each, pictures) for each in blocks) + "\n"


def as_html(blocks: Sequence[Block]) -> str:
    """Write blocks as one HTML page that loads nothing from outside.

    Its title is the first heading.
    """
    environment = Environment(
        autoescape=True,
        loader=PackageLoader("assonance.report.study", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    title = next(each.text for each in blocks if isinstance(each, Heading))
    page = environment.get_template("study.html.j2")
    return page.render(title=title, blocks=[_html(each) for each in blocks])


def _markdown(block: Block, pictures: str) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {text}"
        case Text(text):
            return text
        case Bullets(items):
            return "\n".join(f"- {each}" for each in items)
        case Table(frame, caption):
            head = [str(name) for name in frame.columns]
            rows = [head, ["---"] * len(head), *([str(v) for v in row] for row in frame.to_numpy())]
            lines = [
                "| " + " | ".join(each.replace("|", "\\|") for each in row) + " |" for row in rows
            ]
            return "\n".join([*lines, "", caption])
        case Picture(name, _, caption):
            return f"![{caption}]({pictures}/{name}.svg)\n\n{caption}"


def _html(block: Block) -> Markup:
    match block:
        case Heading(text, level):
            return Markup("<h{0}>{1}</h{0}>").format(level, text)
        case Text(text):
            return Markup("<p>{}</p>").format(_inline(text))
        case Bullets(items):
            lines = Markup("").join(Markup("<li>{}</li>").format(_inline(each)) for each in items)
            return Markup("<ul>{}</ul>").format(lines)
        case Table(frame, caption):
            head = _row("th", list(frame.columns))
            body = Markup("").join(_row("td", list(row)) for row in frame.to_numpy())
            return Markup(
                '<div class="wide" tabindex="0" role="region" aria-label="Table: {0}"><table>'
                "<caption>{0}</caption><thead>{1}</thead><tbody>{2}</tbody></table></div>"
            ).format(caption, head, body)
        case Picture(_, svg, caption):
            data = base64.b64encode(svg.encode()).decode()
            return Markup(
                '<figure><img src="data:image/svg+xml;base64,{0}" alt="{1}">'
                "<figcaption>{1}</figcaption></figure>"
            ).format(data, caption)


def _row(tag: str, cells: Sequence[object]) -> Markup:
    inner = Markup("").join(
        Markup("<{0}>{1}</{0}>").format(tag, _inline(str(each))) for each in cells
    )
    return Markup("<tr>{}</tr>").format(inner)


def _inline(text: str) -> Markup:
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704
