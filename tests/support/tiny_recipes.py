"""Shipped recipes made tiny."""

from dataclasses import replace
from pathlib import Path

from recipes.mini_ssl.config import load_recipe

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "recipes/mini_ssl/configs"


def tiny(name, encoder=None):
    """Make a shipped recipe tiny; `encoder` stands for whatever encoder it builds on."""
    shipped = load_recipe(CONFIGS / f"{name}.yaml")
    small, task = dict(shipped.encoder), dict(shipped.task)
    if shipped.objective != "ctc":
        small |= {
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "conv_dim": [16] * 7,
            "num_conv_pos_embeddings": 8,
            "num_conv_pos_embedding_groups": 2,
        }
    if shipped.objective == "hubert":
        task |= {"clusters": 8}
    if shipped.objective == "wav2vec2":
        small |= {"num_negatives": 5, "codevector_dim": 8, "num_codevectors_per_group": 4}
    if "teacher" in task:
        task |= {"teacher": str(encoder), "layer": 1}
    if shipped.objective == "ctc":
        task |= {"start": str(encoder), "milestones": [2]}
    return replace(
        shipped,
        clips=2,
        seconds=2.4 if shipped.objective == "ctc" else 0.8,
        mask_length=4,
        steps=6,
        warmup=2,
        learning_rate=3e-3,
        report_every=1,
        save_every=2,
        encoder=small,
        task=task,
    )
