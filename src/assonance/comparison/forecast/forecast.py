"""Forecast the time, disk and memory of a comparison, and refuse one that cannot fit."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from assonance.activations.attention_maps import reads_with_maps
from assonance.activations.rounding import FULL
from assonance.comparison.forecast.counts import Counts
from assonance.comparison.forecast.head_probe import (
    AttentionCosts,
    attention_seconds,
    measure_attention,
)
from assonance.comparison.forecast.layer_probe import PairCosts, layers_seconds, measure_layers
from assonance.comparison.forecast.model_probe import ReadingCosts, measure_reading
from assonance.errors import AssonanceError, printable
from assonance.utils.memory import allowed_bytes, format_bytes, resident_bytes
from assonance.utils.progress import Progress

READING, LAYERS, ATTENTION = "reading speech", "comparing layers", "comparing attention"


@dataclass(frozen=True)
class Stage:
    """What a stage takes: seconds, floating-point operations, bytes of disk and of memory.

    Operations of the comparisons of attention maps and of what follows the products of frames are
    not counted.
    """

    name: str
    seconds: float
    operations: float
    disk: int
    memory: float


@dataclass(frozen=True)
class Forecast:
    """Counts of a comparison, and what its parts cost on this machine.

    Attributes
    ----------
    counts
        The counts.
    resident
        Bytes of memory of this process before any model has run.
    reading, layers, attention
        Costs of each model, of layers of each width, and of attention.
    """

    counts: Counts
    resident: float
    reading: Mapping[str, ReadingCosts]
    layers: Mapping[int, PairCosts]
    attention: AttentionCosts | None

    @cached_property
    def stages(self) -> list[Stage]:
        """The stages that take time.

        Models that read speech while attention is compared count there.
        """
        counts, costs = self.counts, self.reading
        spoken = counts.prepared.speech.seconds
        read = {
            name: spoken - counts.read_with_attention * reads_with_maps(each.model)
            for name, each in counts.extracted.roster.items()
        }
        stages = [
            Stage(
                READING,
                sum(read[name] * each.seconds for name, each in costs.items()),
                sum(read[name] * each.operations for name, each in costs.items()),
                counts.disk,
                self.resident + counts.models,
            )
        ]
        if counts.tiles:
            number = {name: each.number for name, each in costs.items()}
            seconds = layers_seconds(counts, self.layers, number)
            memory = self.resident + counts.staying + counts.largest_tile
            stages.append(Stage(LAYERS, seconds, counts.products, 0, memory))
        if counts.attention is not None:
            heads = sum(
                costs[name].operations
                for name, each in counts.extracted.roster.items()
                if each.model.heads
            )
            seconds = attention_seconds(counts, self.attention, costs)
            operations = heads * counts.speech.seconds
            memory = self.resident + counts.running + counts.maps
            stages.append(Stage(ATTENTION, seconds, operations, 0, memory))
        return stages

    @property
    def seconds(self) -> float:
        """Seconds of all stages."""
        return sum(each.seconds for each in self.stages)

    @property
    def memory(self) -> float:
        """Bytes of memory of the stage that takes most."""
        return max(each.memory for each in self.stages)

    def check(self, folder: Path) -> None:
        """Refuse a comparison that the disk or the memory cannot hold.

        Raises
        ------
        AssonanceError
            With what is needed and what there is.
        """
        check_disk(self.counts, folder)
        there = allowed_bytes()
        if self.memory > there:
            raise AssonanceError(
                f"memory: {format_bytes(self.memory)} are needed, "
                f"{format_bytes(self.counts.models)} of them for the models, and the machine has "
                f"{format_bytes(there)}; lower --memory, or compare fewer models"
            )


def make_forecast(counts: Counts, progress: Progress) -> Forecast:
    """Measure on this machine what the parts of a comparison cost.

    Parameters
    ----------
    counts
        The comparison.
    progress
        Receives the three stages of the measurement.
    """
    resident = resident_bytes()
    with progress.stage("timing models on a few utterances", 1) as advance:
        reading = measure_reading(counts)
        advance(1)
    with progress.stage("timing pairs of layers", 1) as advance:
        layers = measure_layers(counts)
        advance(1)
    with progress.stage("timing pairs of heads", 1) as advance:
        attention = measure_attention(counts)
        advance(1)
    return Forecast(counts, resident, reading, layers, attention)


def check_disk(counts: Counts, folder: Path) -> None:
    """Refuse a comparison whose activations the disk of a folder cannot hold.

    Activations that an earlier run left in the folder are not needed again.

    Parameters
    ----------
    counts
        The comparison.
    folder
        Folder of the run, which need not exist.

    Raises
    ------
    AssonanceError
        With what is needed and what is free.
    """
    needed = counts.disk - bytes_under(folder / "activations")
    free = free_bytes(folder)
    if needed > free:
        whole = counts.prepared.request.store == FULL
        half = "store them in half precision (--store float16), " if whole else ""
        raise AssonanceError(
            f"{printable(folder)}: the activations need {format_bytes(needed)} of disk, and "
            f"{format_bytes(free)} are free; free some, name another folder with --out, {half}"
            "or compare on less speech (--max-hours)"
        )


def free_bytes(folder: Path) -> int:
    """Return the free bytes of the disk that holds a folder, which need not exist."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.is_dir())
    return shutil.disk_usage(there).free


def bytes_under(folder: Path) -> int:
    """Return the bytes of the files in a folder and below; 0 if there is none."""
    return sum(
        os.path.getsize(os.path.join(place, name))  # noqa: PTH118, PTH202 - as os.walk gives them
        for place, _, names in os.walk(folder)
        for name in names
    )
