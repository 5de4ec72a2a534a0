"""Extraction against a bare forward pass of the same utterances, side by side.

    python -m benchmarks.extraction [--utterances 12] [--rounds 3] [--device cpu]

An encoder of base size with random weights runs over noise. "Bare" calls the encoder on samples
that are in memory and ready, without a hook, and throws away what comes; extraction reads files,
normalises, records every block, checks, and writes shards with their checksums. Both run the same
way: an utterance a core, and in padded batches. Medians of rounds that take turns.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import transformers

from assonance.activations.batching import batches_by_length
from assonance.activations.extraction import extract
from assonance.corpus import Corpus
from assonance.models.loading import load_model
from assonance.utils.cores import worker_pool
from benchmarks.tables import show

RATE = 16000
BATCH_SECONDS = 12.0


def material(folder: Path, count: int) -> tuple[Path, Corpus]:
    """Save an encoder of base size, and utterances of one to three seconds."""
    torch.manual_seed(0)
    model = folder / "model"
    transformers.Wav2Vec2Model(transformers.Wav2Vec2Config()).save_pretrained(model)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(model)  # type: ignore[no-untyped-call]
    speech = folder / "speech"
    speech.mkdir()
    rng = np.random.default_rng(0)
    for number, seconds in enumerate(np.linspace(1, 3, count)):
        samples = 0.1 * rng.standard_normal(int(seconds * RATE))
        soundfile.write(speech / f"{number:03}.flac", samples, RATE)
    return model, Corpus.from_path(speech)


def ways(model: Any, corpus: Corpus, folder: Path) -> dict[str, Callable[[], None]]:
    """Name what is timed."""
    samples = [utterance.read(RATE) for utterance in corpus]
    ready = [(each - each.mean()) / each.std() for each in samples]
    tensors = [torch.from_numpy(each)[None].to(model.device) for each in ready]
    encoder = model._encoder
    batches = batches_by_length(tensors, lambda each: each.shape[1] / RATE, BATCH_SECONDS)
    stores = iter(range(10**6))

    def forward(values: torch.Tensor) -> None:
        with torch.inference_mode():
            encoder(values)

    def bare() -> None:
        with worker_pool() as pool_map:
            list(pool_map(forward, tensors))

    def bare_batches() -> None:
        for batch in batches:
            rows = [each[0] for each in batch]
            values = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
            forward(values)

    def extracted(seconds: float) -> None:
        extract(model, corpus, folder / f"store {next(stores)}", batch_seconds=seconds)

    return {
        "one by one, bare": bare,
        "one by one, extraction": lambda: extracted(0),
        "batches, bare": bare_batches,
        "batches, extraction": lambda: extracted(BATCH_SECONDS),
    }


def main() -> None:
    """Time each way, and print how much of a bare pass extraction reaches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as scratch:
        folder, corpus = material(Path(scratch), args.utterances)
        model = load_model(folder, device=args.device)
        timed = ways(model, corpus, Path(scratch))
        taken: dict[str, list[float]] = {name: [] for name in timed}
        for number in range(args.rounds + 1):
            for name, way in timed.items():
                started = time.perf_counter()
                way()
                if number:  # the first round warms up
                    taken[name].append(time.perf_counter() - started)
        medians = {name: statistics.median(each) for name, each in taken.items()}
        rows = []
        for mode in ("one by one", "batches"):
            bare, whole = medians[f"{mode}, bare"], medians[f"{mode}, extraction"]
            parts = {"bare s": bare, "extraction s": whole, "of bare": f"{bare / whole:.0%}"}
            rows.append({"how": mode, **parts})
        asked = {**vars(args), "seconds of speech": round(corpus.seconds), "size": model.info.size}
        show(rows, asked, None)


if __name__ == "__main__":
    main()
