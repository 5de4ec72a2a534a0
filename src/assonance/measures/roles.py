"""State which part each measure plays in sentences, tables and the report."""

# Of the variance that the other layer explains, log-mel frames explain a share.
EXPLAINED = ("linreg_heldout", "linreg_r2")


# Measures whose in-sample value says nothing when frames are fewer than neurons: any layer then
# explains any other.
NEEDS_MORE_FRAMES_THAN_NEURONS = (
    *("linreg", "linreg_r2"),
    *("cca_mean", "cca_r2", "svcca", "pwcca", "pwcca_mean"),
)


# The most telling measures of each kind, the most trustworthy first.
TELLING = {
    "Subspaces": ("linreg_heldout", "cka_utterance", "linreg", "svcca", "pwcca", "cka"),
    "Neurons": ("maxcorr",),
    "Heads": ("attn_js", "attn_pearson", "attn_frobenius"),
}


# What is measured unless something else is asked for: the study's measures, and what they stand
# beside.
STANDARD = (
    *("attn_frobenius", "attn_pearson", "attn_js"),
    *("svcca", "pwcca", "cka", "cka_standardized", "cka_utterance", "cka_rbf"),
    *("maxcorr", "mincorr", "maxcorr_rotated"),
    *("linreg", "linreg_heldout", "linreg_heldout_r"),
)


# What says which column layer knows most of a row layer, the most trustworthy first.
KNOWING = ("linreg_heldout", "linreg_heldout_r", "linreg", "cka")


FIRST_SHOWN = ("linreg_heldout", "cka", "maxcorr", "attn_js")


# In-sample measures and what the same reads of held-out speech.
HELD_OUT = {"linreg": "linreg_heldout_r", "linreg_r2": "linreg_heldout"}


# Measures that can lead, the most trustworthy first.
LEADING = ("linreg_heldout", "linreg", "cka", "pwcca", "svcca", "cka_rbf")
