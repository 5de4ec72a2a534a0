"""Draw figures with matplotlib; `tables` and `report.sections` have the same modules."""
