"""Compare models on speech: the plan, the result and its provenance."""
