"""Store the activations of layers on disk, and align the rows that models share."""
