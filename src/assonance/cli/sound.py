"""Find the sound of a report: clips of the moments that excite neurons most."""

from collections.abc import Sequence

from assonance.comparison.hearing import find_sound
from assonance.comparison.kept_run import KeptRun
from assonance.comparison.moments import Sound
from assonance.errors import AssonanceError
from assonance.measures.roles import MATCHED
from assonance.tables.neuron_matches import by_similarity


def check_sound(models: Sequence[str], measures: Sequence[str]) -> None:
    """Check that neurons of several models are matched.

    Raises
    ------
    AssonanceError
        They are not.
    """
    if MATCHED not in measures or len(models) < 2:
        raise AssonanceError(
            "--sound: needs neurons that were matched; "
            f"compare two models or more with -m {MATCHED}"
        )


def sound_of(kept: KeptRun) -> Sound:
    """Find the clips of a run's neurons, of those with the most similar matches first."""
    return find_sound(kept, by_similarity(kept.comparison))


def described(sound: Sound) -> str:
    """Describe in one line how much speech is in the report, and under which licence."""
    licence = sound.licence or "no licence lies beside the speech"
    return (
        f"sound:   {sound.seconds / 60:.1f} minutes of the speech are in the report, "
        f"as clips of {len(sound.clips)} neurons; {licence}"
    )
