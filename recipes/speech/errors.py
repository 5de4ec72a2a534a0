"""The error of the recipes that a person can act on."""


class RecipeError(Exception):
    """A failure that says what is wrong and what to do; printed as one line."""
