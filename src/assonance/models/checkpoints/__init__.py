"""Find, open and describe published checkpoints, without running anything that they hold."""
