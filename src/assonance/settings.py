"""Hold the choices that the definitions of measures leave open."""

from dataclasses import dataclass
from typing import Literal

from assonance.errors import AssonanceError

# A 95 % interval of so many draws ends at the first and at the last.
_LEAST_DRAWS = 39


_LEAST = {"sample_frames": 2, "folds": 2, "rotations": 1, "groups": 2, "shifts": 1}


@dataclass(frozen=True)
class Settings:
    """The choices that definitions leave open.

    Attributes
    ----------
    name
        What users type.
    variance
        Share of a layer's variance that SVCCA and PWCCA keep.
    cut
        ``"reach"``: the fewest directions that reach the share. ``"below"``: those whose
        cumulative share stays below it (one fewer), as in the published code.
    sample_frames
        Frames drawn for kernel measures; all frames where there are no more.
    folds
        Groups of utterances held out in turn by held-out measures.
    rotations
        Random bases averaged in the rotation floor.
    groups
        Groups of utterances left out in turn for intervals: whole units, each within a fold.
    bootstrap
        Draws of groups, with replacement, that intervals are made of; None: of the jackknife, each
        group left out in turn.
    shifts
        Places elsewhere in the corpus with which speech is paired for the shift null; fewer where
        a fold has fewer utterances to be paired with.
    attention_seconds
        Longest stretch of speech whose attention is compared whole; longer utterances are cut
        into equal pieces. None: whole utterances, whatever their length.
    seed
        Of every random draw: sampled frames, folds and groups, the bootstrap, rotations, shifts.

    Raises
    ------
    AssonanceError
        When a number is out of range.
    """

    name: str
    variance: float = 0.99
    cut: Literal["reach", "below"] = "reach"
    sample_frames: int = 2000
    folds: int = 5
    rotations: int = 8
    groups: int = 20
    bootstrap: int | None = None
    shifts: int = 19
    attention_seconds: float | None = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.variance <= 1:
            raise AssonanceError(f"variance must be above 0 and at most 1; got {self.variance}")
        if self.cut not in ("reach", "below"):
            raise AssonanceError(f"cut must be 'reach' or 'below'; got {self.cut!r}")
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise AssonanceError(f"{name} must be at least {least}; got {getattr(self, name)}")
        if self.bootstrap is not None and self.bootstrap < _LEAST_DRAWS:
            raise AssonanceError(
                f"bootstrap must be at least {_LEAST_DRAWS} draws, or None; got {self.bootstrap}"
            )
        if self.attention_seconds is not None and not self.attention_seconds >= 1:
            raise AssonanceError(
                f"attention_seconds must be at least 1, or None; got {self.attention_seconds}"
            )

    @property
    def replicated(self) -> Literal["group", "draw"]:
        """Name of the dimension of replicates: the group left out, or the draw of groups."""
        return "group" if self.bootstrap is None else "draw"


SETTINGS = {
    "default": Settings("default"),
    "elkheir2024": Settings("elkheir2024", cut="below", sample_frames=6000, attention_seconds=None),
}


def find_settings(settings: str | Settings) -> Settings:
    """Look settings up by name.

    Raises
    ------
    AssonanceError
        When the name is unknown.
    """
    if isinstance(settings, Settings):
        return settings
    if settings not in SETTINGS:
        raise AssonanceError(f"settings {settings!r} are not known; use: {', '.join(SETTINGS)}")
    return SETTINGS[settings]
