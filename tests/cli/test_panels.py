"""Every command's help has two examples that parse, and options by theme."""

import re
import shlex

import pytest
import typer.main
from command_line import run

from assonance.cli.main import app
from assonance.cli.panels import examples


def walk(command, path=()):
    for name, each in getattr(command, "commands", {}).items():
        yield from walk(each, (*path, name))
    if not hasattr(command, "commands"):
        yield " ".join(path), command


COMMANDS = dict(walk(typer.main.get_command(app)))


def test_all_commands_are_met():
    assert {"compare", "explore", "completion", "store verify", "corpus check"} <= set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_has_two_examples_that_parse(path):
    command = COMMANDS[path]
    shown = examples(command.help)
    assert len(shown) == len(set(shown)) == 2
    for line in shown:
        # What follows is for the shell.
        words = shlex.split(re.split(r" (?:\||>>?|&&) ", line)[0])
        assert words[: 1 + len(path.split())] == ["assonance", *path.split()]
        command.make_context(path, words[1 + len(path.split()) :])


@pytest.mark.parametrize("path", COMMANDS)
def test_help_shows_the_examples_as_they_are_typed(path):
    text = run(*path.split(), "--help").out
    for line in examples(COMMANDS[path].help):
        assert f"\n  {line}\n" in text
    assert "-----" not in text


def test_options_are_grouped_by_theme():
    text = run("compare", "--help").out
    places = [text.index(f"\n{theme}:\n") for theme in ("Examples", "Arguments", "Options")]
    themes = ("Start", "Measuring", "Speech", "Rows", "Machine", "Layers", "Checkpoints")
    places += [text.index(f"\n{theme}:\n") for theme in (*themes, "Certainty")]
    assert places == sorted(places)
    assert text.index("--window") > text.index("\nSpeech:\n")


def test_commands_are_grouped_with_the_whole_of_their_first_sentence():
    text = run("--help").out
    assert "..." not in text.partition("\n")[2]
    assert text.index("Compare:") < text.index("Read a finished run:") < text.index("Look up:")
    for path in COMMANDS:
        assert re.search(rf"^  {path.split()[0]}  ", text, re.M)


@pytest.mark.parametrize(
    ("shell", "words"), [("bash", "complete -o"), ("zsh", "#compdef"), ("fish", "complete ")]
)
def test_completion_prints_the_script_of_a_shell(shell, words):
    outcome = run("completion", shell)
    assert (outcome.status, outcome.err) == (0, "")
    assert words in outcome.out
    assert "_ASSONANCE_COMPLETE" in outcome.out
