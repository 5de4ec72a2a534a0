"""Score all pairs of layers and heads in passes over frames and attention maps."""
