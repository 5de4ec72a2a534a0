"""Amounts of memory as people write them."""

import re

from assonance.errors import AssonanceError

# What sums and factors may take where nothing else is said.
MEMORY = "4GB"
_UNITS: dict[str, int] = {"": 2**30, "B": 1} | {
    f"{prefix}{unit}": int(base**power)
    for power, prefix in enumerate("KMGT", 1)
    for unit, base in (("", 1000), ("B", 1000), ("iB", 1024))
}
_AMOUNT = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-zA-Z]*)\s*")


def bytes_of(amount: str | float) -> float:
    """Read an amount of memory.

    Parameters
    ----------
    amount
        ``"4GB"``, ``"512 MiB"``; a number without a unit is in GiB.

    Returns
    -------
    float
        Bytes, above 0.

    Raises
    ------
    AssonanceError
        It is no such amount.
    """
    match = _AMOUNT.fullmatch(f"{amount:.12f}" if isinstance(amount, float) else str(amount))
    units = {name.lower(): size for name, size in _UNITS.items()}
    if match is None or match[2].lower() not in units or not float(match[1]):
        raise AssonanceError(f"memory {amount!r} is no amount; give one such as 4GB or 512MB")
    return float(match[1]) * units[match[2].lower()]
