"""Run assonance from the command line."""
