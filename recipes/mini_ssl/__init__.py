"""Pretrain, fine-tune, export and evaluate the bundled miniature speech models."""

from importlib.util import find_spec

NEEDED = {"sklearn": "scikit-learn", "soundfile": "soundfile", "transformers": "transformers"}

missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
if missing:
    raise SystemExit(
        f"error: the recipes need {', '.join(missing)}: run `make setup`, and start them with "
        ".venv/bin/python"
    )
