"""Forecast what a comparison takes, by counting it and timing parts of it on this machine."""
