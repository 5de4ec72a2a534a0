"""Test claims that were stated before the comparison."""
