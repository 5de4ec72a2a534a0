"""Measurements of speed, memory and growth; each module is a command."""
