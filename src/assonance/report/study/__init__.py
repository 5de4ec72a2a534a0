"""Repeat published studies: their settings, their figures, their findings."""
