"""What is learned: two kinds of pretraining, and reading, over Hugging Face encoders.

An objective is a module that owns the encoder and whatever else is trained with it. Encoders run
in bfloat16 (autocast) where the processor multiplies it, else in float32; losses in float32.
Calling an objective gives the loss and its statistics.
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoModelForCTC,
    HubertConfig,
    HubertModel,
    Wav2Vec2Config,
    Wav2Vec2ForPreTraining,
)

from recipes.mini_ssl.batches import Clips, Readings
from recipes.mini_ssl.config import Recipe
from recipes.mini_ssl.data import Prompts, frames_of
from recipes.mini_ssl.encoders import load_encoder, new_encoder
from recipes.mini_ssl.front_end import FrontEnd
from recipes.mini_ssl.spelling import BLANK, SYMBOLS, character_error_rate, decode, read
from recipes.mini_ssl.targets import Clusters, LayerClusters, LogMelClusters
from recipes.speech.errors import RecipeError

Stats = dict[str, float]


def half_precision() -> torch.autocast:
    """Autocast used for every pass through an encoder.

    Without instructions for it, bfloat16 is five times slower than float32.
    """
    native = torch.cpu.get_capabilities().get("avx512_bf16", False)
    return torch.autocast("cpu", torch.bfloat16, enabled=native)


class MaskedPrediction(nn.Module):
    """HuBERT: predict the cluster of each masked frame (Hsu et al. 2021)."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        task = recipe.task
        self.seed = recipe.seed
        config = HubertConfig(**recipe.encoder)
        self.model = with_front_end(HubertModel(config))
        self.head = nn.Linear(config.hidden_size, task["clusters"])
        self.targets = self.clusters(**task)

    @staticmethod
    def clusters(clusters: int, **of: object) -> Clusters:
        """Targets of the task: of log-mel frames, or of the layer of a teacher."""
        if "teacher" in of:
            return LayerClusters(clusters, Path(str(of["teacher"])), of["layer"])
        return LogMelClusters(clusters, of["bands"])

    def prepare(self, clips: Iterable[Tensor]) -> None:
        """Find the clusters; once, before the first step."""
        self.targets.fit(clips, self.seed)

    def forward(self, waves: Tensor, mask: Tensor, step: int) -> tuple[Tensor, Stats]:
        """Cross-entropy and accuracy on masked frames."""
        with half_precision():
            states = self.model(waves, mask_time_indices=mask).last_hidden_state
        logits = self.head(states[mask].float())
        labels = self.targets(waves)[mask]
        loss = functional.cross_entropy(logits, labels)
        accuracy = (logits.argmax(-1) == labels).float().mean()
        return loss, {"loss": loss.item(), "accuracy": accuracy.item()}


class ContrastiveCoding(nn.Module):
    """wav2vec 2.0: tell each masked frame's code from others of its clip (Baevski et al. 2020)."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        task = recipe.task
        config = Wav2Vec2Config(**recipe.encoder)
        self.model = with_front_end(Wav2Vec2ForPreTraining(config))
        self.hottest, self.coldest = task["temperature"]
        self.cooling = task["cooling"]

    def prepare(self, clips: Iterable[Tensor]) -> None:
        """Do nothing: the codes are learned along the way."""

    def forward(self, waves: Tensor, mask: Tensor, step: int) -> tuple[Tensor, Stats]:
        """Contrastive and diversity loss, accuracy, and perplexity of the codes in use."""
        config, model = self.model.config, self.model
        model.set_gumbel_temperature(max(self.hottest * self.cooling**step, self.coldest))
        with half_precision():
            states, features = model.wav2vec2(waves, mask_time_indices=mask)[:2]
        codes, perplexity = quantize(model.quantizer, features[mask].float())
        guesses = functional.normalize(model.project_hid(states[mask].float()), dim=-1)
        codes = model.project_q(codes)

        rivals = negatives(mask, config.num_negatives)
        same = (codes[rivals] == codes.unsqueeze(1)).all(-1)
        directions = functional.normalize(codes, dim=-1)
        choices = torch.cat([directions.unsqueeze(1), directions[rivals]], 1)
        logits = (choices @ guesses.unsqueeze(-1)).squeeze(
            -1
        ) / config.contrastive_logits_temperature
        # a rival with the very code of the true one is no rival
        logits[:, 1:] = logits[:, 1:].masked_fill(same, float("-inf"))

        truth = torch.zeros(len(logits), dtype=torch.long)
        contrast = functional.cross_entropy(logits, truth)
        entries = config.num_codevectors_per_group * config.num_codevector_groups
        diversity = (entries - perplexity) / entries
        accuracy = (logits.argmax(-1) == 0).float().mean()
        stats = {
            "loss": contrast.item(),
            "accuracy": accuracy.item(),
            "perplexity": perplexity.item(),
        }
        return contrast + config.diversity_loss_weight * diversity, stats


def quantize(quantizer: nn.Module, features: Tensor) -> tuple[Tensor, Tensor]:
    """Codes of frames (frames × features), and the perplexity of their use.

    What the quantizer itself computes, as a product of matrices and for masked frames alone.
    """
    groups, entries = quantizer.num_groups, quantizer.num_vars
    logits = quantizer.weight_proj(features).view(len(features), groups, entries)
    if quantizer.training:
        chosen = functional.gumbel_softmax(logits, tau=quantizer.temperature, hard=True)
        use = logits.softmax(-1).mean(0)
    else:
        chosen = functional.one_hot(logits.argmax(-1), entries).float()
        use = chosen.mean(0)
    book = quantizer.codevectors.view(groups, entries, -1)
    codes = torch.einsum("nge,ged->ngd", chosen, book).flatten(1)
    return codes, torch.exp(-torch.xlogy(use, use).sum(-1)).sum()


def negatives(mask: Tensor, count: int) -> Tensor:
    """For each masked frame, indices of other masked frames of its clip.

    Indices count masked frames across the batch, in the order of ``x[mask]``.
    """
    drawn, first = [], 0
    for size in mask.sum(-1).tolist():
        others = torch.randint(size - 1, (size, count))
        others += others >= torch.arange(size).unsqueeze(1)  # step over the frame itself
        drawn.append(first + others)
        first += size
    return torch.cat(drawn)


class Reading(nn.Module):
    """CTC: read the characters of a prompt off its frames (Graves et al. 2006).

    Starts from an exported encoder, or from its architecture with random weights; its front end
    stays as it is.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        make = new_encoder if recipe.task.get("random") else load_encoder
        blank = SYMBOLS.index(BLANK)
        settings = recipe.encoder | {"vocab_size": len(SYMBOLS), "pad_token_id": blank}
        model = make(Path(recipe.task["start"]), AutoModelForCTC, **settings)
        self.model = with_front_end(model)
        self.model.base_model.feature_extractor.requires_grad_(False)

    def prepare(self, clips: Iterable[Tensor]) -> None:
        """Do nothing: what is to be read is given."""

    def logits(self, waves: Tensor, lengths: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits of symbols: clips × frames × symbols."""
        heard = torch.arange(waves.shape[-1]) < lengths.unsqueeze(-1)
        with half_precision():
            states = self.model.base_model(
                waves, attention_mask=heard.long(), mask_time_indices=mask
            ).last_hidden_state
        return self.model.lm_head(self.model.dropout(states.float()))

    def forward(
        self, waves: Tensor, mask: Tensor, lengths: Tensor, symbols: list[Tensor], step: int
    ) -> tuple[Tensor, Stats]:
        """CTC loss a character, and character error rate of the best path."""
        logits = self.logits(waves, lengths, mask if self.training else None)
        frames = frames_of(lengths)
        loss = functional.ctc_loss(
            logits.log_softmax(-1).transpose(0, 1),
            torch.cat(symbols),
            frames,
            torch.tensor([len(each) for each in symbols]),
            blank=self.model.config.pad_token_id,
            zero_infinity=True,  # more characters than frames cannot be read
        )
        error = character_error_rate(
            best_paths(logits, frames), [read(each.tolist()) for each in symbols]
        )
        return loss, {"loss": loss.item(), "character_error_rate": error}


def best_paths(logits: Tensor, frames: Tensor) -> list[str]:
    """Text of the most probable symbol of each frame."""
    paths = logits.argmax(-1)
    return [decode(path[:count].tolist()) for path, count in zip(paths, frames, strict=True)]


def with_front_end(model: nn.Module) -> nn.Module:
    """Let a model compute its convolutions as matrix products."""
    encoder = model.base_model
    encoder.feature_extractor = FrontEnd(encoder.feature_extractor)
    return model


OBJECTIVES = {"ctc": Reading, "hubert": MaskedPrediction, "wav2vec2": ContrastiveCoding}


def batches_of(recipe: Recipe, prompts: Prompts, seed: int) -> Clips | Readings:
    """Batches that a recipe's objective takes."""
    return (Readings if recipe.objective == "ctc" else Clips)(recipe, prompts, seed)


def make_objective(recipe: Recipe) -> nn.Module:
    """Build a recipe's objective with weights drawn from its seed."""
    if recipe.objective not in OBJECTIVES:
        known = ", ".join(sorted(OBJECTIVES))
        raise RecipeError(f"unknown objective {recipe.objective!r}: choose one of {known}")
    torch.manual_seed(recipe.seed)
    try:
        return OBJECTIVES[recipe.objective](recipe)
    except KeyError as error:
        raise RecipeError(f"the task of recipe {recipe.name} lacks the setting {error}") from error
