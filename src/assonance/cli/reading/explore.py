"""Define `assonance explore`: one neuron, its matches, and the moments that excite it most."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assonance.cli.lines import say
from assonance.cli.reading.options import Run, refuse_missing
from assonance.errors import AssonanceError, printable

if TYPE_CHECKING:
    from assonance.comparison.kept_run import KeptRun
    from assonance.comparison.moments import Moment
    from assonance.comparison.result import Comparison


def explore(
    run: Run,
    layer: Annotated[
        str, typer.Argument(help="The layer that has the neuron.", metavar="MODEL:LAYER")
    ],
    neuron: Annotated[int, typer.Option(help="Index of the neuron, from 0.", metavar="NUMBER")],
    top: Annotated[int, typer.Option(help="Number of moments.", min=1)] = 5,
    wav: Annotated[
        Path | None,
        typer.Option(
            help="Write the sound around each moment as a WAV file into this folder.",
            metavar="DIR",
        ),
    ] = None,
) -> None:
    """Show one neuron: its best match in every other model, and the moments that excite it most.

    Moments are found in the activations that the run kept, each in an utterance of its own.

    Examples
    --------
      assonance explore runs/demo hubert-mini:3 --neuron 97
      assonance explore runs/demo hubert-mini:3 --neuron 97 --top 10 --wav clips
    """
    refuse_missing(run)
    from assonance.comparison.lookup import find_cell, find_neuron, open_run

    comparison = open_run(run)
    model, label = find_cell(comparison, layer)
    neuron = find_neuron(comparison, model, label, neuron)
    name = f"neuron {neuron} of {printable(model)} {printable(label)}"
    say(f"{name}, best matches:")
    for line in _matches(comparison, model, label, neuron):
        say(f"  {line}")

    from assonance.comparison.kept_run import open_kept

    try:
        kept = open_kept(run if run.is_dir() else run.parent, comparison)
    except AssonanceError as error:
        if wav is not None:
            raise
        say(f"note: {error}", err=True)
        return
    moments = kept.moments(kept.peaks(model, [label], top)[label], neuron)
    say("moments that excite it most, in standard deviations above its mean:")
    for moment in moments:
        words = f"  “{printable(moment.words)}”" if moment.words else ""
        say(f"  {moment.level:5.2f}  {printable(moment.utterance)} at {moment.time:.2f} s{words}")
    if wav is not None:
        _write(kept, moments, wav, f"{model}-{label}-{neuron}")


def _matches(comparison: "Comparison", model: str, label: str, neuron: int) -> list[str]:
    """Describe a neuron's best match in each other model, with interval and floor."""
    table = comparison.neurons_of(model, label).table.reset_index()
    lines = []
    for row in table[table["neuron"] == neuron].to_dict("records"):
        words = (
            f"neuron {row['match']} of {printable(row['model_col'])} {printable(row['layer_col'])}"
        )
        words += f": r {row['maxcorr']:.3f}"
        if row.get("maxcorr_low", float("nan")) == row.get("maxcorr_low"):
            words += f" [{row['maxcorr_low']:.3f}, {row['maxcorr_high']:.3f}]"
        words += f"; whole layer {row['linreg_heldout_r']:.3f}"
        if "maxcorr_rotated" in row:
            words += f", rotated neurons {row['maxcorr_rotated']:.3f}"
        lines.append(words)
    return lines


def _write(kept: "KeptRun", moments: Sequence["Moment"], folder: Path, name: str) -> None:
    """Write the sound around each moment; its file is named after neuron, rank and utterance."""
    from assonance.comparison.moments import REACH
    from assonance.corpus.clips import cut, write_wavs
    from assonance.utils.files import slug

    clips = {}
    for rank, moment in enumerate(moments, start=1):
        utterance = kept.speech[moment.utterance]
        kept.check_audio(utterance)
        file = folder / f"{slug(name)}-{rank:02}-{slug(moment.utterance)}.wav"
        clips[file] = cut(utterance, max(moment.time - REACH, 0.0), moment.time + REACH)
    write_wavs(clips)
    licence = kept.licence or "no licence lies beside the speech"
    say(f"sound: {printable(folder)}: {len(clips)} files; {licence}")
