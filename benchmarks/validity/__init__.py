"""What intervals, nulls and claims are worth, on series whose truth is known."""
