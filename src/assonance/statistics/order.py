"""Put the two layers of each pair, and all pairs, into one order."""

from collections.abc import Iterable


def in_order(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the distinct unordered pairs, each and all in the order of the names.

    Parameters
    ----------
    names
        All names, in order.
    pairs
        Pairs of these names, each in either order, possibly repeated.
    """
    place = {name: number for number, name in enumerate(names)}
    once = {(a, b) if place[a] <= place[b] else (b, a) for a, b in pairs}
    return sorted(once, key=lambda pair: (place[pair[0]], place[pair[1]]))
