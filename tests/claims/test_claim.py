"""Claims are read strictly, and errors are one line that names the key."""

import numpy as np
import pytest
import yaml

from assonance.claims.claim import Claim, load_claims
from assonance.claims.selection import Term
from assonance.errors import AssonanceError

GOOD = {
    "says": "One is more than the other",
    "plus": [{"measure": "cka", "where": ["across"]}],
    "minus": [{"measure": "cka", "where": ["within"]}],
}


def written(tmp_path, content):
    path = tmp_path / "claims.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), "utf-8")
    return path


def refused(tmp_path, content):
    path = written(tmp_path, content)
    with pytest.raises(AssonanceError) as caught:
        load_claims(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{path}: ")
    return line.removeprefix(f"{path}: ")


def changed(**keys):
    return {"claims": {"mine": GOOD | keys}}


def test_the_bundled_claims_have_the_right_terms():
    claims = {each.name: each for each in load_claims()}
    neurons = claims["shared neurons"]
    assert neurons.plus == (Term("maxcorr", ("across",)),)
    assert neurons.minus == (Term("maxcorr_rotated", ("across",)),)
    # (r − maxcorr) − (maxcorr − rotated)
    signed = {}
    for sign, term in claims["distributed beyond localised"].terms:
        signed[term.measure] = signed.get(term.measure, 0) + sign
    assert signed == {"linreg_heldout_r": 1, "maxcorr": -2, "maxcorr_rotated": 1}
    assert all(len(each.plus) == len(each.minus) for each in claims.values())


def test_a_users_claims_have_the_bundled_format(tmp_path):
    term = {"measure": "cka", "where": "fine-tuned", "layer_row": ["encoder.1", "encoder.2"]}
    path = written(tmp_path, changed(plus=[term | {"objective": "contrastive"}], match="size"))
    (claim,) = load_claims(path)
    expected = Term("cka", ("fine-tuned",), "contrastive", layer_row=("encoder.1", "encoder.2"))
    assert claim == Claim("mine", GOOD["says"], (expected,), (Term("cka", ("within",)),), "size")


def test_models_may_be_named_instead_of_related(tmp_path):
    named = {"measure": "cka", "model_row": "hubert*", "model_col": "mel"}
    (claim,) = load_claims(written(tmp_path, changed(minus=[named])))
    assert claim.minus == (Term("cka", model_row=("hubert*",), model_col=("mel",)),)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file: must be a mapping (keys: claims)"),
        ("claims: [", "is not YAML: "),
        ("claims: {}", "claims: must map names to claims"),
        ("claim: {}", "the file: 'claim' is not known; did you mean 'claims'?"),
        ("claims: {a: 1}", "claims.a: must be a mapping (keys: says, plus, minus, match)"),
        (changed(sais="x"), "claims.mine: 'sais' is not known; did you mean 'says'?"),
        (changed(says=""), "claims.mine.says: must be a string on one line"),
        (changed(says="a\nb"), "claims.mine.says: must be a string on one line"),
        (changed(plus=[]), "claims.mine.plus: must be a list of terms, at least one"),
        (changed(minus={"measure": "cka"}), "claims.mine.minus: must be a list of terms"),
        (
            changed(match="colour"),
            "claims.mine.match: 'colour' is not known; use one of: objective",
        ),
        (changed(plus=[{}]), "claims.mine.plus[0].measure: is missing; use one of: attn_"),
        (
            changed(plus=[{"measure": "ckaa", "where": ["across"]}]),
            "claims.mine.plus[0].measure: 'ckaa' is not known; did you mean 'cka'?",
        ),
        (
            changed(plus=[{"measure": "mincorr", "where": ["across"]}]),
            "claims.mine.plus[0].measure: 'mincorr' is not known",
        ),
        (
            changed(plus=[{"measure": "cka", "where": ["accross"]}]),
            "claims.mine.plus[0].where: 'accross' is not known; did you mean 'across'?",
        ),
        (
            changed(plus=[{"measure": "cka", "where": ["across", "within"]}]),
            "claims.mine.plus[0].where: must have exactly one of across, within,",
        ),
        (
            changed(plus=[{"measure": "cka", "where": ["same layer"], "model_row": "a"}]),
            "claims.mine.plus[0].where: must have exactly one of across, within,",
        ),
        (
            changed(plus=[{"measure": "cka", "where": ["across"], "model_row": 3}]),
            "claims.mine.plus[0].model_row: must be a string or a list of strings",
        ),
        (
            changed(plus=[{"measure": "cka", "where": ["across"], "objective": ["a"]}]),
            "claims.mine.plus[0].objective: must be a string on one line",
        ),
        ("claims:\n  a: {}\n  a: {}\n", "is not YAML: key 'a' is given twice"),
    ],
)
def test_errors_name_the_key(tmp_path, content, said):
    assert refused(tmp_path, content).startswith(said)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AssonanceError, match=r"none\.yaml: cannot be read: No such file"):
        load_claims(tmp_path / "none.yaml")


def test_a_binary_file_is_refused(tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_bytes(np.random.default_rng(0).bytes(200))
    with pytest.raises(AssonanceError, match="is not YAML: "):
        load_claims(path)


def test_a_claim_describes_what_its_interval_allows_for():
    known = {each.name: each.allows_for("other speakers") for each in load_claims()}
    assert known["depth"] == "other speakers; not other models"
    assert known["shared neurons"] == "other speakers, other random bases; not other models"
    assert known["shared space, CKA"].endswith("not other models, not other random weights")
