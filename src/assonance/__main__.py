"""Run the command line as `python -m assonance`."""

from assonance.cli.main import main

main()
