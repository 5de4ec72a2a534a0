"""Build the manual: `make docs`. Pages are Markdown that is readable without a build."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

import assonance
from assonance import testing
from assonance.cli.main import app as command_line
from assonance.cli.panels import examples

HERE = Path(__file__).parent
GENERATED = HERE / "generated"

project = "assonance"
author = "the assonance developers"
project_copyright = author
release = assonance.__version__

root_doc = "manual/index"
extensions = [
    "myst_nb",  # Markdown, and the tutorial, which it executes
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
# index.md is the way in for readers of the repository.
exclude_patterns = ["_build", "jupyter_execute", "index.md"]
html_theme = "furo"
html_title = f"assonance {release}"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_math_renderer = "mathml"  # browsers draw it, and nothing is loaded from elsewhere
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_output_stderr = "remove"  # progress bars and warnings of libraries
autodoc_typehints = "none"  # the signatures have them
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False


def commands() -> str:
    """Describe all commands and their options as Markdown, from the command line itself."""
    lines = ["# Commands", "", "Generated from `assonance --help` and its kin.", ""]
    for path, command in _walk("assonance", typer.main.get_command(command_line)):
        what = (command.help or "").partition("\nExamples\n---")[0]
        lines += [f"## `{path}`", "", _plain(what), ""]
        lines += ["```sh", *examples(command.help), "```", ""]
        for each in command.params:
            if each.param_type_name == "option" and not each.hidden:
                names = ", ".join(f"`{name}`" for name in (*each.opts, *each.secondary_opts))
                default = each.default
                shown = f" Default: `{default}`." if isinstance(default, str | int | float) else ""
                lines += [names, f": {_plain(each.help)}{shown}", ""]
            elif each.param_type_name == "argument":
                lines += [f"`{each.metavar or each.name.upper()}`"]
                lines += [f": {_plain(getattr(each, 'help', None))}", ""]
    return "\n".join(lines)


def python() -> str:
    """List the public names, each with its docstring."""
    lines = ["# Python", "", "What `import assonance` offers.", "", "```{eval-rst}"]
    for name in sorted(set(assonance.__all__) - {"__version__"}, key=str.lower):
        kind = "autoclass" if inspect.isclass(getattr(assonance, name)) else "autofunction"
        lines += [f".. {kind}:: assonance.{name}", *(["   :members:"] * (kind == "autoclass")), ""]
    lines += ["```", "", "## Tests of models", "", "```{eval-rst}"]
    for name in testing.__all__:
        lines += [f".. autofunction:: assonance.testing.{name}", ""]
    return "\n".join([*lines, "```", ""])


def contributing() -> str:
    """Return the page for contributors, with its links as seen from here."""
    text = (HERE.parent / "CONTRIBUTING.md").read_text("utf-8")
    text = re.sub(r"\]\(docs/", "](../", text)
    return re.sub(r"\[([^\]]+)\]\((?!\.\./|https:)[^)]+\)", r"\1", text)


def errors() -> str:
    """List every message of an error, with … for what it names, by the module that raises it."""
    lines = [
        *("# Errors", ""),
        "Every mistake is answered with one line that names the file or argument, what is wrong "
        "and "
        "what to do, and with a nonzero exit. These are all messages, by where they come from; … "
        "stands for a name or number.",
        "",
    ]
    source = Path(assonance.__file__).parent
    for path in sorted(source.rglob("*.py")):
        found = sorted(set(_messages(ast.parse(path.read_text("utf-8")))))
        if found:
            module = ".".join(path.relative_to(source.parent).with_suffix("").parts)
            lines += [f"## `{module}`", "", *(f"- {each}" for each in found), ""]
    return "\n".join(lines)


def _walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield every command below a group, in order, with its full name."""
    if hasattr(command, "commands"):
        for name, each in command.commands.items():
            yield from _walk(f"{path} {name}", each)
    else:
        yield path, command


def _plain(text: str | None) -> str:
    return " ".join((text or "").split()).replace("<", "\\<").replace("[", "\\[")


def _messages(tree: ast.Module) -> Iterator[str]:
    """Yield the messages of the errors that a module raises."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("AssonanceError", "UnusableAudio")
            and node.args
        ):
            text = _template(node.args[0])
            if any(each.isalpha() for each in text):
                yield text.translate({ord(each): f"\\{each}" for each in "\\`*_[]<>|#"})


def _template(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_template(each) for each in node.values)
    if isinstance(node, ast.BinOp):
        return _template(node.left) + _template(node.right)
    return "…"


def _name_files_outside(app: Sphinx, document: str, content: list[str]) -> None:
    """Replace links to files of the repository that are not in the manual by their names.

    A link that leads nowhere stays, and Sphinx warns of it.
    """
    page = HERE / f"{document}.md"

    def named(link: re.Match[str]) -> str:
        target = (page.parent / link[2].partition("#")[0]).resolve()
        outside = not target.is_relative_to(HERE) or target == HERE / "index.md"
        return link[1] if outside and target.exists() else link[0]

    content[0] = re.sub(r"\[([^\]]+)\]\((\.{1,2}/[^)\s]+|[\w-]+\.md)\)", named, content[0])


def _write_formula(translator: HTML5Translator, node: nodes.math | nodes.math_block) -> None:
    """Write a formula as MathML; a command that has no counterpart there is warned of."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    formula = convert(node.astext(), display=display)
    for left in re.findall(r"\\\w+", formula):
        logging.getLogger(__name__).warning("%s in a formula", left, location=node)
    translator.body.append(formula)
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Connect what happens as pages are read and written."""
    app.add_html_math_renderer("mathml", (_write_formula, None), (_write_formula, None))
    app.connect("source-read", _name_files_outside)


GENERATED.mkdir(exist_ok=True)
for _write in (commands, python, errors, contributing):
    (GENERATED / f"{_write.__name__}.md").write_text(_write(), "utf-8")
