"""Options shared by several commands, in groups, and the request that they make.

A command takes a group as one parameter (see `option_groups`); a command that does not offer a
group uses its defaults. `Options.build` turns the groups of a command into a `Request`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assonance.corpus.formats.detection import supported_formats
from assonance.errors import AssonanceError, printable
from assonance.settings import By, OnError, Pool, Settings, Stored, find_settings
from assonance.utils.memory import MEMORY, parse_bytes

# Imported by `build` when a command runs: `assonance --help` must not wait for torch.
if TYPE_CHECKING:
    from assonance.activations.shared_rows import Pooling
    from assonance.comparison.request import Request
    from assonance.corpus import Reading
    from assonance.models.loading import Loading


def _check_bytes(text: str) -> str:
    try:
        parse_bytes(text)
    except AssonanceError as error:
        raise typer.BadParameter(str(error)) from None
    return text


def _none_if_zero(seconds: float) -> float | None:
    return seconds or None


AUDIO = f"Speech: {supported_formats()}."

Channel = Annotated[
    int | None,
    typer.Option(
        help="Channel to read from audio with several channels, counted from 0; by default "
        "channels are averaged."
    ),
]

Models = Annotated[
    list[str],
    typer.Argument(
        help="Models to compare: directories, checkpoint files, Hugging Face ids, or names of "
        "bundled models "
        "(see `assonance models`). Also random:MODEL@SEED for the same architecture with "
        "random weights, rotated:MODEL@SEED for the same layers in random axes, mel, mfcc, or "
        "module:PACKAGE.FUNCTION for a model of your own.",
        metavar="MODEL...",
    ),
]

DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="State the time, disk and memory that this would take, and do nothing else; see "
        "`assonance plan`.",
    ),
]

Out = Annotated[Path | None, typer.Option(help="Folder for the results; runs/MODELS by default.")]

Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace the finished results of another run in the folder, once the new ones are "
        "complete.",
    ),
]

Keep = Annotated[
    bool, typer.Option(help="Keep activations, for other measures, when results are written.")
]

Unusable = Annotated[
    OnError,
    typer.Option(
        "--on-error", help="Skip an utterance that cannot be used, or stop with an error."
    ),
]


@dataclass(frozen=True)
class Measuring:
    """Options for what is measured."""

    measure: Annotated[
        list[str] | None,
        typer.Option(
            "--measure",
            "-m",
            help="A measure to compute; repeat for several. A standard set by default; see "
            "`assonance measures`.",
            metavar="NAME",
        ),
    ] = None
    settings: Annotated[
        str,
        typer.Option(
            help="Settings of the measures: default, or elkheir2024 for the published definitions.",
            metavar="NAME",
        ),
    ] = "default"
    twins: Annotated[
        bool,
        typer.Option(
            help="Add floors: a random twin of each model (same architecture, random weights) "
            "and log-mel frames."
        ),
    ] = True


@dataclass(frozen=True)
class Speech:
    """Options for reading the speech, with the field names of `Reading`."""

    window: Annotated[
        float | None,
        typer.Option(
            help="Longest stretch of speech that a model is given at once: longer utterances are "
            "cut into equal windows. 0 cuts nothing.",
            metavar="SECONDS",
            callback=_none_if_zero,
        ),
    ] = 30.0
    channel: Channel = None
    max_hours: Annotated[
        float | None,
        typer.Option(help="Sample this many hours at random, balanced by speaker."),
    ] = None
    seed: Annotated[int, typer.Option("--sample-seed", help="Random seed for --max-hours.")] = 0

    def build(self) -> "Reading":
        """Return the options for the corpus."""
        from assonance.corpus import Reading

        return Reading(**vars(self))


@dataclass(frozen=True)
class Rows:
    """Options for the rows of the neuron and layer measures."""

    pool: Annotated[
        Pool, typer.Option(help="What one row of the neuron and layer measures is.")
    ] = "frame"
    pool_by: Annotated[
        By,
        typer.Option(
            help="Represent a phone, word or utterance by the mean of its frames, or by the frame "
            "at its centre."
        ),
    ] = "mean"
    alignments: Annotated[
        Path | None,
        typer.Option(help="Alignments of phones and words: a folder of TextGrids, or a CTM file."),
    ] = None
    skip_silence: Annotated[
        bool, typer.Option("--skip-silence", help="Leave out silence, according to --alignments.")
    ] = False

    def build(self) -> "Pooling":
        """Return the options for pooling."""
        from assonance.activations.shared_rows import Pooling

        alignments = None if self.alignments is None else str(self.alignments)
        return Pooling(self.pool, self.pool_by, alignments, self.skip_silence)


@dataclass(frozen=True)
class Machine:
    """Options for memory, device and network."""

    memory: Annotated[
        str,
        typer.Option(
            help="Memory limit of the statistics, such as 4GB; auto: half of all, at most 16 GB.",
            metavar="AMOUNT",
            callback=_check_bytes,
        ),
    ] = MEMORY
    device: Annotated[str, typer.Option(help="Torch device, such as cpu or cuda.")] = "cpu"
    offline: Annotated[bool, typer.Option(help="Never use the network.")] = False
    store: Annotated[
        Stored, typer.Option(help="Number format of activations on disk; a note gives its error.")
    ] = "float32"


@dataclass(frozen=True)
class Checkpoints:
    """Options for opening checkpoints."""

    preprocessor: Annotated[
        list[str],
        typer.Option(
            help="Preprocessing for models that bring none: a preprocessor_config.json, or a "
            "folder or hub id that has one. MODEL=FILE_OR_ID replaces that of one model; repeat "
            "for several.",
            metavar="[MODEL=]FILE_OR_ID",
        ),
    ] = field(default_factory=list)
    model_config: Annotated[
        list[str],
        typer.Option(
            help="Configuration for files of weights that have none: a config.json, or a folder "
            "or hub id that has one.",
            metavar="[MODEL=]FILE_OR_ID",
        ),
    ] = field(default_factory=list)
    pickles: Annotated[
        bool,
        typer.Option(
            help="Read weights that torch pickled (pytorch_model.bin, .pt), as data: nothing in "
            "them is run."
        ),
    ] = True

    def build(self, models: Sequence[str]) -> dict[str, Any]:
        """Return the options as fields of `Loading`.

        Raises
        ------
        AssonanceError
            A model is named that is not among `models`, or is named twice.
        """
        return {
            "pickles": self.pickles,
            "preprocessors": by_model("--preprocessor", self.preprocessor, models),
            "configs": by_model("--model-config", self.model_config, models),
        }


def by_model(option: str, texts: Sequence[str], models: Sequence[str]) -> dict[str, str]:
    """Return what was given for each model, and under the empty name what is for all."""
    given: dict[str, str] = {}
    for text in texts:
        model, equals, value = text.partition("=")
        if not equals:
            model, value = "", text
        elif model not in models:
            raise AssonanceError(
                f"{option} {text!r}: {printable(model)} is none of those compared; name one of "
                f"{', '.join(map(printable, models))}"
            )
        if not value:
            raise AssonanceError(f"{option} {text!r}: not of the form [MODEL=]FILE_OR_ID")
        if given.setdefault(model, value) != value:
            raise AssonanceError(
                f"{option} {text!r}: {printable(given[model])} was given before; give one"
            )
    return given


@dataclass(frozen=True)
class Layers:
    """Options for the layers of checkpoints."""

    record: Annotated[
        list[str],
        typer.Option(
            help="A kind of layer to record: blocks, final, ffn, attention, heads or cnn; repeat "
            "for several.",
            metavar="KIND",
        ),
    ] = field(default_factory=lambda: ["blocks"])
    precision: Annotated[
        str,
        typer.Option(
            help="Number format of the models: float32, or bfloat16 or float16, which are faster "
            "on an accelerator.",
            metavar="NAME",
        ),
    ] = "float32"

    def build(self, machine: Machine, opening: Mapping[str, Any]) -> "Loading":
        """Return the options for loading checkpoints on a machine."""
        from assonance.models.loading import Loading

        return Loading(
            tuple(self.record), self.precision, machine.device, machine.offline, **opening
        )


@dataclass(frozen=True)
class Certainty:
    """Options for intervals, nulls and samples; all but the first replace a setting."""

    uncertainty: Annotated[
        bool, typer.Option(help="Compute confidence intervals and the circular-shift null.")
    ] = True
    groups: Annotated[
        int | None,
        typer.Option(
            help="Number of jackknife groups: of utterances, or of speakers if there are at least "
            "ten; 20 by default."
        ),
    ] = None
    bootstrap: Annotated[
        int | None,
        typer.Option(
            help="Compute intervals by a bootstrap over groups with this many draws, for example "
            "199, instead of the jackknife. One draw costs as much as one group with --refit. With "
            "as many --groups as utterances, this is the bootstrap over utterances, which has the "
            "best coverage.",
            metavar="DRAWS",
        ),
    ] = None
    refit: Annotated[
        bool | None,
        typer.Option(
            "--refit",
            help="Fit every regression again with each jackknife group left out, instead of "
            "holding its coefficients fixed: about as sure, and many times the time if layers are "
            "wide.",
        ),
    ] = None
    interval_neurons: Annotated[
        int | None,
        typer.Option(
            help="Number of neurons of each layer, drawn at random, from which intervals of "
            "regressions and of the rotation floor are computed; 192 by default. The others have "
            "no interval of their own for these.",
            metavar="NEURONS",
        ),
    ] = None
    shifts: Annotated[
        int | None,
        typer.Option(
            help="Number of circular shifts for the null; 3 by default, fewer for little speech. "
            "p values down to .05 need 19, and are then computed for every pair of layers."
        ),
    ] = None

    attention_rows: Annotated[
        int | None,
        typer.Option(
            help="Number of frames of each utterance, or of each 10 s of a longer one, whose "
            "attention gets Jensen–Shannon divergences: a random sample, by default of 64, and of "
            "fewer if there are more than 256 utterances; 0 for all, several times slower.",
            metavar="FRAMES",
        ),
    ] = None

    def build(self, settings: Settings) -> Settings:
        """Return the settings with the options that were given."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        del given["uncertainty"]
        return replace(settings, **given)


@dataclass(frozen=True)
class Options:
    """All options of a comparison, as a command takes them."""

    measuring: Measuring
    certainty: Certainty
    machine: Machine = field(default_factory=Machine)
    speech: Speech = field(default_factory=Speech)
    rows: Rows = field(default_factory=Rows)
    layers: Layers = field(default_factory=Layers)
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    on_error: OnError = "skip"
    seeds: Mapping[str, str] = field(default_factory=dict)
    tuned_from: Mapping[str, str] = field(default_factory=dict)

    def build(self, models: Sequence[str] = ()) -> "Request":
        """Return the request that the options make for models.

        Raises
        ------
        AssonanceError
            If an option is out of range, or settings are unknown.
        """
        from assonance.comparison.request import Request
        from assonance.measures.roles import STANDARD

        return Request(
            measures=tuple(self.measuring.measure or STANDARD),
            settings=self.certainty.build(find_settings(self.measuring.settings)),
            twins=self.measuring.twins,
            reading=self.speech.build(),
            pooling=self.rows.build(),
            loading=self.layers.build(self.machine, self.checkpoints.build(models)),
            memory=self.machine.memory,
            store=self.machine.store,
            on_error=self.on_error,
            seeds=self.seeds,
            tuned_from=self.tuned_from,
            uncertainty=self.certainty.uncertainty,
        )
