import pytest

from assonance.errors import AssonanceError
from assonance.models.checkpoints.settings import MissingSetting, find_settings, shown


def layers_of(expression):
    return find_settings({"cfg": {"conv_feature_layers": expression}}).convolutions()


@pytest.mark.parametrize(
    "expression",
    [
        "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] + [(512,2,2)]",
        "[(512, 10, 5), (512, 8, 4)] + [(512, 4, 2)] * 3 + [(512, 1, 1)]",
        " 2 * ([(8, 3, 2)] + [(8, 2, 1)]) ",
        "[(512, 10, 5)]",
        "[(512, 10, 5)] + []",
        "[\n(512, 10, 5),\n]",
    ],
)
def test_an_expression_of_convolutions_has_the_value_that_python_gives_it(expression):
    assert layers_of(expression) == eval(expression.strip())  # noqa: S307 - these very texts


@pytest.mark.parametrize(
    "expression",
    [
        *("", "[]", "[(512, 10, 5)] * 0", "(512, 10, 5)", "512", "[512]", "[(512, 10)]"),
        *("[(512, 10, 0)]", "[(512, 10, 5.0)]", "[(512, 10, -5)]", "[[512, 10, 5]]"),
        *("[(512, 10, True)]", "[(512, 10, 5)", "[(512, 10, 5)] [0]", "[(512, 10, 5)](2)"),
        *("[(512, 10, 5)] * 9999999999999", "([(1, 1, 1)] * 64) * 64", "[(1, 1, 1)] * 64 * 64"),
        *("__import__('os').system('true')", "[(x, x, x) for x in (1,)]", "[(512, 10, ٥)]"),
        *("(" * 900, "[" * 999, "+" * 900 + "1", "[(1, 1, 1)]" + "+[(1, 1, 1)]" * 80),
        *("9" * 999, "[(512, 10, " + "9" * 900 + ")]", "[(1, 1, 1)] + " * 200),
        *("[(1, 1, 1)] + (1, 1, 1)", "[(1, 1, 1)] + 1", "[(1, 1, 1)] * [2]", "2 * 2"),
        *([[512, 10, 5]], 512, {"layers": 7}),
    ],
)
def test_anything_else_is_refused_in_one_line_and_never_run(expression):
    with pytest.raises(AssonanceError) as refusal:
        layers_of(expression)
    message = str(refusal.value)
    assert message.startswith("its settings give cfg.conv_feature_layers as ")
    assert message.isprintable()
    assert len(message) < 300


def test_settings_are_found_where_each_toolkit_keeps_them():
    model, task = {"encoder_layers": 3}, {"normalize": True}
    places = {
        "cfg.model": {"cfg": {"model": model, "task": task}, "args": None},
        "args": {"args": model | task, "cfg": None},
        "model_cfg": {"model_cfg": model, "task_cfg": task},
        "cfg": {"cfg": model | task},
    }
    for place, stored in places.items():
        found = find_settings(stored)
        assert (found.place, found.fine_tuned) == (place, False)
        assert found.model["encoder_layers"] == 3
        assert found.normalize() is True
        assert found.sampling_rate() == (None if place == "cfg" else 16000)


def test_settings_of_a_fine_tuned_encoder_are_those_of_its_pretraining():
    inner, task = {"encoder_layers": 3}, {"normalize": True, "sample_rate": 8000}
    places = {
        "cfg.model.w2v_args.model": {"cfg": {"model": {"w2v_args": {"model": inner}}}},
        "cfg.model.w2v_args": {"cfg": {"model": {"w2v_args": inner}}},
        "args.w2v_args": {"args": {"w2v_args": inner, "encoder_layers": 9}},
    }
    for place, stored in places.items():
        found = find_settings(stored)
        assert (found.place, found.fine_tuned, found.model) == (place, True, inner)
    found = find_settings({"cfg": {"model": {"w2v_args": {"model": inner, "task": task}}}})
    assert (found.normalize(), found.sampling_rate()) == (True, 8000)


@pytest.mark.parametrize("stored", [{}, {"cfg": None, "args": None}, {"cfg": "hubert"}])
def test_a_file_may_have_no_settings(stored):
    assert find_settings(stored) is None


def test_a_missing_setting_is_named_with_its_place():
    found = find_settings({"cfg": {"model": {"layer_norm_first": None}}})
    with pytest.raises(MissingSetting, match=r"^cfg\.model\.layer_norm_first$"):
        found.flag("layer_norm_first")


def test_a_number_is_no_flag_and_a_flag_no_number():
    found = find_settings({"args": {"conv_bias": 1, "encoder_layers": True, "conv_pos": 2**31}})
    with pytest.raises(AssonanceError, match="conv_bias as 1, which must be true or false"):
        found.flag("conv_bias")
    for name in ("encoder_layers", "conv_pos"):
        with pytest.raises(AssonanceError, match=f"{name} as .*, which must be a whole positive"):
            found.whole(name)
    with pytest.raises(AssonanceError, match="conv_bias as 1, its weights as True"):
        found.held("conv_bias", True)


@pytest.mark.parametrize("value", ["a\nb", "\x1b[31m", "x" * 1000, list(range(1000))])
def test_values_are_shown_on_one_short_line(value):
    text = shown(value)
    assert text.isprintable()
    assert len(text) <= 81
