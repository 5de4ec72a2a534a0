"""A text is written as Markdown and as HTML with the same words, and names are escaped."""

import pandas as pd

from assonance.report.study.document import (
    Bullets,
    Heading,
    Picture,
    Table,
    Text,
    as_html,
    as_markdown,
)

BLOCKS = [
    Heading("Title <b>", 1),
    Text("A `name` & more"),
    Bullets(("one", "two")),
    Table(pd.DataFrame({"model": ["<script>", "a|b"], "ρ": ["0.5", "–"]}), "A caption."),
    Picture("figure", "<svg/>", "What it shows."),
]


def test_markdown_has_headings_tables_and_figures():
    text = as_markdown(BLOCKS, "figures")
    assert text.startswith("# Title <b>\n\nA `name` & more\n\n- one\n- two\n\n| model | ρ |\n")
    assert "| a\\|b | – |" in text  # a bar in a name does not end its cell
    assert text.endswith("![What it shows.](figures/figure.svg)\n\nWhat it shows.\n")


def test_html_escapes_names():
    page = as_html(BLOCKS)
    assert "<title>Title &lt;b&gt; – assonance</title>" in page
    assert "<h1>Title &lt;b&gt;</h1>" in page
    assert "<p>A <code>name</code> &amp; more</p>" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert 'alt="What it shows."' in page
