"""State which part each measure plays: what leads, what is a floor, what is held out.

Names alone, so that nothing here needs torch. Where a role has several measures, the first one that
was computed plays it.
"""

from assonance.inference.localisation import ROTATED

# Computed by default: the measures of the study and the references that they are read against.
STANDARD = (
    *("attn_frobenius", "attn_pearson", "attn_js"),
    *("svcca", "pwcca", "cka", "cka_standardized", "cka_utterance", "cka_rbf"),
    *("maxcorr", "mincorr", "maxcorr_heldout", "maxcorr_rotated"),
    *("linreg", "linreg_heldout", "linreg_heldout_r"),
)
# The similarity of the first sentences. Held-out R² first: overfitting cannot raise it.
LEADING = ("linreg_heldout", "linreg", "cka", "pwcca", "svcca", "cka_rbf")
# Opens each section of the page, so that a reader meets the least misleading score of each kind
# first.
FIRST_SHOWN = ("linreg_heldout", "cka", "maxcorr", "attn_js")
# Picks the best-matching layer for localisation and single neurons: the one that predicts the row
# layer best. Held-out measures first: in sample, the widest layer would win.
PREDICTING = ("linreg_heldout", "linreg_heldout_r", "linreg", "cka")
# Summarises what fine-tuning changed, for each kind of similarity.
CHANGE = {
    "Subspaces": ("linreg_heldout", "cka_utterance", "linreg", "svcca", "pwcca", "cka"),
    "Neurons": ("maxcorr",),
    "Heads": ("attn_js", "attn_pearson", "attn_frobenius"),
}
# Measures of heads without a floor of positions alone: mean maps are smooth, and by these measures
# all smooth maps are alike.
WITHOUT_POSITIONS = ("attn_js",)
# Compare single neurons one by one. The other measures of neurons and layers compare spaces.
MATCHING = (
    *("maxcorr", "mincorr", "maxcorr_heldout", "maxcorr_rotated"),
    *("one_to_one", "soft_matching"),
)
# Correlation of each neuron with its best match: what a single neuron shares.
MATCHED = "maxcorr"
# Correlation of each neuron with its prediction from the other layer: what the whole layer shares.
PREDICTED_R = "linreg_heldout_r"
# The lowest best match of each neuron over all other layers: what every layer shares.
CONSENSUS = "mincorr"
# R² measures: a fraction of variance, of which the log-mel baseline explains a fraction.
EXPLAINED = ("linreg_heldout", "linreg_r2")
# In-sample measures and the same on held-out speech: their difference is overfitting.
HELD_OUT = {"linreg": "linreg_heldout_r", "linreg_r2": "linreg_heldout"}
# CKA with neurons as they are and with each z-scored: their difference shows dominating neurons.
DOMINANCE = ("cka", "cka_standardized")
# In-sample measures that mean nothing with fewer frames than neurons: any layer then predicts any
# other.
NEEDS_MORE_FRAMES_THAN_NEURONS = (
    *("linreg", "linreg_r2"),
    *("cca_mean", "cca_r2", "svcca", "pwcca", "pwcca_mean"),
)

__all__ = [
    "CHANGE",
    "CONSENSUS",
    "DOMINANCE",
    "EXPLAINED",
    "FIRST_SHOWN",
    "HELD_OUT",
    "LEADING",
    "MATCHED",
    "MATCHING",
    "NEEDS_MORE_FRAMES_THAN_NEURONS",
    "PREDICTED_R",
    "PREDICTING",
    "ROTATED",
    "STANDARD",
    "WITHOUT_POSITIONS",
]
