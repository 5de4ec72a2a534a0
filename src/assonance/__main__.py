"""Run the command line as `python -m assonance`."""

from assonance.cli import main

main()
