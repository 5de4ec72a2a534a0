"""The two pretraining objectives, over Hugging Face encoders.

An objective is a module that owns the encoder and whatever else is trained with it. Encoders run
in bfloat16 (autocast), losses in float32. Calling an objective gives the loss and its statistics.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2ForPreTraining

from recipes.mini_ssl.config import Recipe
from recipes.mini_ssl.targets import LogMelClusters
from recipes.speech.errors import RecipeError

Stats = dict[str, float]


def half_precision() -> torch.autocast:
    """Autocast used for every pass through an encoder."""
    return torch.autocast("cpu", torch.bfloat16)


class MaskedPrediction(nn.Module):
    """HuBERT: predict the cluster of each masked frame (Hsu et al. 2021)."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        task = recipe.task
        self.seed = recipe.seed
        config = HubertConfig(**recipe.encoder)
        config._attn_implementation = "eager"
        self.model = HubertModel(config)
        self.head = nn.Linear(config.hidden_size, task["clusters"])
        self.targets = LogMelClusters(task["clusters"], task["bands"])

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
        config._attn_implementation = "eager"
        self.model = Wav2Vec2ForPreTraining(config)
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
        codes, perplexity = model.quantizer(features.float(), mask_time_indices=mask)
        guesses = model.project_hid(states[mask].float())
        codes = model.project_q(codes[mask])

        rivals = codes[negatives(mask, config.num_negatives)]
        choices = torch.cat([codes.unsqueeze(1), rivals], 1)
        logits = functional.cosine_similarity(guesses.unsqueeze(1), choices, dim=-1)
        logits = logits / config.contrastive_logits_temperature
        # a rival with the very code of the true one is no rival
        same = (rivals == codes.unsqueeze(1)).all(-1)
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


OBJECTIVES = {"hubert": MaskedPrediction, "wav2vec2": ContrastiveCoding}


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
