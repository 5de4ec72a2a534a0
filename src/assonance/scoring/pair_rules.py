"""Which pairs of layers a pass scores, and which get intervals and nulls."""


class PairRules:
    """Rules for pairs of layers, by their names; by default every pair gets everything.

    A subclass overrides the rules that differ. Each rule but `is_other` is called for an unordered
    pair, in the order of the layers.
    """

    def is_scored(self, a: str, b: str) -> bool:
        """Whether to score the pair."""
        return True

    def comes_first(self, a: str, b: str) -> bool:
        """Whether to compute the pair before those that do not come first."""
        return True

    def gets_interval(self, a: str, b: str) -> bool:
        """Whether to score the pair in each replicate too."""
        return True

    def gets_null(self, a: str, b: str) -> bool:
        """Whether to score the pair under each circular shift too."""
        return a != b

    def is_other(self, row: str, col: str) -> bool:
        """Whether consensus measures (`mincorr`) of the row layer count the column layer."""
        return row != col


EVERY_PAIR = PairRules()
