"""Records are read back as they were written, those of earlier versions too."""

import json
from dataclasses import replace

from comparisons import comparison

from assonance.comparison.records import Provenance


def test_a_record_is_read_back_as_it_was_written():
    made = comparison().provenance
    models = (*made.models[:1], replace(made.models[1], tuned_from=made.models[0].name))
    stated = replace(made, models=models, notes=("beware",))
    assert Provenance.from_json(stated.to_json()) == stated


def test_a_record_without_stated_bases_is_read_and_written_again():
    made = comparison().provenance
    old = json.loads(made.to_json())
    for model in old["models"]:
        del model["tuned_from"]
    found = Provenance.from_json(json.dumps(old))
    assert found == made
    assert Provenance.from_json(found.to_json()) == made
