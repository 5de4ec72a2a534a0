"""Exported numbers read back as they are, one a cell."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from comparisons import comparison

from assonance.errors import AssonanceError
from assonance.tables import exported


@pytest.fixture(scope="module")
def made():
    return comparison(measures=("cka", "mincorr", "svcca"))


def test_scores_of_two_models_are_those_of_the_comparison(made):
    row, col = made.models
    table = exported.scores(made, "cka", [row], [col], intervals=True)
    tile = made.matrix("cka", row, col)
    for _, each in table.iterrows():
        at = {"layer_row": each["layer_row"], "layer_col": each["layer_col"]}
        assert each["value"] == tile.sel(at)
        ends = made.intervals["cka"].sel(model_row=row, model_col=col).sel(at)
        for end in ("estimate", "low", "high"):
            assert each[end] == ends.sel(statistic=end)
    assert len(table) == tile.size


def test_a_measure_of_single_layers_has_no_columns_of_a_second(made):
    assert list(exported.scores(made, "mincorr")) == ["model_row", "layer_row", "value"]


def test_a_matrix_has_a_column_for_each_column_layer(made):
    row, col = made.models
    wide = exported.matrix(exported.scores(made, "cka", [row], [col]))
    tile = made.matrix("cka", row, col)
    assert list(wide) == ["model_row", "layer_row", *(f"{col} {k}" for k in made.layers(col))]
    np.testing.assert_array_equal(wide.iloc[:, 2:].to_numpy(), tile.to_numpy())
    assert wide["layer_row"].tolist() == list(made.layers(row))


def test_every_format_reads_back_to_the_last_bit(made):
    table = exported.scores(made, "cka", intervals=True)
    lines = csv.DictReader(io.StringIO(exported.formatted(table, "csv").decode()))
    read = pd.DataFrame(list(lines)).replace({"": None})
    rows = pd.DataFrame(json.loads(exported.formatted(table, "json")))
    parquet = pd.read_parquet(io.BytesIO(exported.formatted(table, "parquet")))
    for back in (read, rows, parquet):
        pd.testing.assert_frame_equal(
            back.astype(table.dtypes.to_dict()).replace({None: np.nan}), table, check_exact=True
        )


def test_latex_escapes_names_and_writes_minus_signs():
    table = pd.DataFrame({"a_b": ["50 % & {x}"], "value": [-0.25], "low": [np.nan]})
    assert exported.formatted(table, "tex").decode() == (
        "\\begin{tabular}{lrr}\n\\toprule\na\\_b & value & low \\\\\n\\midrule\n"
        "50 \\% \\& \\{x\\} & $-$0.250 &  \\\\\n\\bottomrule\n\\end{tabular}\n"
    )


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        ({"measure": "ckaa"}, "did you mean cka"),
        ({"measure": "svcca", "intervals": True}, "has no intervals"),
        ({"measure": "cka", "rows": ["hubert-b"]}, "did you mean hubert-a"),
    ],
    ids=str,
)
def test_what_is_not_there_is_one_line(made, ask, words):
    with pytest.raises(AssonanceError, match=words):
        exported.scores(made, **ask)


def test_another_format_is_refused(made):
    with pytest.raises(AssonanceError, match=r"ends in one of \.csv, \.tex, \.parquet, \.json"):
        exported.formatted(exported.scores(made, "cka"), "xls")
