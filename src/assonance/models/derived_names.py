"""Names of models that are derived from others: random twins and rotated models."""

from assonance.errors import AssonanceError, printable
from assonance.models.rotated import PREFIX as ROTATED

RANDOM = "random:"


def without_prefixes(spec: str) -> str:
    """Return the checkpoint that a name stands for, also that of a random or rotated model."""
    while spec.startswith((RANDOM, ROTATED)):
        spec = spec.partition(":")[2].rpartition("@")[0]
    return spec


def split_seed(spec: str, prefix: str, what: str, of: str) -> tuple[str, int]:
    """Split ``<prefix><model>@<seed>`` into model and seed.

    Parameters
    ----------
    spec, prefix
        The whole name, and its prefix.
    what, of
        What the name stands for and what it is derived from, for the error message.

    Returns
    -------
    tuple of str and int
        Name of the model, and the seed.

    Raises
    ------
    AssonanceError
        If the model is missing, or the text after the last ``@`` is no whole number.
    """
    original, _, seed = spec.removeprefix(prefix).rpartition("@")
    if not original or not (seed.isascii() and seed.isdigit()) or int(seed) >= 2**63:
        raise AssonanceError(
            f"{printable(spec)}: write a {what} as {prefix}<{of}>@<seed>, the seed a whole number"
        )
    return original, int(seed)
