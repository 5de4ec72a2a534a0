"""Define `assonance models`, `measures` and `completion`: what there is to name."""

from typing import Annotated, Literal

import typer

from assonance.cli.lines import say


def models() -> None:
    """List the bundled miniature models; any command takes their names as models.

    Examples
    --------
      assonance models
      assonance models | grep pretrained
    """
    from assonance.demo import elsewhere, miniatures

    for each in miniatures():
        say(f"{each.name}  [{each}]")
        say(f"    {each.path}")
    if more := elsewhere():
        say(
            f"{', '.join(more)} come with the sources alone: in src/assonance/demo/models of a "
            "checkout or of the source distribution. Any command takes their folders."
        )


def measures() -> None:
    """List the measures with their level, range, symmetry, needs and invariances.

    Examples
    --------
      assonance measures
      assonance measures | grep -A 2 cka
    """
    from assonance.measures import MEASURES

    for each in MEASURES.values():
        lowest, highest = ("…" if end is None else f"{end:.2g}" for end in each.range)
        symmetry = "symmetric" if each.symmetric else "directional"
        unchanged = ", ".join(sorted(each.invariances)) or "nothing"
        say(f"{each.name}  [{each.level}, {lowest} to {highest}, {symmetry}]")
        say(f"    {each.summary}. {each.source}.")
        say(f"    needs {each.needs}; unchanged by: {unchanged}")


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="The shell.")],
) -> None:
    """Print the script that lets a shell complete commands and options.

    Examples
    --------
      assonance completion bash >> ~/.bashrc
      assonance completion fish > ~/.config/fish/completions/assonance.fish
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    script = get_completion_script(
        prog_name="assonance", complete_var="_ASSONANCE_COMPLETE", shell=shell
    )
    typer.echo(script)
