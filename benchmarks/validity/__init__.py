"""Known truths by simulation: what bias, intervals and indices are worth."""
