"""Find a checkpoint's configuration, preprocessing and weights, in whatever form it comes."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from assonance.errors import AssonanceError, join_names, printable
from assonance.models.checkpoints.adapters import Adapter, is_adapter, read_adapter
from assonance.models.checkpoints.architecture import Foreign, recognise
from assonance.models.checkpoints.files import Files, LocalFiles, read_json
from assonance.models.checkpoints.location import locate
from assonance.models.checkpoints.weights import (
    INDEXES,
    Weights,
    choose_weights,
    single_file_weights,
    stored_shapes,
)

# What a preprocessor_config.json holds, and notes on where it is from.
Preprocessing = tuple[Mapping[str, Any], tuple[str, ...]]

CONFIG = "config.json"
_PREPROCESSOR, _PROCESSOR = "preprocessor_config.json", "processor_config.json"


@dataclass(frozen=True)
class Opening:
    """Options for opening a checkpoint.

    Attributes
    ----------
    offline
        Whether to use only what is on this machine.
    pickles
        Whether weights pickled by torch may be read.
    preprocessor
        File, folder or hub id whose preprocessing replaces the checkpoint's own, or None.
    spare_preprocessor
        The same for a checkpoint that brings none of its own.
    config
        File, folder or hub id with the configuration of this file of weights, which has none; or
        None.
    spare_config
        The same for any file of weights that has none.
    """

    offline: bool = False
    pickles: bool = True
    preprocessor: str | None = None
    spare_preprocessor: str | None = None
    config: str | None = None
    spare_config: str | None = None


@dataclass(frozen=True)
class Published:
    """A checkpoint with its configuration and preprocessing; its weights are not read.

    Attributes
    ----------
    name
        Short name.
    source
        Name or path as given.
    where
        How messages name it.
    config
        Content of ``config.json``.
    preprocessing
        Returns the content of ``preprocessor_config.json``, and notes if it is not the
        checkpoint's own. It raises `AssonanceError` if there is none.
    weights
        Chooses the files of the weights. It raises `AssonanceError` if none can be opened.
    origin
        Toolkit whose form the files have, such as "transformers" or "fairseq".
    names
        From a weight's name in the file to its name in transformers; None keeps all names.
    notes
        What readers of results must know of its configuration.
    files
        All its files.
    adapter
        The adapter to be merged into the weights, or None.
    """

    name: str
    source: str
    where: str
    config: Mapping[str, Any]
    preprocessing: Callable[[], "Preprocessing"]
    weights: Callable[[], Weights]
    files: Files
    origin: str = "transformers"
    names: Mapping[str, str] | None = None
    notes: tuple[str, ...] = field(default=())
    adapter: Adapter | None = None


def find_published(spec: str | Path, opening: Opening) -> Published:
    """Find a checkpoint and read its configuration and preprocessing.

    Parameters
    ----------
    spec
        As `assonance.models.checkpoints.location.locate` takes it.
    opening
        Options.

    Returns
    -------
    Published
        Only small files were fetched.

    Raises
    ------
    AssonanceError
        The checkpoint does not exist, or its configuration is missing.
    """
    files = locate(spec, offline=opening.offline)
    source = os.fspath(spec)
    if is_adapter(files):
        return _adapted(files, source, opening)
    return _complete(files, source, opening)


def _complete(files: Files, source: str, opening: Opening) -> Published:
    """Find the configuration and preprocessing of a model that is no adapter."""
    if isinstance(files, LocalFiles) and files.only:
        return _single_file(files, source, opening)
    wanted = [name for name in (CONFIG, _PREPROCESSOR, _PROCESSOR, *INDEXES) if name in files.files]
    if CONFIG not in wanted:
        raise AssonanceError(f"{files.where}: {_no_config(files)}")
    _refuse_second_config(files, opening)
    folder = files.fetch(wanted)
    return Published(
        files.name,
        source,
        files.where,
        read_json(folder, CONFIG, files.where),
        partial(_preprocessing, files, opening),
        partial(choose_weights, files, pickles=opening.pickles),
        files,
    )


def _adapted(files: Files, source: str, opening: Opening) -> Published:
    """Find the base of an adapter, which has the adapter's name and preprocessing."""
    if isinstance(files, LocalFiles) and files.only:
        raise AssonanceError(f"{files.where}: a part of an adapter; give the folder that holds it")
    adapter = read_adapter(files, pickles=opening.pickles)
    try:
        beneath = files if adapter.beside else locate(adapter.base, offline=opening.offline)
        if beneath is not files and is_adapter(beneath):
            raise AssonanceError(f"{beneath.where}: an adapter itself; merge it into its own base")
        base = _complete(beneath, adapter.base, opening)
    except AssonanceError as error:
        raise AssonanceError(
            f"{files.where}: an adapter whose base cannot be opened: {error}"
        ) from error
    own = not {_PREPROCESSOR, _PROCESSOR}.isdisjoint(files.files)
    return replace(
        base,
        name=files.name,
        source=source,
        where=f"{files.where} (an adapter of {base.where})",
        preprocessing=partial(_preprocessing, files, opening) if own else base.preprocessing,
        adapter=adapter,
    )


def _single_file(files: LocalFiles, source: str, opening: Opening) -> Published:
    """Find the configuration and preprocessing of a single file of weights."""
    weights = single_file_weights(files, pickles=opening.pickles)
    shapes, settings = stored_shapes(files.folder / str(files.only), files.where)
    try:
        found = recognise(shapes, settings)
    except AssonanceError as error:
        raise AssonanceError(f"{files.where}: {error}") from error
    if found is None:
        raise AssonanceError(
            f"{files.where}: holds weights of no known form ({join_names(list(shapes))}); "
            "known are those of transformers, fairseq, torchaudio and s3prl"
        )
    beside = LocalFiles(files.folder)
    config, notes = _config(files, beside, found, opening)
    if found.preprocessing is None or opening.preprocessor is not None:
        preprocessing = partial(_given_to_file, files, beside, found, opening)
    else:
        preprocessing = partial(_as_it_is, found.preprocessing)
    return Published(
        files.name,
        source,
        files.where,
        config,
        preprocessing,
        lambda: weights,
        files,
        origin=found.origin,
        names=found.names,
        notes=notes,
    )


def _config(
    files: LocalFiles, beside: LocalFiles, found: Foreign, opening: Opening
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return the configuration of a single file, and notes on where it is from."""
    if found.config is not None:
        _refuse_second_config(files, opening)
        return found.config, ()
    if opening.config is None and CONFIG in beside.files:
        return read_json(beside.folder, CONFIG, beside.where), ()
    given = opening.config or opening.spare_config
    if given is not None:
        config = _read_from(given, CONFIG, opening.offline)
        return config, (f"{files.name}: configuration taken from {printable(given)}",)
    what = f"does not hold {found.lacks}" if found.lacks else "holds no configuration"
    raise AssonanceError(
        f"{files.where}: {what}, and no config.json is beside it; name one of the same "
        "architecture with --model-config FILE_OR_ID"
    )


def _refuse_second_config(files: Files, opening: Opening) -> None:
    if opening.config is not None:
        raise AssonanceError(f"{files.where}: has its own configuration; leave out --model-config")


def _no_config(files: Files) -> str:
    """Return why a folder without a configuration is no model, and the remedy."""
    if single := [name for name in files.files if Path(name).suffix in {".pt", ".pth"}]:
        return f"no config.json; give the file itself, such as {printable(single[0])}"
    return "no config.json; give the directory of a saved model"


def _given_to_file(
    files: LocalFiles, beside: LocalFiles, found: Foreign, opening: Opening
) -> Preprocessing:
    """Return preprocessing for a file of weights that must agree with what the file states."""
    preprocessing, notes = _preprocessing(beside, opening, files.where, files.name)
    given = preprocessing.get("do_normalize", True)  # the default of transformers
    if found.preprocessing is None and found.normalizes not in (None, given):
        raise AssonanceError(
            f"{files.where}: states that its input is {_words(found.normalizes)}, and the given "
            f"preprocessing that it is {_words(given)}; give another with --preprocessor"
        )
    return preprocessing, notes


def _words(normalizes: bool) -> str:
    return "normalised" if normalizes else "not normalised"


def _as_it_is(preprocessing: Mapping[str, Any]) -> Preprocessing:
    """Return preprocessing that a file of weights settles."""
    return preprocessing, ()


def _preprocessing(
    files: Files, opening: Opening, where: str = "", name: str = ""
) -> Preprocessing:
    """Return the preprocessing of a model, and notes if it is not its own."""
    where, name = where or files.where, name or files.name
    own = None if opening.preprocessor else _own_preprocessing(files)
    if own is not None:
        return own, ()
    given = opening.preprocessor or opening.spare_preprocessor
    if given is None:
        what = (
            f"no {_PREPROCESSOR}, which defines the model's input; name one"
            if where == files.where
            else f"does not settle its sampling rate and normalisation; name a {_PREPROCESSOR}"
        )
        raise AssonanceError(f"{where}: {what} with --preprocessor FILE_OR_ID")
    note = f"{name}: preprocessing taken from {printable(given)}"
    return _read_from(given, _PREPROCESSOR, opening.offline), (note,)


def _own_preprocessing(files: Files) -> Mapping[str, Any] | None:
    """Return the preprocessing that a model brings, in its own file or nested, or None."""
    if _PREPROCESSOR in files.files:
        return read_json(files.fetch([_PREPROCESSOR]), _PREPROCESSOR, files.where)
    if _PROCESSOR in files.files:
        nested = read_json(files.fetch([_PROCESSOR]), _PROCESSOR, files.where)
        if isinstance(own := nested.get("feature_extractor"), dict):
            return own
    return None


def _read_from(given: str, name: str, offline: bool) -> Mapping[str, Any]:
    """Read a JSON file that is named by itself, by its folder or by a hub id."""
    files = locate(given, offline=offline)
    if isinstance(files, LocalFiles) and files.only:
        return read_json(files.folder, files.only, printable(files.folder))
    own = _own_preprocessing(files) if name == _PREPROCESSOR else None
    if own is not None:
        return own
    if name not in files.files:
        raise AssonanceError(f"{files.where}: no {name}; name a file or model that has it")
    return read_json(files.fetch([name]), name, files.where)
