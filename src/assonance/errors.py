"""What assonance says when something is wrong: one class for errors, one for warnings."""


class AssonanceError(Exception):
    """Something the user can put right, said in one line.

    The message names the file or argument, says what is wrong with it and what to do.
    The command line prints it without a traceback and exits with status 1.
    """


class AssonanceWarning(UserWarning):
    """Something the reader of a result must know: raised, and printed in the report as well."""
