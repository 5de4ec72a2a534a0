"""Describe a whole comparison: the schema of ``config.yaml``, of the command line and of Python.

A configuration is checked when it is made, before torch is imported. Its keys are those of
`assonance.compare`, with the options of `Corpus.from_path` under ``speech``, those of `Pooling`
under ``pooling`` and those of `Settings` under ``settings``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from assonance.__about__ import __version__
from assonance.activations.shared_rows import Pooling
from assonance.comparison.request import Request
from assonance.corpus.corpus import Reading
from assonance.errors import AssonanceError, did_you_mean, printable
from assonance.measures.roles import STANDARD
from assonance.models.loading import Loading
from assonance.settings import SETTINGS, OnError, Settings, Stored, find_settings
from assonance.utils.memory import MEMORY, parse_bytes
from assonance.utils.yaml_files import read_yaml

if TYPE_CHECKING:
    from assonance.comparison.result import Comparison

# What differs from the defaults, by the name of a preset.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "quick": {
        "measures": ("linreg_heldout", "cka", "maxcorr", "maxcorr_rotated", "linreg_heldout_r"),
        "speech": {"max_hours": 0.25},
        "uncertainty": False,
    },
    "standard": {},
    "study": {"settings": {"shifts": 19, "attention_rows": 0}},
}
_RENAMED = {"pool_by": "by"}  # keys of ``pooling``, and the names in `Pooling`


def _of(kind: type[Any], renamed: Mapping[str, str] | None = None) -> Callable[[Any], Any]:
    """Return what checks the keys of a mapping that a dataclass is made from."""

    def check(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        names = {new: old for old, new in (renamed or {}).items()}
        known = [names.get(each.name, each.name) for each in fields(kind)]
        for key in value:
            if key not in known:
                raise ValueError(f"{printable(str(key))} is not known{_near(str(key), known)}")
        return {(renamed or {}).get(key, key): each for key, each in value.items()}

    return check


def _settings(value: Any) -> Any:
    """Find settings by name, or check the keys of those that are given one by one."""
    if isinstance(value, str):
        return find_settings(value)
    if isinstance(value, Mapping):
        return {"name": "default", **_of(Settings)(value)}
    return value


class Configuration(BaseModel):
    """All that a comparison is made from; see `assonance.compare` for the meaning of each key.

    Raises
    ------
    AssonanceError
        By `make` and `read`, with one line that names the key.

    Examples
    --------
    >>> from assonance import Configuration
    >>> made = Configuration.make({"models": ["hubert-mini", "mel"], "audio": "speech"})
    >>> made.memory
    'auto'
    >>> Configuration.make({"models": ["mel"], "audio": "speech", "memry": "8GB"})
    Traceback (most recent call last):
        ...
    assonance.errors.AssonanceError: memry: is not known; did you mean memory?
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    assonance: str = __version__
    models: tuple[str, ...] = Field(min_length=1)
    audio: str
    out: str | None = None
    measures: tuple[str, ...] = STANDARD
    settings: Annotated[Settings, BeforeValidator(_settings)] = SETTINGS["default"]
    twins: bool = True
    speech: Annotated[Reading, BeforeValidator(_of(Reading))] = Reading()
    pooling: Annotated[Pooling, BeforeValidator(_of(Pooling, _RENAMED))] = Pooling()
    memory: str | float = MEMORY
    device: str = "cpu"
    offline: bool = False
    record: tuple[str, ...] = ("blocks",)
    precision: str = "float32"
    pickles: bool = True
    preprocessors: Mapping[str, str] = Field(default_factory=dict)
    configs: Mapping[str, str] = Field(default_factory=dict)
    on_error: OnError = "skip"
    seeds: Mapping[str, str] = Field(default_factory=dict)
    tuned_from: Mapping[str, str] = Field(default_factory=dict)
    uncertainty: bool = True
    diff: bool = False
    store: Stored = "float32"

    @classmethod
    def make(cls, values: Any, where: str = "") -> Self:
        """Check values and make a configuration of them.

        Parameters
        ----------
        values
            By key. What is not given has its default.
        where
            Begins the message of an error, such as the name of a file.
        """
        begin = f"{where}: " if where else ""
        if not isinstance(values, Mapping):
            raise AssonanceError(f"{begin}must map options to values, such as `audio: speech`")
        try:
            made = cls.model_validate(dict(values))
            made.request()
            parse_bytes(made.memory)
        except ValidationError as error:
            raise AssonanceError(f"{begin}{_line(error, cls.model_fields)}") from error
        except AssonanceError as error:
            raise AssonanceError(f"{begin}{error}") from error
        return made

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a YAML file, such as the ``config.yaml`` of a run.

        Paths in it are those of the folder where the command was started.
        """
        return cls.make(read_yaml(Path(path)), printable(path))

    @classmethod
    def of(
        cls,
        models: Iterable[str],
        audio: str,
        out: Path | None,
        request: Request,
        *,
        diff: bool = False,
    ) -> Self:
        """Describe a comparison by its request."""
        loading = request.loading
        own = {name: value for name, value in vars(request).items() if name in cls.model_fields}
        return cls.model_construct(
            models=tuple(models),
            audio=audio,
            out=None if out is None else str(out),
            **own,
            **{each.name: getattr(loading, each.name) for each in fields(loading)},
            speech=request.reading,
            diff=diff,
        )

    def request(self) -> Request:
        """Return the options of the comparison."""
        own = {name: getattr(self, name) for name in Request.__dataclass_fields__ if name in _KEYS}
        loading = Loading(**{each.name: getattr(self, each.name) for each in fields(Loading)})
        return Request(**own, loading=loading, reading=self.speech)

    def values(self) -> dict[str, Any]:
        """Return all values by key, as YAML has them."""
        values = {
            name: asdict(value) if isinstance(value, Settings | Reading | Pooling) else value
            for name, value in self
        }
        back = {new: old for old, new in _RENAMED.items()}
        values["pooling"] = {back.get(key, key): each for key, each in values["pooling"].items()}
        for name, value in values.items():
            if isinstance(value, tuple):
                values[name] = list(value)
            elif isinstance(value, Mapping):
                values[name] = dict(value)
        for name in ("diff", "store"):  # said only where it is not as usual
            if values[name] == type(self).model_fields[name].default:
                del values[name]
        return values

    def compare(self, out: str | Path | None = None, **how: Any) -> "Comparison":
        """Run the comparison; see `assonance.compare` for `out` and ``progress``."""
        from importlib import import_module  # what runs comparisons imports torch

        comparing = import_module("assonance.comparison.compare")
        found: Comparison = comparing.compare_request(
            self.models, self.audio, self.request(), out, **how
        )
        return found


_KEYS = set(Configuration.model_fields)


def merge(values: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with others in their place, key by key also inside mappings of options."""
    merged = dict(values)
    for key, value in more.items():
        inner = merged.get(key)
        inside = key in ("settings", "speech", "pooling")
        both = inside and isinstance(inner, Mapping) and isinstance(value, Mapping)
        merged[key] = {**inner, **value} if both and isinstance(inner, Mapping) else value
    return merged


def _line(error: ValidationError, known: Iterable[str]) -> str:
    """Return the first problem as one line that names the key."""
    first = error.errors(include_url=False)[0]
    key = ".".join(printable(str(each)) for each in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{key}: is not known{_near(key, known)}"
    if first["type"] == "missing":
        return f"{key}: is missing"
    words = first["msg"].removeprefix("Value error, ")
    words = words.replace("Tuple", "List").replace("tuple", "list").replace("dictionary", "mapping")
    words = words[:1].lower() + words[1:]
    given = "" if first["type"] == "value_error" else f"; got {_short(first['input'])}"
    return f"{key}: {words}{given}"


def _near(name: str, known: Iterable[str]) -> str:
    names = list(known)
    return did_you_mean(name, names) or f"; choose from {', '.join(names)}"


def _short(value: object) -> str:
    text = printable(repr(value))
    return text if len(text) <= 40 else f"{text[:39]}…"
