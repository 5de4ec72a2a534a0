"""Ways to read a comparison in Python: selections, tables, figures, texts, the report.

What they use lies in rooms above this one and is imported when a method is called. So loading a
comparison imports neither torch nor matplotlib.
"""

from collections.abc import Sequence
from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from assonance.errors import join_names, printable

if TYPE_CHECKING:
    import pandas as pd

    from assonance.comparison.result import Comparison
    from assonance.comparison.selecting import Layers
    from assonance.tables.neuron_matches import NeuronMatches

_MOST = 6  # models that a representation lists


class Views:
    """Methods of `Comparison` that show what it holds."""

    def select(self, models: Sequence[str] | None = None, layers: "Layers | None" = None) -> Self:
        """Return a comparison of some of the models and layers; no score changes.

        Parameters
        ----------
        models
            Names of the models to keep, in the order wanted; all by default. Their random twins
            and the baseline are kept with them.
        layers
            Labels of the layers to keep, or the numbers in which they end: a list for all models,
            or lists by model. All by default.

        Raises
        ------
        AssonanceError
            There is no such model or layer.
        """
        found: Self = _room("comparison.selecting").select(self, models, layers)
        return found

    def best_layers(self, measure: str) -> "pd.DataFrame":
        """Find, for each layer, the set of layers of each other model that match it best.

        Parameters
        ----------
        measure
            Name of a measure of pairs of layers.

        Returns
        -------
        pandas.DataFrame
            One row for each layer of a set, with the columns of
            `assonance.tables.best_layers.behind_best`: ``p`` is of the hypothesis that it is as
            good as the best. The truly best layer is in the set with a probability of at least
            0.95. Of a measure without intervals, the best alone.

        Raises
        ------
        AssonanceError
            The measure was not taken, or only one model was compared.
        """
        table: pd.DataFrame = _room("tables.best_layers").behind_best(self, measure)
        return table[table["best"] | table["among_best"].fillna(False).astype(bool)]

    def neurons_of(self, model: str, layer: str | int) -> "NeuronMatches":
        """Find the best match of each neuron of a layer in each other model.

        Parameters
        ----------
        model, layer
            The layer: its label, or the number in which it ends.

        Returns
        -------
        NeuronMatches
            Its ``table`` has all neurons; ``top(10)`` those with the most similar matches.

        Raises
        ------
        AssonanceError
            There is no such layer, neurons were not scored, or only one model was compared.
        """
        found: NeuronMatches = _room("tables.neuron_matches").neuron_matches(self, model, layer)
        return found

    @property
    def plot(self) -> Any:
        """Figures: ``comparison.plot.matrix("cka", width="column")``; see `assonance.plots`."""
        return _room("plots.gallery").Gallery(self)

    def report(self, path: str | Path, *, lead: str | None = None) -> Path:
        """Write the report as one HTML file.

        Parameters
        ----------
        path
            The file, or a folder for ``report.html``.
        lead
            The measure that leads the page; by default the one that overfitting cannot raise.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        AssonanceError
            `lead` was not taken, or the file cannot be written.
        """
        written: Path = _room("report.anew").write_anew(self, Path(path), lead=lead)
        return written

    def methods_text(self) -> str:
        """Write the paragraph on methods that a paper needs: one paragraph of plain text."""
        text: str = _room("tables.methods").methods_text(self)
        return text

    def __repr__(self) -> str:
        return f"<{self._headline()}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(printable(name))}</th>"
            f"<td style='text-align:left'>{escape(words)}</td></tr>"
            for name, words in self._facts().items()
        )
        return f"<b>{escape(self._headline())}</b><table>{rows}</table>"

    def _headline(self) -> str:
        models = [printable(name) for name in self._whole.models]
        count = len(self._whole.provenance.measures)
        measures = f"{count} measure{'s' if count != 1 else ''}"
        return f"Comparison of {join_names(models) or 'no model'} by {measures}"

    def _facts(self) -> dict[str, str]:
        record = self._whole.provenance
        models = {
            each.name: f"{each.family}, {len(each.layers)} layers"
            for each in record.models
            if each.name in self._whole.models
        }
        speech = record.corpus
        return {
            **dict(list(models.items())[:_MOST]),
            "speech": f"{speech.name}: {speech.utterances} utterances, "
            f"{speech.seconds / 60:.1f} minutes",
            "measures": join_names(record.measures, 10**6),
            "intervals": self._whole.method or "none",
            "notes": str(len(record.notes)),
        }

    @property
    def _whole(self) -> "Comparison":
        return cast("Comparison", self)


def _room(name: str) -> Any:
    """Import a module of a room above this one."""
    return import_module(f"assonance.{name}")
