"""Every role is played by measures that exist, and naming them needs no torch."""

import subprocess
import sys

import pytest

from assonance.inference import localisation
from assonance.measures import MEASURES, roles


def names(role):
    """Flatten a role: a name, a tuple of names, names by kind, or pairs of names."""
    if isinstance(role, str):
        return [role]
    if isinstance(role, dict):
        pairs = [(*([key] if key in MEASURES else []), value) for key, value in role.items()]
        return [name for pair in pairs for each in pair for name in names(each)]
    return [name for each in role for name in names(each)]


@pytest.mark.parametrize("role", roles.__all__)
def test_every_name_is_a_registered_measure(role):
    found = names(getattr(roles, role))
    assert found
    assert set(found) <= set(MEASURES)


def test_every_constant_of_the_module_is_listed_as_a_role():
    assert sorted(roles.__all__) == sorted(name for name in vars(roles) if name.isupper())


def test_held_out_measures_are_held_out_and_the_others_in_sample():
    for in_sample, held_out in roles.HELD_OUT.items():
        assert MEASURES[held_out].needs == "folds"
        assert MEASURES[in_sample].needs != "folds"


def test_what_is_always_shown_is_computed_by_default():
    for role in (roles.LEADING[:1], roles.FIRST_SHOWN, roles.PREDICTING[:1], roles.DOMINANCE):
        assert set(role) <= set(roles.STANDARD)
    single = {roles.MATCHED, roles.PREDICTED_R, roles.CONSENSUS, roles.ROTATED}
    assert single <= set(roles.STANDARD)


def test_the_localisation_index_is_between_the_same_measures():
    assert localisation.PREDICTED_R[0] == roles.PREDICTED_R
    assert localisation.is_localised([roles.MATCHED, roles.ROTATED, roles.PREDICTED_R])


def test_the_module_imports_neither_torch_nor_a_measure():
    code = (
        "import sys, types\n"
        "package = types.ModuleType('assonance.measures')\n"
        "import assonance\n"
        "package.__path__ = [assonance.__path__[0] + '/measures']\n"
        "sys.modules['assonance.measures'] = package\n"
        "import assonance.measures.roles\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
