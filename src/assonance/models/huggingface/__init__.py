"""Run encoders of the transformers library as speech models."""
