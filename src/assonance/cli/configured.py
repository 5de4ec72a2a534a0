"""Start a comparison from a configuration file or a preset, with the options that are given."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from assonance.cli.options import Options, by_model
from assonance.comparison.configuration import PRESETS, Configuration, merge

# Where the value of each option is in a configuration.
_PLACES: dict[str, tuple[str, ...]] = {
    "models": ("models",),
    "audio": ("audio",),
    "measure": ("measures",),
    "settings": ("settings",),
    **{
        name: (name,)
        for name in ("twins", "memory", "device", "offline", "pickles", "record", "store")
    },
    **{name: (name,) for name in ("precision", "on_error", "uncertainty", "tuned_from")},
    "preprocessor": ("preprocessors",),
    "model_config": ("configs",),
    "seed_of": ("seeds",),
    **{name: ("speech", name) for name in ("window", "channel", "max_hours", "seed")},
    **{name: ("pooling", name) for name in ("pool", "pool_by", "alignments", "skip_silence")},
    **{name: ("settings", name) for name in ("groups", "bootstrap", "refit", "shifts")},
    **{name: ("settings", name) for name in ("interval_neurons", "attention_rows")},
}


@dataclass(frozen=True)
class Start:
    """Options for where a comparison starts from; other options that are given replace it."""

    config: Annotated[
        Path | None,
        typer.Option(
            help="A YAML file with the options, such as the config.yaml of a run: the same again.",
            metavar="FILE",
        ),
    ] = None
    preset: Annotated[
        Literal["quick", "standard", "study"] | None,
        typer.Option(
            help="quick: a few measures on a quarter of an hour, without intervals. standard: the "
            "defaults. study: p values down to .05, and all frames of attention."
        ),
    ] = None


def configured(
    context: typer.Context, start: Start, models: list[str], audio: str | None, options: Options
) -> Configuration:
    """Return the configuration that a command describes.

    Parameters
    ----------
    context
        Tells which options were given.
    start
        The file and the preset.
    models, audio, options
        What the command line has; of `options`, only what was given replaces what `start` has.

    Raises
    ------
    AssonanceError
        The file is no configuration, or a value cannot be.
    typer.BadParameter
        Neither the file nor the command line names models and speech.
    """
    saved = Configuration.read(start.config) if start.config else None
    models = models or list(saved.models if saved else ())
    audio = audio or (saved.audio if saved else None)
    for value, name in ((models, "MODEL..."), (audio, "--audio")):
        if not value:
            raise typer.BadParameter(
                "missing; give it, or a file that has it with --config", param_hint=name
            )
    if saved is None and not start.preset:
        request = options.build(models)
        return Configuration.of(models, str(audio), None, request)
    values = merge(saved.values() if saved else {}, PRESETS[start.preset or "standard"])
    values |= {"models": models, "audio": audio}
    raw = _raw(options, models)
    for name, (key, *inner) in _PLACES.items():
        if name in raw and _given(context, name):
            values = merge(values, {key: {inner[0]: raw[name]} if inner else raw[name]})
    return Configuration.make(values, str(start.config) if start.config else "")


def _given(context: typer.Context, option: str) -> bool:
    """Return whether an option was given."""
    source = context.get_parameter_source(option)
    return source is not None and source.name != "DEFAULT"


def _raw(options: Options, models: list[str]) -> dict[str, Any]:
    """Return the values of all options by name, as a configuration has them."""
    groups = (options.measuring, options.certainty, options.machine, options.speech)
    more = (options.rows, options.layers, options.checkpoints)
    raw: dict[str, Any] = {}
    for group in (*groups, *more):
        raw |= vars(group)
    alignments = options.rows.alignments
    return raw | {
        "alignments": None if alignments is None else str(alignments),
        "preprocessor": by_model("--preprocessor", options.checkpoints.preprocessor, models),
        "model_config": by_model("--model-config", options.checkpoints.model_config, models),
        "on_error": options.on_error,
        "seed_of": options.seeds,
        "tuned_from": options.tuned_from,
    }
