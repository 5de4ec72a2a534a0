"""Bundled miniature models and real speech, to try assonance without a download."""

from pathlib import Path

_HERE = Path(__file__).parent
MODELS = (_HERE / "models" / "hubert-mini", _HERE / "models" / "wav2vec2-mini")
SPEECH = _HERE / "speech"
