"""Compute the numbers behind each figure, a module a subject; the same subjects as `plots`."""
