"""Draw figures with matplotlib, a module a subject; the same subjects as `tables`."""
