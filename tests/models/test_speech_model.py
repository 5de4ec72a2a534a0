"""What a model can do is found without computing its properties."""

from assonance.models import is_precomputed, is_rounded, runs_batches


class Plain:
    """A model whose properties must not be computed."""

    @property
    def fingerprint(self):
        raise AssertionError


class Batched(Plain):
    def run_batch(self, batch):
        raise AssertionError


class Filed(Plain):
    def look_up(self, utterance):
        raise AssertionError


class Half(Plain):
    precision = "bfloat16"


class Full(Plain):
    precision = "float32"


def test_only_a_model_with_run_batch_runs_batches():
    assert [runs_batches(kind()) for kind in (Plain, Batched)] == [False, True]


def test_only_a_model_with_look_up_is_precomputed():
    assert [is_precomputed(kind()) for kind in (Plain, Filed)] == [False, True]


def test_only_less_than_float32_is_rounded():
    assert [is_rounded(kind()) for kind in (Plain, Full, Half)] == [False, False, True]
