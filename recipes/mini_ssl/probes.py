"""What layers know and share: a linear probe, and how much of one layer another predicts.

Plain numpy, from the definitions; folds keep all frames, and all languages, of a sentence together.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDS = 5


def probe_accuracy(features: np.ndarray, labels: Sequence[str], sentences: Sequence[str]) -> float:
    """Cross-validated accuracy of a linear probe, no sentence being on both sides of a split.

    Parameters
    ----------
    features
        One row an utterance.
    labels
        What the probe is to tell.
    sentences
        Name of the sentence that each utterance says.
    """
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    scores = cross_val_score(probe, features, labels, groups=sentences, cv=GroupKFold(FOLDS))
    return float(scores.mean())


def predicted_share(
    source: Sequence[np.ndarray], target: Sequence[np.ndarray], sentences: Sequence[str]
) -> float:
    """Held-out R² of each target neuron from all source neurons, averaged over neurons.

    Parameters
    ----------
    source, target
        Frames × neurons of each utterance, on the same frames.
    sentences
        Name of the sentence that each utterance says.
    """
    names = sorted(set(sentences))
    fold_of = {name: index % FOLDS for index, name in enumerate(names)}
    folds = np.concatenate(
        [np.full(len(x), fold_of[s]) for x, s in zip(source, sentences, strict=True)]
    )
    X = np.concatenate(source).astype(np.float64)
    X = np.column_stack([X, np.ones(len(X))])
    Y = np.concatenate(target).astype(np.float64)
    missed = np.zeros(Y.shape[1])
    spread = np.zeros(Y.shape[1])
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        # lstsq on the normal equations: small, and sound where neurons depend on each other
        weights = np.linalg.lstsq(X[train].T @ X[train], X[train].T @ Y[train])[0]
        missed += ((Y[test] - X[test] @ weights) ** 2).sum(0)
        spread += ((Y[test] - Y[train].mean(0)) ** 2).sum(0)
    return float((1 - missed / spread).mean())
