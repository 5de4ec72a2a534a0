"""Claims, stated before they are looked at: contrasts of scores, written down in YAML."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from assonance.claims.selection import ANY, BETWEEN, RELATIONS, STRATA, Term
from assonance.errors import AssonanceError, error_text, printable
from assonance.inference.localisation import ROTATED
from assonance.measures import MEASURES

DEFAULT = Path(__file__).with_name("claims.yaml")


_PATTERNS = ("model_row", "layer_row", "model_col", "layer_col")


@dataclass(frozen=True)
class Claim:
    """That one sum of scores exceeds another.

    Attributes
    ----------
    name
        Short, for tables.
    says
        The claim in words, a sentence without its full stop.
    plus, minus
        Means over cells whose sum is claimed to be larger, and smaller.
    match
        What both sides are made alike in, a key of `STRATA`; None where nothing is.
    """

    name: str
    says: str
    plus: tuple[Term, ...]
    minus: tuple[Term, ...]
    match: str | None = None

    @property
    def terms(self) -> tuple[tuple[float, Term], ...]:
        """Every term with its sign, plus first."""
        signs = [1.0] * len(self.plus) + [-1.0] * len(self.minus)
        return tuple(zip(signs, (*self.plus, *self.minus), strict=True))

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of its measures, each once."""
        return tuple(dict.fromkeys(term.measure for _, term in self.terms))

    def allows_for(self, population: str) -> str:
        """Say what its interval allows for, and what not, where speech stands for a population."""
        drawn = ", other random bases" if ROTATED in self.measures else ""
        twins = any("random weights" in term.where for _, term in self.terms)
        given = ", not other random weights" if twins else ""
        return f"{population}{drawn}; not other models{given}"


def load_claims(path: Path | None = None) -> tuple[Claim, ...]:
    """Read claims from a file.

    Parameters
    ----------
    path
        A YAML file in the format of ``claims.yaml``; that file, bundled with assonance, by default.

    Returns
    -------
    tuple of Claim
        In the order of the file, at least one.

    Raises
    ------
    AssonanceError
        It cannot be read or holds something else: names the file, the key and what to do.
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
    """Takes no key twice: the first would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = [key for number, key in enumerate(keys) if key in keys[:number]]
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {twice[0]!r} stands there twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


class _Reader:
    """Turns what a file holds into claims, and says where it cannot."""

    def __init__(self, path: str) -> None:
        self.path = path

    def claims(self, content: Any) -> tuple[Claim, ...]:
        known = self.mapping("the file", content, ("claims",))
        claims = known.get("claims")
        if not isinstance(claims, Mapping) or not claims:
            raise self.wrong("claims", "must hold claims by name")
        for name in claims:
            self.text("claims", name)
        return tuple(self.claim(str(name), claim) for name, claim in claims.items())

    def claim(self, name: str, content: Any) -> Claim:
        key = f"claims.{name}"
        known = self.mapping(key, content, ("says", "plus", "minus", "match"))
        match = known.get("match")
        if match is not None:
            self.one_of(f"{key}.match", match, STRATA)
        plus, minus = (self.terms(f"{key}.{side}", known.get(side)) for side in ("plus", "minus"))
        return Claim(name, self.text(f"{key}.says", known.get("says")), plus, minus, match)

    def terms(self, key: str, content: Any) -> tuple[Term, ...]:
        if not isinstance(content, list) or not content:
            raise self.wrong(key, "must be a list of terms, at least one")
        return tuple(self.term(f"{key}[{number}]", term) for number, term in enumerate(content))

    def term(self, key: str, content: Any) -> Term:
        known = self.mapping(key, content, [each.name for each in fields(Term)])
        measure = self.one_of(f"{key}.measure", known.get("measure"), _of_two_layers())
        where = self.texts(f"{key}.where", known.get("where", []))
        for word in where:
            self.one_of(f"{key}.where", word, RELATIONS)
        between = [word for word in where if word in BETWEEN]
        named = "model_row" in known and "model_col" in known
        if len(between) > 1 or not (between or named):
            raise self.wrong(
                f"{key}.where",
                f"must have one of {', '.join(BETWEEN)}"
                + ("" if between else ", or model_row and model_col must be named"),
            )
        objective = known.get("objective")
        return Term(
            measure,
            where,
            None if objective is None else self.text(f"{key}.objective", objective),
            *(self.texts(f"{key}.{each}", known.get(each, ANY)) for each in _PATTERNS),
        )

    def mapping(self, key: str, content: Any, names: Iterable[str]) -> Mapping[str, Any]:
        if not isinstance(content, Mapping):
            raise self.wrong(key, f"must be a mapping with {', '.join(names)}")
        for name in content:
            self.one_of(key, name, names)
        return content

    def one_of(self, key: str, word: Any, words: Iterable[str]) -> str:
        known = tuple(words)
        if isinstance(word, str) and word in known:
            return word
        near = difflib.get_close_matches(word, known, 1) if isinstance(word, str) else []
        hint = f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(known)}"
        what = "is missing" if word is None else f"{printable(str(word))!r} is not known"
        raise self.wrong(key, f"{what}; {hint}")

    def texts(self, key: str, content: Any) -> tuple[str, ...]:
        parts = [content] if isinstance(content, str) else content
        if not isinstance(parts, list | tuple):
            raise self.wrong(key, "must be a text or a list of texts")
        return tuple(self.text(key, each) for each in parts)

    def text(self, key: str, content: Any) -> str:
        if not isinstance(content, str) or not content.strip() or not content.isprintable():
            raise self.wrong(key, "must be a text on one line")
        return content

    def wrong(self, key: str, what: str) -> AssonanceError:
        return AssonanceError(f"{self.path}: {printable(key)}: {what}")


def _of_two_layers() -> list[str]:
    """Names of the measures of two layers."""
    return [name for name, each in MEASURES.items() if each.across is None]
