"""Pretrain, export and evaluate the bundled miniature speech models."""
