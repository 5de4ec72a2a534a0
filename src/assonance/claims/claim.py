"""Read claims from YAML: contrasts of scores, stated before the scores are known."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from assonance.claims.selection import ANY, BETWEEN, CONDITIONS, STRATA, Term
from assonance.errors import AssonanceError, error_text, printable
from assonance.inference.localisation import ROTATED
from assonance.measures.names import LEVELS
from assonance.measures.roles import CONSENSUS

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
    try:
        content = _Loader(path.read_text("utf-8")).get_single_data()
    except (OSError, UnicodeDecodeError) as error:
        raise AssonanceError(
            f"{printable(path)}: cannot be read: {error_text(error)}; give a YAML file of claims"
        ) from None
    except yaml.YAMLError as error:
        raise AssonanceError(f"{printable(path)}: is not YAML: {error_text(error)}") from None
    return _Reader(printable(path)).claims(content)


class _Loader(yaml.SafeLoader):
    """A YAML loader that refuses duplicate keys, which YAML would silently overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        repeated = [key for number, key in enumerate(keys) if key in keys[:number]]
        if repeated:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {repeated[0]!r} is given twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


class _Reader:
    """A strict reader of claims, whose errors name the file and the key."""

    def __init__(self, path: str) -> None:
        self.path = path

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

    def mapping(self, key: str, content: Any, names: Iterable[str]) -> Mapping[str, Any]:
        if not isinstance(content, Mapping):
            raise self.wrong(key, f"must be a mapping (keys: {', '.join(names)})")
        for name in content:
            self.one_of(key, name, names)
        return content

    def one_of(self, key: str, word: Any, words: Iterable[str]) -> str:
        allowed = tuple(words)
        if isinstance(word, str) and word in allowed:
            return word
        near = difflib.get_close_matches(word, allowed, 1) if isinstance(word, str) else []
        hint = f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(allowed)}"
        problem = "is missing" if word is None else f"{printable(str(word))!r} is not known"
        raise self.wrong(key, f"{problem}; {hint}")

    def texts(self, key: str, content: Any) -> tuple[str, ...]:
        parts = [content] if isinstance(content, str) else content
        if not isinstance(parts, list | tuple):
            raise self.wrong(key, "must be a string or a list of strings")
        return tuple(self.text(key, each) for each in parts)

    def text(self, key: str, content: Any) -> str:
        if not isinstance(content, str) or not content.strip() or not content.isprintable():
            raise self.wrong(key, "must be a string on one line")
        return content

    def wrong(self, key: str, problem: str) -> AssonanceError:
        return AssonanceError(f"{self.path}: {printable(key)}: {problem}")


def _measures_of_two_layers() -> list[str]:
    """Return the names of the measures that compare two layers."""
    return [name for name in LEVELS if name != CONSENSUS]
