"""Compute the measures from their definitions, on frames, in plain float64 numpy.

These functions are slow, share no code with the package and use no moments: no sums of products and
no eigenvectors of correlations. Frames are rows. "The paper" is El Kheir et al. 2024.
"""

import itertools

import numpy as np
from scipy.linalg import orthogonal_procrustes
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial.distance import cdist, jensenshannon, pdist
from scipy.stats import spearmanr


def centred(x):
    x = np.asarray(x, dtype=np.float64)
    return x - x.mean(0)


def standardised(x):
    return centred(x) / np.linalg.norm(centred(x), axis=0)


# Neurons


def correlations(x, y):
    """Compute Pearson's r of every neuron of x (rows) with every neuron of y (columns)."""
    return np.corrcoef(x, y, rowvar=False)[: x.shape[1], x.shape[1] :]


def maxcorr(x, y):
    return np.abs(correlations(x, y)).max(1)


def maxcorr_heldout(x, y, folds):
    """Correlate each neuron with the match, and its sign, that the other folds chose."""
    matched = np.empty_like(x)
    for fold in np.unique(folds):
        test, train = folds == fold, folds != fold
        table = correlations(x[train], y[train])
        best = np.abs(table).argmax(1)
        sign = np.sign(table[np.arange(len(best)), best])
        matched[test] = (centred(y) / np.linalg.norm(centred(y), axis=0))[test][:, best] * sign
    return np.diag(correlations(x, matched))


def mincorr(layers, name):
    """Compute the minimum of `maxcorr` over all other layers."""
    others = [values for other, values in layers.items() if other != name]
    return np.min([maxcorr(layers[name], other) for other in others], axis=0)


def one_to_one(x, y):
    """Compute |r| in the one-to-one matching of highest total |r|; NaN for unmatched neurons."""
    table = np.abs(correlations(x, y))
    rows, columns = min_weight_full_bipartite_matching(csr_array(1 + table), maximize=True)
    scores = np.full(len(table), np.nan)
    scores[rows] = table[rows, columns]
    return scores


def soft_matching(x, y):
    """Match one to one after repeating the neurons until both layers are equally wide."""
    table = np.abs(correlations(x, y))
    width = np.lcm(*table.shape)
    copies = [width // count for count in table.shape]
    table = table.repeat(copies[0], 0).repeat(copies[1], 1)
    rows, columns = min_weight_full_bipartite_matching(csr_array(1 + table), maximize=True)
    return table[rows, columns][np.argsort(rows)].reshape(-1, copies[0]).mean(1)


def maxcorr_rotated(x, y, rotations):
    """Compute the mean of `maxcorr` with y rotated by each of the given orthogonal matrices."""
    return np.mean([maxcorr(x, standardised(y) @ q) for q in rotations], axis=0)


def linreg(x, y):
    """Compute the multiple correlation: the norm of the fitted values over that of the neuron."""
    x, y = centred(x), centred(y)
    fitted = y @ np.linalg.lstsq(y, x, rcond=None)[0]
    return np.linalg.norm(fitted, axis=0) / np.linalg.norm(x, axis=0)


def linreg_r2(x, y):
    """Compute one minus the unexplained share of each neuron's variance."""
    x, y = centred(x), centred(y)
    residual = x - y @ np.linalg.lstsq(y, x, rcond=None)[0]
    return 1 - (residual**2).sum(0) / (x**2).sum(0)


def held_out(x, y, folds):
    """Return neurons and their held-out predictions, about the training means.

    Slopes that are not unique have the smallest norm, for standardised neurons.
    """
    neurons, predictions = np.zeros(x.shape), np.zeros(x.shape)
    for fold in np.unique(folds):
        test, train = folds == fold, folds != fold
        size = np.where(np.ptp(y[train], axis=0) > 0, y[train].std(0), np.inf)
        seen, unseen = (part / size for part in (centred(y[train]), y[test] - y[train].mean(0)))
        slopes = np.linalg.lstsq(seen, centred(x[train]), rcond=1e-10)[0]
        neurons[test] = x[test] - x[train].mean(0)
        predictions[test] = unseen @ slopes
    return neurons, predictions


def linreg_heldout(x, y, folds):
    neurons, predictions = held_out(x, y, folds)
    return 1 - ((neurons - predictions) ** 2).sum(0) / (neurons**2).sum(0)


def linreg_heldout_r(x, y, folds):
    neurons, predictions = held_out(x, y, folds)
    lengths = np.linalg.norm(neurons, axis=0) * np.linalg.norm(predictions, axis=0)
    return (neurons * predictions).sum(0) / lengths


def ridge(x, y, train, test, strength):
    """Return held-out neurons minus their predictions by ridge regression."""
    size = np.where(np.ptp(y[train], axis=0) > 0, y[train].std(0), np.inf)
    seen, unseen = (part / size for part in (centred(y[train]), y[test] - y[train].mean(0)))
    penalty = np.sqrt(strength * train.sum()) * np.eye(y.shape[1])
    targets = np.vstack([centred(x[train]), np.zeros((y.shape[1], x.shape[1]))])
    slopes = np.linalg.lstsq(np.vstack([seen, penalty]), targets, rcond=None)[0]
    return x[test] - x[train].mean(0) - unseen @ slopes


def ridge_heldout(x, y, folds):
    """Choose the strength of each fold by cross-validation within the other folds."""
    errors, total = 0, 0
    for fold in np.unique(folds):
        test, train = folds == fold, folds != fold
        inner = [
            [
                np.sum((ridge(x, y, train & (folds != other), folds == other, strength)) ** 2, 0)
                for other in np.unique(folds[train])
            ]
            for strength in 10 ** np.arange(-8, 3.5, 0.5)
        ]
        best = (np.sum(inner, 1) / x[train].var(0)).sum(1).argmin()
        strength = 10 ** np.arange(-8, 3.5, 0.5)[best]
        errors += (ridge(x, y, train, test, strength) ** 2).sum(0)
        total += ((x[test] - x[train].mean(0)) ** 2).sum(0)
    return 1 - errors / total


# Layers


def canonical(x, y, share, cut):
    """Return the canonical directions of x in the space of frames, and the correlations."""
    bases = []
    for layer in (x, y):
        u, s, _ = np.linalg.svd(standardised(layer), full_matrices=False)
        below = int((np.cumsum(s**2) / np.sum(s**2) < share).sum())
        bases.append(u[:, : below + {"below": 0, "reach": 1}[cut]])
    left, correlations, _ = np.linalg.svd(bases[0].T @ bases[1], full_matrices=False)
    return bases[0] @ left, correlations


def svcca(x, y, share=0.99, cut="reach"):
    return canonical(x, y, share, cut)[1].mean()


def pwcca(x, y, share=0.99, cut="reach"):
    directions, correlations = canonical(x, y, share, cut)
    weights = np.abs(directions.T @ centred(x)).sum(1)
    return np.average(correlations, weights=weights)


def pwcca_mean(x, y, share=0.99, cut="reach"):
    return (pwcca(x, y, share, cut) + pwcca(y, x, share, cut)) / 2


def all_canonical(x, y):
    """Compute the cosines of the angles between the spaces that the neurons span."""
    bases = [np.linalg.qr(centred(layer))[0] for layer in (x, y)]
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)


def cca_mean(x, y):
    return all_canonical(x, y).mean()


def cca_r2(x, y):
    return (all_canonical(x, y) ** 2).mean()


def cca_heldout(x, y, folds, share=0.99, cut="reach"):
    """Correlate held-out frames along the canonical directions of the training frames."""
    along = []
    for fold in np.unique(folds):
        test, train = folds == fold, folds != fold
        bases, unseen = [], []
        for layer in (x, y):
            size = layer[train].std(0)
            seen = centred(layer[train]) / size
            u, s, vt = np.linalg.svd(seen, full_matrices=False)
            below = int((np.cumsum(s**2) / np.sum(s**2) < share).sum())
            kept = below + {"below": 0, "reach": 1}[cut]
            bases.append(u[:, :kept])
            # Training frames have a variance of 1 along each of these directions.
            away = (layer[test] - layer[train].mean(0)) / size
            unseen.append(away @ vt[:kept].T / s[:kept] * np.sqrt(train.sum()))
        left, _, right = np.linalg.svd(bases[0].T @ bases[1], full_matrices=False)
        along.append([unseen[0] @ left, unseen[1] @ right.T])
    count = min(p.shape[1] for p, _ in along)
    p, q = (np.vstack([part[side][:, :count] for part in along]) for side in (0, 1))
    return np.mean((p * q).sum(0) / np.linalg.norm(p, axis=0) / np.linalg.norm(q, axis=0))


def _alignment(k, el):
    k, el = (centred(centred(each).T) for each in (k, el))
    return np.sum(k * el) / np.sqrt(np.sum(k * k) * np.sum(el * el))


def cka(x, y):
    x, y = centred(x), centred(y)
    return _alignment(x @ x.T, y @ y.T)


def cka_standardized(x, y):
    return cka(standardised(x), standardised(y))


def cka_rbf(x, y):
    kernels = []
    for layer in (x, y):
        squared = cdist(layer, layer, "sqeuclidean")
        kernels.append(np.exp(-squared / (2 * np.median(squared))))
    return _alignment(*kernels)


def hsic_distinct(k, el, groups):
    """Compute mean K_ij L_ij + mean K_ij L_qr − 2·mean K_ij L_iq over frames of distinct groups."""
    distinct = groups[:, None] != groups
    k, el = k * distinct, el * distinct
    members = [groups == group for group in np.unique(groups)]
    quadruples, four = 0.0, 0
    for u in members:
        for v in members:
            rest = ~(u | v)
            quadruples += (u is not v) * k[np.ix_(u, v)].sum() * el[np.ix_(rest, rest)].sum()
            four += (u is not v) * u.sum() * v.sum() * distinct[np.ix_(rest, rest)].sum()
    triples = sum(k[i] @ distinct @ el[i] for i in range(len(k)))
    three = sum(row.astype(int) @ distinct @ row for row in distinct)
    return (k * el).sum() / distinct.sum() + quadruples / four - 2 * triples / three


def hsic_of_all_quadruples(k, el, groups):
    """Compute `hsic_distinct` by a loop over all quadruples of frames."""
    two, three, four = [], [], []
    for i, j, q, r in itertools.product(range(len(k)), repeat=4):
        if q == r == 0 and groups[i] != groups[j]:
            two.append(k[i, j] * el[i, j])
        if r == 0 and len({groups[each] for each in (i, j, q)}) == 3:
            three.append(k[i, j] * el[i, q])
        if len({groups[each] for each in (i, j, q, r)}) == 4:
            four.append(k[i, j] * el[q, r])
    return np.mean(two) + np.mean(four) - 2 * np.mean(three)


def hsic_song(k, el, groups=None):
    """Compute unbiased HSIC by Song et al. 2012, equation 5: kernels without their diagonals."""
    n = len(k)
    k, el = (each - np.diag(np.diag(each)) for each in (k, el))
    products = (k * el).sum() + k.sum() * el.sum() / ((n - 1) * (n - 2))
    return (products - 2 / (n - 2) * k.sum(0) @ el.sum(1)) / (n * (n - 3))


def _unbiased(estimate, x, y, groups=None):
    k, el = (centred(each) @ centred(each).T for each in (x, y))
    own = estimate(k, k, groups) * estimate(el, el, groups)
    return estimate(k, el, groups) / np.sqrt(own)


def cka_debiased(x, y):
    return _unbiased(hsic_song, x, y)


def cka_utterance(x, y, groups):
    return _unbiased(hsic_distinct, x, y, groups)


def rotated(x, y):
    """Centre both layers, pad them to one width and rotate the second onto the first."""
    width = max(x.shape[1], y.shape[1])
    x, y = (np.pad(centred(each), ((0, 0), (0, width - each.shape[1]))) for each in (x, y))
    return x, y @ orthogonal_procrustes(y, x)[0]


def procrustes(x, y):
    x, y = rotated(x, y)
    return 1 - ((x - y) ** 2).sum() / ((x**2).sum() + (y**2).sum())


def angular_procrustes(x, y):
    """Compute the angle at the apex of an isosceles triangle with two sides of 1."""
    x, y = (each / np.linalg.norm(each) for each in rotated(x, y))
    return 1 - 2 * np.arcsin(np.linalg.norm(x - y) / 2) / (np.pi / 2)


def _root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    values = np.where(values > 1e-12 * values.max(), values, 0)
    return vectors * np.sqrt(values) @ vectors.T


def bures(x, y):
    k, el = (centred(each) @ centred(each).T for each in (x, y))
    fidelity = np.trace(_root(_root(k) @ el @ _root(k)))
    return fidelity / np.sqrt(np.trace(k) * np.trace(el))


def rsa(x, y):
    return spearmanr(pdist(x), pdist(y)).statistic


def mutual_knn(x, y, count=10):
    count = max(1, min(count, (len(x) - 1) // 2))
    shared = []
    for i in range(len(x)):
        near = []
        for layer in (x, y):
            distances = np.linalg.norm(layer - layer[i], axis=1)
            distances[i] = np.inf
            near.append(set(np.argsort(distances, kind="stable")[:count].tolist()))
        shared.append(len(near[0] & near[1]) / count)
    return np.mean(shared)


def distance_correlation(x, y):
    distances = [cdist(each, each) for each in (x, y)]
    a, b = (d - d.mean(0) - d.mean(1, keepdims=True) + d.mean() for d in distances)
    return np.sqrt((a * b).mean() / np.sqrt((a * a).mean() * (b * b).mean()))


# Heads: lists of one (heads, queries, keys) array per utterance; tables of heads by heads.


def _table(xs, ys, of_heads):
    return np.array(
        [
            [of_heads([x[i] for x in xs], [y[j] for y in ys]) for j in range(len(ys[0]))]
            for i in range(len(xs[0]))
        ]
    )


def attn_frobenius(xs, ys):
    """Compute one minus the mean over utterances of the norm of the difference."""

    def of_heads(a, b):
        return 1 - np.mean([np.sqrt(((p - q) ** 2).sum()) for p, q in zip(a, b, strict=True)])

    return _table(xs, ys, of_heads)


def attn_pearson(xs, ys):
    """Average over all rows the covariance (divisor T) over the deviations (divisor T − 1)."""

    def of_rows(p, q):
        covariance = ((p - p.mean()) * (q - q.mean())).mean()
        return covariance / (p.std(ddof=1) * q.std(ddof=1))

    def of_heads(a, b):
        return np.mean(
            [of_rows(*rows) for p, q in zip(a, b, strict=True) for rows in zip(p, q, strict=True)]
        )

    return _table(xs, ys, of_heads)


def attn_js(xs, ys):
    """Compute one minus the mean over all rows of the Jensen–Shannon divergence in nats."""

    def entropy_to(p, m):
        seen = p > 0
        return (p[seen] * np.log(p[seen] / m[seen])).sum()

    def of_rows(p, q):
        m = (p + q) / 2
        return (entropy_to(p, m) + entropy_to(q, m)) / 2

    def of_heads(a, b):
        return 1 - np.mean(
            [of_rows(*rows) for p, q in zip(a, b, strict=True) for rows in zip(p, q, strict=True)]
        )

    return _table(xs, ys, of_heads)


def attn_frobenius_normalized(xs, ys):
    """Compute one minus the mean over utterances of the distance relative to its maximum."""

    def of_heads(a, b):
        return 1 - np.mean(
            [np.sqrt(((p - q) ** 2).sum() / (2 * len(p))) for p, q in zip(a, b, strict=True)]
        )

    return _table(xs, ys, of_heads)


def attn_pearson_centered(xs, ys):
    """Average the correlation over all rows."""

    def of_heads(a, b):
        pairs = [rows for p, q in zip(a, b, strict=True) for rows in zip(p, q, strict=True)]
        return np.mean([np.corrcoef(*rows)[0, 1] for rows in pairs])

    return _table(xs, ys, of_heads)


def attn_js_bits(xs, ys):
    """Compute one minus the mean over all rows of the Jensen–Shannon divergence in bits."""

    def of_heads(a, b):
        pairs = [rows for p, q in zip(a, b, strict=True) for rows in zip(p, q, strict=True)]
        return 1 - np.mean([jensenshannon(*rows, base=2) ** 2 for rows in pairs])

    return _table(xs, ys, of_heads)


def attn_cka(xs, ys):
    """Average CKA over utterances, with queries as examples and keys as features."""

    def of_heads(a, b):
        return np.mean([cka(p, q) for p, q in zip(a, b, strict=True)])

    return _table(xs, ys, of_heads)
