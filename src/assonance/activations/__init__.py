"""Store activations of layers on disk, and find the rows that all models share."""
