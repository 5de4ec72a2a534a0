"""Explain failures of the Hugging Face Hub in one line, with the remedy."""

from collections.abc import Iterator
from contextlib import contextmanager

from httpx2 import HTTPError, InvalidURL, TransportError
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from assonance import demo
from assonance.errors import AssonanceError, did_you_mean, error_text, join_names, printable
from assonance.models.checkpoints.hub.cache import cached_ids, cached_refs
from assonance.utils.files import NO_ROOM

_LOG_IN = "log in with `hf auth login`"


def as_named(hub_id: str, revision: str | None) -> str:
    """Return a model's id with its revision, as people write it."""
    return hub_id if revision is None else f"{hub_id}@{revision}"


@contextmanager
def hub_errors(hub_id: str, revision: str | None) -> Iterator[None]:
    """Convert a failure to read a model from the hub into one line that names the model.

    Raises
    ------
    AssonanceError
        Something failed.
    """
    try:
        yield
    except AssonanceError:
        raise
    except (HTTPError, InvalidURL, OSError, ValueError) as error:
        where = printable(as_named(hub_id, revision))
        raise AssonanceError(f"{where}: {_explain(error, hub_id, revision)}") from error


def is_out_of_reach(error: Exception) -> bool:
    """Return whether a failure lies in the network or the server, so that it may pass."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in (408, 429) or error.response.status_code >= 500
    return isinstance(error, TransportError)


def not_cached(hub_id: str, revision: str | None, *, offline: bool) -> AssonanceError:
    """Return the error for a model that is not in the cache while nothing may be downloaded.

    Parameters
    ----------
    hub_id, revision
        What was asked for.
    offline
        Whether an option forbids downloads, and not an environment variable.
    """
    remedy = "leave out --offline" if offline else "unset HF_HUB_OFFLINE"
    held = list(cached_refs(hub_id))
    hint = f", which holds its revision {join_names(held)}" if held else ""
    return AssonanceError(
        f"{printable(as_named(hub_id, revision))}: no such directory, and not in the local "
        f"cache{hint}; {remedy} to download it{_did_you_mean(hub_id)}"
    )


def _explain(error: Exception, hub_id: str, revision: str | None) -> str:
    """Return what went wrong and what to do, in words."""
    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # why a file could not be had is the cause of its not being here
    if isinstance(error, HFValidationError):
        return "the hub allows no such name; check it"
    if isinstance(error, HfHubHTTPError):
        return _explain_answer(error, hub_id, revision)
    if isinstance(error, TransportError):
        return (
            f"not in the local cache, and the hub at {constants.ENDPOINT} cannot be reached "
            f"({_first_line(error)}); check the network"
        )
    if isinstance(error, OSError):
        what = f"the local cache {printable(constants.HF_HUB_CACHE)} cannot be used"
        remedy = "make it writable"
        if error.errno in NO_ROOM:
            remedy = "make room, and the same command goes on"
        return f"{what} ({error_text(error)}); {remedy}, or set HF_HOME to another folder"
    return (
        f"the answer of {constants.ENDPOINT} cannot be used ({_first_line(error)}); check the "
        "network and HF_ENDPOINT"
    )


def _explain_answer(error: HfHubHTTPError, hub_id: str, revision: str | None) -> str:
    """Return what an answer of the hub that is not the file means, and what to do."""
    page = f"{constants.ENDPOINT}/{hub_id}"
    code = error.response.status_code
    said = error.response.headers.get("X-Error-Message", "")
    if isinstance(error, GatedRepoError):
        return f"its authors give access on request; accept its terms at {page} and {_LOG_IN}"
    if isinstance(error, RevisionNotFoundError):
        return f"the model has no revision {printable(str(revision))}; see {page}/tree/main"
    if isinstance(error, RemoteEntryNotFoundError):
        return f"a file that the hub lists is not there; see {page}/tree/main"
    if code == 401 and said.startswith("Invalid credentials"):
        return f"the hub does not accept your token; {_LOG_IN}, or unset HF_TOKEN"
    if isinstance(error, RepositoryNotFoundError) or code in (401, 404):
        return _explain_unknown(hub_id)
    if code == 403:
        return (
            f"the hub denies access ({printable(said) or 'no reason given'}); use a token that "
            f"may read {page}: {_LOG_IN}"
        )
    if code == 429:
        return f"not in the local cache, and too many requests to the hub; wait, or {_LOG_IN}"
    if code >= 500:
        return f"not in the local cache, and the hub is not available (error {code}); try later"
    return f"the hub answers with error {code} ({_first_line(error)}); see {page}"


def _explain_unknown(hub_id: str) -> str:
    """Return that the hub shows no such model, and which may be meant."""
    what = "no such model on the hub, unless it is private"
    if hub_id in cached_ids():
        return f"{what}; use --offline to take the copy in the local cache, or {_LOG_IN}"
    meant = _did_you_mean(hub_id)
    return f"no such directory, and {what}; check the name, or {_LOG_IN}{meant}"


def _did_you_mean(hub_id: str) -> str:
    """Return a question that names the most similar model at hand, or nothing."""
    at_hand = [*cached_ids(), *(each.name for each in demo.miniatures())]
    for spelling in (hub_id, hub_id.partition("/")[2]):
        if meant := did_you_mean(spelling, at_hand):
            return "" if hub_id in at_hand else meant
    return ""


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message, at most 200 characters of it."""
    words = str(error).strip().partition("\n")[0].rstrip(".:")
    return printable(words[:200]) or type(error).__name__
