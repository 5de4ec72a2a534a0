"""Names of models that a seed makes of another: ``<prefix><model>@<seed>``."""

from assonance.errors import AssonanceError, printable


def parted(spec: str, prefix: str, what: str, of: str) -> tuple[str, int]:
    """Part such a name into the model's and the seed.

    Parameters
    ----------
    spec, prefix
        The whole name, and what it begins with.
    what, of
        What it names and what it is made of, for the error.

    Returns
    -------
    tuple of str and int
        The model's name and the seed.

    Raises
    ------
    AssonanceError
        There is no model in it, or no whole number behind the last ``@``.
    """
    original, _, seed = spec.removeprefix(prefix).rpartition("@")
    if not original or not (seed.isascii() and seed.isdigit()) or int(seed) >= 2**63:
        raise AssonanceError(
            f"{printable(spec)}: write a {what} as {prefix}<{of}>@<seed>, the seed a whole number"
        )
    return original, int(seed)
