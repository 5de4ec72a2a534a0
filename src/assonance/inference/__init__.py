"""Quantify uncertainty: resampling, intervals, p values and the localisation index."""
