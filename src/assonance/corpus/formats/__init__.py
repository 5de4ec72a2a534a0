"""Read the formats in which speech corpora are listed, one module a format."""
