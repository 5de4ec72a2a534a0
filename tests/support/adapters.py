"""LoRA adapters of small models, saved as peft saves them."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
import transformers


def adapt(folder: Path, class_name: str, out: Path, *, change: Any = None, **settings: Any) -> Path:
    """Save an adapter with random weights for a saved model, after a change if there is one."""
    import peft

    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft calls what transformers will remove
        torch.manual_seed(1)
        model = getattr(transformers, class_name).from_pretrained(folder)
        settings = {"r": 4, "lora_alpha": 6, "target_modules": ["q_proj", "out_proj"]} | settings
        adapted = peft.get_peft_model(model, peft.LoraConfig(init_lora_weights=False, **settings))
        if change is not None:
            change(adapted)
        adapted.save_pretrained(out)
    return out


def set_config(out: Path, **values: Any) -> None:
    """Change the configuration of an adapter."""
    path = out / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
