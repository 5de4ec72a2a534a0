"""Print the help of commands: examples first, then options by theme, in plain text.

An option's theme is the name of the group of options that it belongs to (see `option_groups`).
Examples are the last part of a command's docstring.
"""

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

_EXAMPLES = "\nExamples\n--------\n"
_OWN = "Options"  # of a command alone


def examples(help_text: str | None) -> list[str]:
    """Return the examples of a command, one command line each."""
    _, _, lines = (help_text or "").partition(_EXAMPLES)
    return [line.strip() for line in lines.splitlines() if line.strip()]


class Command(TyperCommand):
    """A command whose help has examples and themes."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the command does, and examples as they are typed."""
        what, _, _ = (self.help or "").partition(_EXAMPLES)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(what)
        if shown := examples(self.help):
            with formatter.section("Examples"):
                for line in shown:
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then options by theme."""
        themes: dict[str, list[tuple[str, str]]] = {"Arguments": [], _OWN: []}
        for each in self.get_params(ctx):
            record = each.get_help_record(ctx)
            if record is not None:
                argument = each.param_type_name == "argument"
                theme = "Arguments" if argument else getattr(each, "rich_help_panel", None)
                themes.setdefault(theme or _OWN, []).append(record)
        for theme, records in themes.items():
            if records:
                with formatter.section(theme):
                    formatter.write_dl(records)


class Group(TyperGroup):
    """Commands by theme, each with the whole of its first sentence."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands by theme."""
        themes: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                theme = getattr(command, "rich_help_panel", None) or "Commands"
                sentence = " ".join((command.help or "").partition("\n\n")[0].split())
                themes.setdefault(theme, []).append((name, sentence))
        for theme, records in themes.items():
            with formatter.section(theme):
                formatter.write_dl(records)


class App(typer.Typer):
    """A group of commands with this kind of help."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            cls=Group,
            no_args_is_help=True,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            **options,
        )

    def themed(self, theme: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Return what adds a function as a command of a theme."""
        return self.command(cls=Command, rich_help_panel=theme)
