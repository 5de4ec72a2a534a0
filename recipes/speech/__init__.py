"""Build the speech corpus and the demo subset from Debian's telephone prompts."""
