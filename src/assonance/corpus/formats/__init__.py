"""Read the formats that list speech corpora, one module each; `detection` registers them."""
