"""One order for the two layers of a pair."""

from collections.abc import Iterable


def in_order(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Put each pair, and all pairs, into the order of the names; each pair once.

    Parameters
    ----------
    names
        Every name that occurs, in order.
    pairs
        Pairs of them, either way round.
    """
    place = {name: number for number, name in enumerate(names)}
    once = {(a, b) if place[a] <= place[b] else (b, a) for a, b in pairs}
    return sorted(once, key=lambda pair: (place[pair[0]], place[pair[1]]))
