"""A run on disk: a comparison and the files it leaves in its folder."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import yaml

from assonance import __version__
from assonance.comparison import STANDARD, compare
from assonance.corpus import Corpus
from assonance.errors import AssonanceError
from assonance.files import slug, write_text
from assonance.measures import find, find_settings
from assonance.outside import one_line, own_words
from assonance.progress import Progress
from assonance.report import write_report
from assonance.results import Comparison
from assonance.summary import sentences

RESULTS, TABLE, CONFIG, REPORT = "results.nc", "results.csv", "config.yaml", "report.html"


def run(
    models: Sequence[str],
    audio: str,
    out: Path,
    *,
    measures: Sequence[str],
    settings: str,
    twins: bool,
    speech: Mapping[str, Any],
    pooling: Mapping[str, Any],
    memory: str,
    device: str,
    offline: bool,
    head_outputs: bool,
    on_error: Literal["skip", "stop"],
    uncertainty: bool,
    progress: Progress,
) -> Comparison:
    """Compare models and leave results, table, configuration and report in a folder.

    The parameters are those of `assonance.compare`; no `measures` are the standard ones. `speech`
    holds options of `Corpus.from_path`, `pooling` those of `compare` that say what a row is.

    Returns
    -------
    Comparison
        As saved.

    Raises
    ------
    AssonanceError
        As `assonance.compare`, or the folder cannot be written.
    """
    chosen = [each.name for each in find(measures or STANDARD, ("neuron", "layer", "head"))]
    config = {
        "assonance": __version__,
        "models": list(models),
        "audio": audio,
        "out": str(out),
        "measures": chosen,
        "settings": asdict(find_settings(settings)),
        "twins": twins,
        "speech": dict(speech),
        "pooling": dict(pooling),
        "memory": memory,
        "device": device,
        "offline": offline,
        "head_outputs": head_outputs,
        "on_error": on_error,
        "uncertainty": uncertainty,
    }
    _make(out)
    write_text(out / CONFIG, _yaml(config))
    comparison = compare(
        models,
        Corpus.from_path(audio, **speech),
        chosen,
        settings=settings,
        twins=twins,
        **pooling,
        out=out,
        memory=memory,
        device=device,
        offline=offline,
        head_outputs=head_outputs,
        on_error=on_error,
        uncertainty=uncertainty,
        progress=progress,
    )
    comparison.save(out / RESULTS)
    table = io.StringIO()
    comparison.to_dataframe().to_csv(table, index=False)
    write_text(out / TABLE, table.getvalue())
    with progress.stage("writing the report", 1) as advance:
        write_report(comparison, sentences(comparison), out / REPORT)
        advance(1)
    return comparison


def folder_for(models: Sequence[str]) -> Path:
    """Name a run's folder after its models."""
    return Path("runs") / "-vs-".join(slug(Path(model).name) for model in models)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AssonanceError(
            f"{one_line(folder)}: cannot be made: {own_words(error)}; name another with --out"
        ) from error


def _yaml(config: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
