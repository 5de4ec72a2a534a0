"""Find what people name in a run: the run itself, measures, models, layers, neurons, heads.

Each function returns what was meant, or raises an `AssonanceError` of one line with the nearest
name that exists. Commands and Python methods that take such names use these functions.

- `open_run` takes a run's folder or its ``results.nc``; `left_by` names the files it holds.
- `find_measure`, `find_model` and `find_layer` take names as people type them.
- `find_cell` takes ``MODEL:LAYER`` in one word, such as ``hubert-mini:3``.
- `find_neuron` and `find_head` take numbers counted from 0.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError, check_path, did_you_mean, join_names, printable
from assonance.utils.files import exists
from assonance.utils.yaml_files import read_yaml

RESULTS, CONFIG = "results.nc", "config.yaml"
_OF_RUNS = (CONFIG, "activations")  # what an unfinished run has
_SHOWN = 12  # names in a message
_ALIKE = 0.5  # see `did_you_mean`
_GIVE = "give the folder that a comparison wrote"


def open_run(run: str | Path) -> Comparison:
    """Load the results of a run.

    Parameters
    ----------
    run
        A run's folder, or its results file.

    Raises
    ------
    AssonanceError
        There is no such run, it is not finished, or its results are damaged. The message names
        the nearest folder that is a run, or the files that can still be read.
    """
    check_path(run, "the run")
    path = Path(run)
    if not exists(path):
        raise _no_run(path)
    if not path.is_dir():
        return Comparison.load(path)
    results = path / RESULTS
    if not results.exists():
        if any(exists(path / name) for name in _OF_RUNS):
            raise AssonanceError(
                f"{printable(path)}: the run is not finished: it has no {RESULTS} yet; "
                "the command that began it goes on from here"
            )
        inside = [printable(name) for name in _runs_in(path)]
        choose = f"did you mean one in it: {join_names(inside)}?" if inside else _GIVE
        raise AssonanceError(f"{printable(path)}: is no run: it holds no {RESULTS}; {choose}")
    try:
        return Comparison.load(results)
    except AssonanceError as error:
        rest = [name for name in left_by(path) if name != RESULTS]
        if not rest:
            raise
        raise AssonanceError(f"{error}; still there: {join_names(rest, _SHOWN)}") from error


def was_diff(run: str | Path) -> bool:
    """Return whether a run is one of `assonance diff`, by the configuration in its folder."""
    path = Path(run)
    config = (path if path.is_dir() else path.parent) / _OF_RUNS[0]
    try:
        values = read_yaml(config)
    except AssonanceError:  # no configuration that can be read: a comparison like any other
        return False
    return isinstance(values, dict) and values.get("diff") is True


def find_folder(run: str | Path) -> Path:
    """Return the folder of a run, finished or not.

    Raises
    ------
    AssonanceError
        There is no such folder, or it is no run.
    """
    check_path(run, "the run")
    path = Path(run)
    if not exists(path):
        raise _no_run(path)
    if any(exists(path / name) for name in (RESULTS, *_OF_RUNS)):
        return path
    raise AssonanceError(f"{printable(path)}: is no run: it holds no {RESULTS}; {_GIVE}")


def _no_run(path: Path) -> AssonanceError:
    meant = did_you_mean(path.name, _runs_in(path.parent), _ALIKE)
    return AssonanceError(f"{printable(path)}: no such run{meant or f'; {_GIVE}'}")


def left_by(run: Path) -> tuple[str, ...]:
    """Return the sorted names of the files that a run has left in its folder."""
    return tuple(sorted(each.name for each in run.iterdir() if each.is_file()))


def find_measure(comparison: Comparison, name: str) -> str:
    """Return the name of a measure that was taken, however its letters are written.

    Raises
    ------
    AssonanceError
        No such measure was taken.
    """
    taken = tuple(dict.fromkeys(map(str, (*comparison.scores, *comparison.heads))))
    return _found(name, taken, "measure", "was not taken in this run")


def find_model(comparison: Comparison, name: str) -> str:
    """Return the name of a model or control, however its letters are written.

    Raises
    ------
    AssonanceError
        The run has no such model.
    """
    names = tuple(each.name for each in comparison.provenance.models)
    return _found(name, names, "model", "is not in this run")


def find_layer(comparison: Comparison, model: str, layer: str | int) -> str:
    """Return the label of a model's layer.

    Parameters
    ----------
    comparison
        The comparison.
    model
        Name of a model that it holds.
    layer
        A label, such as ``encoder.3``, or the number in which one label alone ends, such as 3.

    Raises
    ------
    AssonanceError
        The model has no such layer, or the number fits several.
    """
    labels, wanted = comparison.layers(model), str(layer)
    if wanted in labels:
        return wanted
    numbered = [label for label in labels if label.rpartition(".")[2] == wanted]
    if len(numbered) > 1:
        raise AssonanceError(
            f"layer {printable(wanted)} of {printable(model)}: may be {join_names(numbered)}; "
            "give the whole name"
        )
    if numbered:
        return numbered[0]
    return _found(wanted, labels, f"layer of {printable(model)}", "does not exist")


def find_cell(comparison: Comparison, text: str) -> tuple[str, str]:
    """Return the model and layer that ``MODEL:LAYER`` names.

    Raises
    ------
    AssonanceError
        The text has another form, or there is no such model or layer.
    """
    model, colon, layer = text.rpartition(":")
    if not (model and colon and layer):
        first = comparison.provenance.models[0].name
        example = f"{printable(first)}:{printable(comparison.layers(first)[-1])}"
        raise AssonanceError(
            f"{printable(text)}: names no layer; write MODEL:LAYER, such as {example}"
        )
    name = find_model(comparison, model)
    return name, find_layer(comparison, name, layer)


def find_neuron(comparison: Comparison, model: str, layer: str, neuron: int) -> int:
    """Return the index of a neuron that has scores.

    Parameters
    ----------
    comparison, model, layer
        A layer of the comparison.
    neuron
        Index from 0.

    Raises
    ------
    AssonanceError
        No measure of neurons was taken, or there is no such neuron, or it has no score.
    """
    return _find_unit(comparison.neurons, "neuron", "neuron", (model, layer), neuron)


def find_head(comparison: Comparison, model: str, layer: str, head: int) -> int:
    """Return the index of an attention head that has scores; see `find_neuron`."""
    return _find_unit(comparison.heads, "head_row", "head", (model, layer), head)


def _find_unit(data: xr.Dataset, dim: str, what: str, place: tuple[str, str], index: int) -> int:
    """Return an index along a dimension at which some variable has a score of the layer."""
    model, layer = place
    scored = [
        array.sel(model_row=model, layer_row=layer).notnull()
        for array in data.data_vars.values()
        if dim in array.dims and array.dtype.kind == "f"
    ]
    if not scored:
        raise AssonanceError(f"no measure of {what}s was taken in this run")
    there = np.any([each.any([d for d in each.dims if d != dim]) for each in scored], axis=0)
    where, last = (
        f"of {printable(model)} {printable(layer)}",
        int(np.flatnonzero(there).max(initial=-1)),
    )
    if last < 0:
        raise AssonanceError(f"{what}s {where}: none has a score in this run")
    if not 0 <= index <= last:
        nearest_one = min(max(index, 0), last)
        raise AssonanceError(
            f"{what} {index} {where}: does not exist; did you mean {nearest_one}? "
            f"They are numbered 0 to {last}"
        )
    if not there[index]:
        raise AssonanceError(f"{what} {index} {where}: has no score in this run (it is constant)")
    return index


def _found(name: str, known: Sequence[str], what: str, problem: str) -> str:
    """Return the known name that is meant, or raise with the nearest."""
    if name in known:
        return name
    alike = [each for each in known if each.casefold() == name.strip().casefold()]
    if len(alike) == 1:
        return alike[0]
    have = join_names([printable(each) for each in known], _SHOWN) or "none"
    raise AssonanceError(
        f"{what} {printable(name)}: {problem}{did_you_mean(name, known, _ALIKE)}; there are: {have}"
    )


def _runs_in(folder: Path) -> list[str]:
    """Return the names of the folders in a folder that hold results."""
    try:
        return sorted(each.name for each in folder.iterdir() if (each / RESULTS).is_file())
    except OSError:
        return []
