"""Read files of torch.save as data, and convert their weights to safetensors in a cache."""
