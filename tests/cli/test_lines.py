"""Lines of commands hold nothing that a terminal would obey."""

import pytest

from assonance.cli.lines import say


@pytest.mark.parametrize("err", [False, True])
def test_control_characters_are_printed_as_text(capsys, err):
    say("größe \x1b[2J two\nlines \udcff", err=err)
    printed = capsys.readouterr()
    assert (printed.err if err else printed.out) == "größe \\x1b[2J two\\nlines \\udcff\n"
    assert (printed.out if err else printed.err) == ""
