"""Declare the settings of measures, and the choices that several rooms share."""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Literal

from assonance.errors import AssonanceError, did_you_mean

# What one row of the neuron and layer measures is.
Pool = Literal["frame", "phone", "word", "utterance"]
# How the frames of a phone, word or utterance become one row.
By = Literal["mean", "centre"]
# What to do with an utterance that cannot be used.
OnError = Literal["skip", "stop"]
# Kinds of layers of a checkpoint that can be recorded.
Kind = Literal["blocks", "final", "ffn", "attention", "heads", "cnn"]
# Number formats that a checkpoint can be run in.
Precision = Literal["float32", "bfloat16", "float16"]
Stored = Literal["float32", "float16"]  # number format of activations on disk
# With 39 draws, the 2.5 % and 97.5 % quantiles are the first and the last draw.
_LEAST_DRAWS = 39
_LEAST = {
    "sample_frames": 2,
    "folds": 2,
    "rotations": 1,
    "groups": 2,
    "interval_neurons": 2,
    "shifts": 1,
    "seed": 0,
}
_LARGEST = 2**63 - 1  # of torch's generators, and above any other number here


def check_choice(what: str, value: object, choices: Iterable[str]) -> None:
    """Check that a value is one of those to choose from.

    Raises
    ------
    AssonanceError
        It is not. The message names the choices, and the one that is most like the value.
    """
    known = tuple(choices)
    if value not in known:
        near = did_you_mean(str(value), known)
        raise AssonanceError(f"{what} {value!r}: choose from {', '.join(known)}{near}")


def is_number(value: object) -> bool:
    """Return whether a value is a real number, and not a truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_whole(value: object) -> bool:
    """Return whether a value is a whole number, of Python or numpy, and not a truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)


@dataclass(frozen=True)
class Settings:
    """Choices that the definitions of measures leave open.

    Attributes
    ----------
    name
        Name on the command line and in results.
    variance
        Fraction of a layer's variance that SVCCA and PWCCA keep, above 0 and at most 1.
    cut
        How many principal directions to keep. ``"reach"``: the fewest whose cumulative variance
        reaches `variance`. ``"below"``: those whose cumulative variance stays below it, which is
        one fewer; the published code does this.
    sample_frames
        Number of frames to sample for kernel measures; all frames if there are fewer.
    folds
        Number of cross-validation folds for held-out measures.
    rotations
        Number of random bases that the rotation floor is averaged over.
    groups
        Number of jackknife groups. A group holds whole units and lies within one fold.
    bootstrap
        Number of bootstrap draws of groups, with replacement, or None for the jackknife.
    refit
        Whether the jackknife fits every regression again with each group left out. If not, the
        coefficients are held fixed, at a small part of the cost. The bootstrap always fits again.
    interval_neurons
        Number of neurons of a row layer whose errors and rotated matches are resampled; the others
        have no interval of their own for these. All if there are at most as many.
    shifts
        Number of circular shifts for the shift null; fewer if a fold has too few utterances. Three
        give the mean of the null; p values of .05 need 19. `compare` shifts layers at three depths
        of each model for a mean, and all layers if there are at least 19 shifts.
    attention_seconds
        Longest stretch of speech, in seconds, whose attention is compared whole. Longer
        utterances are cut into equal pieces. None never cuts.
    attention_rows
        Number of query frames of each such stretch whose Jensen–Shannon divergences are computed,
        a random sample that all heads share; 0 for all frames. None for 64; of more than 256
        stretches for fewer, so that about 16384 are drawn in all, and at least 16 of each.
    seed
        Seed of every random draw: sampled frames, folds, groups, bootstrap, rotations, shifts and
        the weights of random twins.

    Raises
    ------
    AssonanceError
        If a number is out of range or of the wrong kind.
    """

    name: str
    variance: float = 0.99
    cut: Literal["reach", "below"] = "reach"
    sample_frames: int = 2000
    folds: int = 5
    rotations: int = 4
    groups: int = 20
    bootstrap: int | None = None
    refit: bool = False
    interval_neurons: int = 192
    shifts: int = 3
    attention_seconds: float | None = 10.0
    attention_rows: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise AssonanceError(f"name must be a word; got {self.name!r}")
        if not is_number(self.variance) or not 0 < self.variance <= 1:
            raise AssonanceError(f"variance must be above 0 and at most 1; got {self.variance!r}")
        if self.cut not in ("reach", "below"):
            raise AssonanceError(f"cut must be 'reach' or 'below'; got {self.cut!r}")
        for name, least in _LEAST.items():
            self._check_whole(name, least)
        if self.bootstrap is not None:
            self._check_whole("bootstrap", _LEAST_DRAWS, " draws, or None")
        seconds = self.attention_seconds
        if seconds is not None and (not is_number(seconds) or not seconds >= 1):
            raise AssonanceError(f"attention_seconds must be at least 1, or None; got {seconds!r}")
        if self.attention_rows is not None:
            self._check_whole("attention_rows", 0, ", 0 for all frames")
        if self.attention_rows == 1:
            raise AssonanceError("attention_rows must be at least 2, or 0 for all frames; got 1")

    def _check_whole(self, name: str, least: int, unit: str = "") -> None:
        value = getattr(self, name)
        if not is_whole(value):
            raise AssonanceError(f"{name} must be a whole number; got {value!r}")
        if int(value) < least:
            raise AssonanceError(f"{name} must be at least {least}{unit}; got {value!r}")
        if int(value) > _LARGEST:
            raise AssonanceError(f"{name} must be at most {_LARGEST}; got {value!r}")

    @property
    def replicated(self) -> Literal["group", "draw"]:
        """Dimension of the replicates: ``"group"`` (jackknife) or ``"draw"`` (bootstrap)."""
        return "group" if self.bootstrap is None else "draw"


SETTINGS = {
    "default": Settings("default"),
    "elkheir2024": Settings(
        "elkheir2024", cut="below", sample_frames=6000, attention_seconds=None, attention_rows=0
    ),
}


def find_settings(settings: str | Settings) -> Settings:
    """Return settings by name; settings themselves are returned as they are.

    Raises
    ------
    AssonanceError
        If no settings have this name.
    """
    if isinstance(settings, Settings):
        return settings
    if not isinstance(settings, str) or settings not in SETTINGS:
        raise AssonanceError(
            f"settings {settings!r} are not known; choose one of: {', '.join(SETTINGS)}"
            f"{did_you_mean(str(settings), SETTINGS)}"
        )
    return SETTINGS[settings]
