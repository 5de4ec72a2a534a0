"""Repeat a published study: run it in published and in default settings, and write its page."""

import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import typer
import xarray as xr

from assonance.cli import run as runs
from assonance.cli.lines import say
from assonance.cli.plan import show_plan
from assonance.cli.run_folder import RunFolder
from assonance.comparison.beyond_spectrum import MEASURE, of_models
from assonance.comparison.prepared import prepare
from assonance.comparison.request import Request
from assonance.corpus import Reading
from assonance.demo import SPEECH
from assonance.errors import AssonanceError, AssonanceWarning, error_text, printable
from assonance.models.loading import Loading
from assonance.report.study import beyond
from assonance.report.study.document import Picture, as_html, as_markdown
from assonance.report.study.findings import judge
from assonance.report.study.page import Repeated, blocks
from assonance.report.study.recipe import DEMO, RUNS, ModelSet, Run, Study, load_study
from assonance.settings import find_settings
from assonance.utils.files import encoded, write_together
from assonance.utils.lock import locked
from assonance.utils.progress import Progress
from assonance.utils.progress_bars import Bars

PAGE, TEXT, STUDY, SPECTRUM, PICTURES = (
    *("study.html", "study.md", "study.yaml", "beyond_spectrum.nc"),
    "figures",
)


@dataclass(frozen=True)
class Asked:
    """What a person asked of a study.

    Attributes
    ----------
    path
        The study's file.
    models
        Name of its set of models; None for the first.
    audio
        Path of the speech; None for that of the set.
    out, overwrite
        Folder for the results, and whether finished ones may be replaced.
    memory, loading
        Memory limit of the statistics, and options for loading checkpoints.
    """

    path: Path
    models: str | None
    audio: str | None
    out: Path
    overwrite: bool
    memory: str
    loading: Loading


def study(asked: Asked, *, dry_run: bool = False) -> None:
    """Run a study and write its page, or print what it would take.

    Raises
    ------
    AssonanceError
        The study, its models or its speech cannot be used.
    typer.Exit
        If the run is interrupted.
    """
    recipe = load_study(asked.path)
    name = next(iter(recipe.sets)) if asked.models is None else asked.models
    if name not in recipe.sets:
        raise AssonanceError(
            f"--models {printable(name)}: not in {printable(asked.path)}; use one of: "
            f"{', '.join(map(printable, recipe.sets))}"
        )
    chosen = recipe.sets[name]
    audio = _audio(asked, name, chosen)
    requests = {each: _request(recipe.runs[each], chosen, asked) for each in RUNS}
    models = list(chosen.models.values())
    if dry_run:
        for each, request in requests.items():
            say(f"{each} settings")
            show_plan(models, audio, asked.out, request)
            say("")
        return
    try:
        with locked(asked.out), Bars() as bars, warnings.catch_warnings():
            warnings.simplefilter("ignore", AssonanceWarning)  # each run's own report has them
            repeated = _run(recipe, name, audio, asked, requests, bars)
            with bars.stage("writing the study", 1) as advance:
                _write(repeated, asked)
                advance(1)
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from here", err=True)
        raise typer.Exit(130) from None
    for judged in judge(recipe, repeated.comparisons):
        say(f"{judged.finding.says}: {judged.verdict}")
    say(f"study: {printable(asked.out / PAGE)}")


def _audio(asked: Asked, name: str, chosen: ModelSet) -> str:
    """Return the path of the speech."""
    audio = asked.audio or chosen.audio
    if audio is None:
        raise AssonanceError(
            f"--models {printable(name)}: no speech is named; give a folder of it, such as "
            "LibriSpeech dev-clean, with --audio"
        )
    return str(SPEECH) if audio == DEMO else audio


def _request(run: Run, chosen: ModelSet, asked: Asked) -> Request:
    """Return the options of one run of a study."""
    known = find_settings(run.settings)
    settings = replace(
        known,
        groups=known.groups if run.groups is None else run.groups,
        shifts=known.shifts if run.shifts is None else run.shifts,
    )
    return Request(
        measures=run.measures,
        settings=settings,
        twins=run.twins,
        whole_twins=True,  # the question of our own compares them at every depth
        reading=Reading(max_hours=chosen.hours),
        loading=asked.loading,
        memory=asked.memory,
        seeds={chosen.models[a]: chosen.models[b] for a, b in chosen.seed_of.items()},
        tuned_from={chosen.models[a]: chosen.models[b] for a, b in chosen.tuned_from.items()},
    )


def _run(
    recipe: Study,
    name: str,
    audio: str,
    asked: Asked,
    requests: Mapping[str, Request],
    progress: Progress,
) -> Repeated:
    """Run both comparisons on shared activations, then the question of our own."""
    chosen = recipe.sets[name]
    models = list(chosen.models.values())
    comparisons = {
        each: runs.run(
            models,
            audio,
            RunFolder(asked.out / each, asked.overwrite, activations=asked.out),
            request,
            progress,
            early=False,  # nobody waits for scores of which the study is made at the end
        )
        for each, request in requests.items()
    }
    default = comparisons["default"]
    roles = dict(zip(chosen.models, default.models, strict=True))
    spectrum = _beyond_spectrum(models, audio, asked.out, requests["default"], progress)
    return Repeated(recipe, name, comparisons, roles, spectrum)


def _beyond_spectrum(
    models: list[str],
    audio: str,
    out: Path,
    request: Request,
    progress: Progress,
) -> xr.Dataset | None:
    """Score the pairs of our own question; None if there is none."""
    prepared = prepare(models, audio, replace(request, measures=(MEASURE,)), progress)
    which = beyond.pairs(tuple(prepared.records.values()))
    if not (which["kind"] == beyond.OBJECTIVES).any():
        return None
    return of_models(prepared, beyond.ends(which), out, progress)


def _write(repeated: Repeated, asked: Asked) -> None:
    """Write the page, the same as Markdown, and what they were made from."""
    text = blocks(repeated)
    pictures = asked.out / PICTURES
    try:
        pictures.mkdir(parents=True, exist_ok=True)
        if (asked.out / STUDY).resolve() != asked.path.resolve():
            shutil.copyfile(asked.path, asked.out / STUDY)
    except OSError as error:
        raise AssonanceError(
            f"{printable(asked.out)}: cannot be written: {error_text(error)}; name another folder "
            "with --out"
        ) from error
    files: dict[Path, bytes | memoryview] = {
        asked.out / PAGE: encoded(as_html(text)),
        asked.out / TEXT: encoded(as_markdown(text, PICTURES)),
        **{
            pictures / f"{each.name}.svg": encoded(each.svg)
            for each in text
            if isinstance(each, Picture)
        },
    }
    if repeated.spectrum is not None:
        content = repeated.spectrum.to_netcdf(engine="h5netcdf")
        files[asked.out / SPECTRUM] = memoryview(content)
    write_together(files)
