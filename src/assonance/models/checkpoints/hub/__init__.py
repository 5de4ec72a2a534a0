"""List and fetch the files of models on the Hugging Face Hub, and read its local cache."""
