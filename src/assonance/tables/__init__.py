"""Compute the numbers behind each figure; `plots` and `report.sections` have the same modules."""
