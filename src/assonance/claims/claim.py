"""Read claims from YAML: contrasts of scores, stated before the scores are known."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from assonance.claims.selection import ANY, BETWEEN, CONDITIONS, STRATA, Term
from assonance.errors import printable
from assonance.inference.localisation import ROTATED
from assonance.measures.names import LEVELS
from assonance.measures.roles import CONSENSUS
from assonance.utils.strict_reader import StrictReader
from assonance.utils.yaml_files import read_yaml

DEFAULT = Path(__file__).with_name("claims.yaml")

_PATTERNS = ("model_row", "layer_row", "model_col", "layer_col")


@dataclass(frozen=True)
class Claim:
    """The hypothesis that one sum of mean scores exceeds another.

    Attributes
    ----------
    name
        Short name for tables.
    says
        The claim as a sentence without its full stop.
    plus, minus
        Terms of the sum that is claimed to be larger, and of the smaller one.
    match
        A key of `STRATA` in which both sides are matched, or None.
    """

    name: str
    says: str
    plus: tuple[Term, ...]
    minus: tuple[Term, ...]
    match: str | None = None

    @property
    def terms(self) -> tuple[tuple[float, Term], ...]:
        """Every term with its sign, plus terms first."""
        signs = [1.0] * len(self.plus) + [-1.0] * len(self.minus)
        return tuple(zip(signs, (*self.plus, *self.minus), strict=True))

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of its measures without repetition."""
        return tuple(dict.fromkeys(term.measure for _, term in self.terms))

    def allows_for(self, population: str) -> str:
        """Describe the sampling variation that its interval covers, and what it takes as given.

        Parameters
        ----------
        population
            The speech that the interval generalises to, in words.
        """
        bases = ", other random bases" if ROTATED in self.measures else ""
        twins = any("random weights" in term.where for _, term in self.terms)
        given = ", not other random weights" if twins else ""
        return f"{population}{bases}; not other models{given}"


def load_claims(path: Path | None = None) -> tuple[Claim, ...]:
    """Load claims from a YAML file.

    Parameters
    ----------
    path
        A file in the format of the bundled ``claims.yaml``; that file by default.

    Returns
    -------
    tuple of Claim
        At least one, in the order of the file.

    Raises
    ------
    AssonanceError
        The file cannot be read or does not have the format. The message names the file and key.
    """
    path = DEFAULT if path is None else path
    return claims_in(read_yaml(path), path)


def claims_in(content: Any, path: Path) -> tuple[Claim, ...]:
    """Read claims from the content of a YAML file.

    Parameters
    ----------
    content
        A mapping with the one key ``claims``.
    path
        The file, for error messages.

    Raises
    ------
    AssonanceError
        The content does not have the format. The message names the file and key.
    """
    return _Reader(printable(path)).claims(content)


class _Reader(StrictReader):
    """A strict reader of claims."""

    def claims(self, content: Any) -> tuple[Claim, ...]:
        claims = self.mapping("the file", content, ("claims",)).get("claims")
        if not isinstance(claims, Mapping) or not claims:
            raise self.wrong("claims", "must map names to claims")
        for name in claims:
            self.text("claims", name)
        return tuple(self.claim(str(name), claim) for name, claim in claims.items())

    def claim(self, name: str, content: Any) -> Claim:
        key = f"claims.{name}"
        entries = self.mapping(key, content, ("says", "plus", "minus", "match"))
        match = entries.get("match")
        if match is not None:
            self.one_of(f"{key}.match", match, STRATA)
        plus, minus = (self.terms(f"{key}.{side}", entries.get(side)) for side in ("plus", "minus"))
        return Claim(name, self.text(f"{key}.says", entries.get("says")), plus, minus, match)

    def terms(self, key: str, content: Any) -> tuple[Term, ...]:
        if not isinstance(content, list) or not content:
            raise self.wrong(key, "must be a list of terms, at least one")
        return tuple(self.term(f"{key}[{number}]", term) for number, term in enumerate(content))

    def term(self, key: str, content: Any) -> Term:
        entries = self.mapping(key, content, [each.name for each in fields(Term)])
        measure = self.one_of(f"{key}.measure", entries.get("measure"), _measures_of_two_layers())
        where = self.texts(f"{key}.where", entries.get("where", []))
        for word in where:
            self.one_of(f"{key}.where", word, CONDITIONS)
        between = [word for word in where if word in BETWEEN]
        named = "model_row" in entries and "model_col" in entries
        if len(between) > 1 or not (between or named):
            raise self.wrong(
                f"{key}.where",
                f"must have exactly one of {', '.join(BETWEEN)}"
                + ("" if between else ", or give both model_row and model_col"),
            )
        objective = entries.get("objective")
        return Term(
            measure,
            where,
            None if objective is None else self.text(f"{key}.objective", objective),
            *(self.texts(f"{key}.{each}", entries.get(each, ANY)) for each in _PATTERNS),
        )


def _measures_of_two_layers() -> list[str]:
    """Return the names of the measures that compare two layers."""
    return [name for name in LEVELS if name != CONSENSUS]
