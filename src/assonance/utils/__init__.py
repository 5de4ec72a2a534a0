"""Provide helpers for files, processor cores, memory and progress."""
