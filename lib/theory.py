"""Closed forms: what each metric gives for y = A z, before anything is sampled.

Symbols: `a: (..., units, n)` and `b` are projections of n features, G = A'A their Gram matrix, kappa the kurtosis of
the projection's entries (3 if Gaussian, 1 if +-1), M the number of stimuli. Latents are white with mean 0 unless a
covariance is given. [A] is Longon et al. 2025, [B] Liu et al. 2026; "ours" is what we found in neither nor elsewhere.
"""

from math import asin, cos, erfc, exp, lgamma, log, pi, sin, sqrt

import torch

from lib.checks import as_tensor, check_alike, check_projection, check_sparsity


def matrix_root(covariance: torch.Tensor) -> torch.Tensor:
    """Symmetric square root of a positive semi-definite `(..., n, n)`."""
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.clamp(min=0).sqrt()[..., None, :]) @ vectors.mT


def gram_cosine(a: torch.Tensor, b: torch.Tensor, covariance: torch.Tensor | None = None) -> torch.Tensor:
    """Cosine between the Gram matrices: the limit of RSA and of linear CKA.

        cos = <G_A, G_B> / (|G_A| |G_B|),   <G_A, G_B> = |A S B'|_F^2

    Only units x units products are formed when S is the identity. [B, theorems 3.1 and 3.2]
    """
    a, b = _whitened_pair(a, b, covariance)
    cross, own_a, own_b = (torch.linalg.matrix_norm(x @ y.mT) for x, y in ((a, b), (a, a), (b, b)))
    return cross**2 / (own_a * own_b).clamp(min=torch.finfo(a.dtype).tiny)


def row_space(a: torch.Tensor) -> torch.Tensor:
    """Basis `(..., n, min(units, n))` of the row space of `a`, so that P_A = basis @ basis'.

    Columns are orthonormal, or 0 where the singular value is below the largest times n times the machine epsilon.
    """
    _, values, vt = torch.linalg.svd(a, full_matrices=False)
    kept = values > values[..., :1] * a.shape[-1] * torch.finfo(a.dtype).eps
    return vt.mT * kept[..., None, :]


def ols_weights(a: torch.Tensor, b: torch.Tensor, covariance: torch.Tensor | None = None) -> torch.Tensor:
    """Least-squares weights that predict y_b = B z from y_a = A z; `(..., units_b, units_a)`.

        W* = B S A' (A S A')^+

    [B, theorem 3.3 (1)]; the covariance is ours.
    """
    a, b = _whitened_pair(a, b, covariance)
    return b @ torch.linalg.pinv(a)


def ols_r2(a: torch.Tensor, b: torch.Tensor, covariance: torch.Tensor | None = None) -> torch.Tensor:
    """Explained variance of y_b regressed on y_a, pooled over units of b.

        R2 = tr(B P_A B') / tr(B B')

    with P_A the projection on the row space of A (of A S^(1/2) for covariance S). [B, theorem 3.3 (3)]
    """
    a, b = _whitened_pair(a, b, covariance)
    return (b @ row_space(a)).square().sum((-2, -1)) / b.square().sum((-2, -1)).clamp(min=torch.finfo(b.dtype).tiny)


def ols_mse(a: torch.Tensor, b: torch.Tensor, covariance: torch.Tensor | None = None) -> torch.Tensor:
    """Mean squared error per predicted entry: `tr(B (I - P_A) B') / units_b`. [B, theorem 3.3 (2)]"""
    a, b = _whitened_pair(a, b, covariance)
    return b.square().sum((-2, -1)) * (1 - ols_r2(a, b)) / b.shape[-2]


def ols_r(a: torch.Tensor, b: torch.Tensor, covariance: torch.Tensor | None = None) -> torch.Tensor:
    """Pearson correlation of each unit of b with its prediction; `(..., units_b)`.

        r_j = sqrt(b_j' P_A b_j / b_j' b_j)

    A unit with no features scores 0. [B, theorem 3.3 (4)]
    """
    a, b = _whitened_pair(a, b, covariance)
    explained = (b @ row_space(a)).square().sum(-1)
    return (explained / b.square().sum(-1).clamp(min=torch.finfo(b.dtype).tiny)).sqrt()


def _whitened_pair(a, b, covariance):
    check_projection(a, "a")
    check_projection(b, "b")
    check_alike(a, b, "a", "b")
    n = a.shape[-1]
    if b.shape[-1] != n:
        raise ValueError(f"a projects {n} features and b {b.shape[-1]}: both need the same latent space")
    if covariance is None:
        return a, b
    if covariance.shape[-2:] != (n, n):
        raise ValueError(f"covariance has shape {tuple(covariance.shape)}: give ({n}, {n}), one row for each feature")
    check_alike(a, covariance, "the projection", "covariance")
    root = matrix_root(covariance)
    return a @ root, b @ root


# Expectations over random projections with independent entries of mean 0


def expected_cka(n_a: int, m_a: int, m_b: int, kurtosis: float = 3.0, n_b: int | None = None, n_s: int | None = None):
    """Expected RSA and linear CKA of two independent random projections, as a ratio of expectations.

        E CKA ~ [n_s / sqrt(n_a n_b)] sqrt(m_a m_b / ((n_a + m_a + kappa - 2) (n_b + m_b + kappa - 2)))

    n_a, n_b features of which n_s are shared, as many as can be if n_s is not given. [B, section 3.1], from the moments
    of Wishart 1928 if entries are Gaussian; the factorisation with partial overlap is ours.
    """
    n_b = n_a if n_b is None else n_b
    n_s = min(n_a, n_b) if n_s is None else n_s
    geometry = m_a * m_b / ((n_a + m_a + kurtosis - 2) * (n_b + m_b + kurtosis - 2))
    return n_s / sqrt(n_a * n_b) * sqrt(geometry)


def expected_r2(n_a: int, m_a: int, n_b: int | None = None, n_s: int | None = None) -> float:
    """Expected explained variance of y_b regressed on y_a, for independent random projections and m_a <= n_a.

        E R2(a to b) = n_s m_a / (n_a n_b)

    whatever m_b and kappa; m_a / n_a when all features are shared, which follows from [B, theorem 3.3]. The overlap is
    ours.
    """
    n_b = n_a if n_b is None else n_b
    n_s = min(n_a, n_b) if n_s is None else n_s
    return n_s * min(m_a, n_a) / (n_a * n_b)


def expected_r2_of_spectrum(variances: torch.Tensor, m: int) -> float:
    """Expected explained variance of y_b regressed on y_a, for features of unequal variances and Gaussian projections.

        E R2 ~ 1 - kappa m / sum_i s_i,   sum_i s_i / (s_i + kappa) = m

    with s_i the `variances: (n,)` of the features, or eigenvalues of their covariance; m / n if all are equal, 1 from
    m = n on. The rows of A S^(1/2) span a random space that favours large variances, and the mean projection off it is
    about kappa (S + kappa)^-1 [Derezinski et al. 2020, theorem 1]. Raises ValueError unless variances are finite, not
    negative and not all 0, and m is 1 or more.
    """
    s = as_tensor(variances, "variances").double().flatten()
    if m < 1 or not torch.isfinite(s).all() or (s < 0).any() or not (s > 0).any():
        raise ValueError(f"m = {m}, variances from {s.min():.3g} to {s.max():.3g}: give m >= 1, finite variances >= 0")
    s = s[s > 0] / s.sum()
    if m >= len(s):
        return 1.0
    from scipy.optimize import root_scalar  # here, as it takes a third of a second to load

    ends = log(float(s.min()) * 1e-9), log(2 * len(s))
    root = root_scalar(lambda at: float((s / (s + exp(at))).sum()) - m, bracket=ends, xtol=1e-12).root
    return 1 - exp(root) * m


def expected_r(n: int, m: int) -> float:
    """Expected Pearson r of one regressed unit for a Gaussian target row.

        r^2 ~ Beta(m / 2, (n - m) / 2),   E r = Gamma((m + 1) / 2) Gamma(n / 2) / (Gamma(m / 2) Gamma((n + 1) / 2))

    Exact for any full-rank A with m <= n. The law of a multiple correlation under the null hypothesis, Fisher 1928;
    see Muirhead 1982. It applies by [B, theorem 3.3 (4)].
    """
    if m >= n:
        return 1.0
    return exp(lgamma((m + 1) / 2) + lgamma(n / 2) - lgamma(m / 2) - lgamma((n + 1) / 2))


def expected_dimensions(n: int, m: int, kurtosis: float = 3.0) -> float:
    """Participation ratio of the units of a random projection, as a ratio of expectations.

        d ~ E (tr G)^2 / E |G|^2 = (n m + kappa - 1) / (n + m + kappa - 2)

    1 for a single unit, n for many units. Ours; `lib.ceiling.cka_ceiling` makes the expected CKA of it.
    """
    return (n * m + kurtosis - 1) / (n + m + kurtosis - 2)


def crossing_units(n_f: int, overlap: float, m_0: int, kurtosis: float = 3.0) -> float:
    """Units m_b at which a pair that shares less reaches the CKA of a fully shared pair with m_0 units.

        m_b* = t (n_f + kappa - 2) / (overlap^2 - t),   t = m_0 / (n_f + m_0 + kappa - 2)

    Both pairs share system a (any m_a: it cancels), each system has n_f features, `overlap` = n_s / n_f. Infinite
    where overlap^2 <= t: no number of units makes up for the missing features. Ours; the effect is [B, section 4.2].
    """
    shift = n_f + kurtosis - 2
    t = m_0 / (m_0 + shift)
    return t * shift / (overlap**2 - t) if overlap**2 > t else float("inf")


def cka_finite_sample_factor(n: int, m: int, stimuli: int) -> float:
    """By how much sampling M stimuli raises biased CKA above its limit, for m_a = m_b = m random projections.

        factor ~ (1 + n / M) / (1 + n m / (M (n + m)))

    Ours, to first order in 1 / M.
    """
    return (1 + n / stimuli) / (1 + n * m / (stimuli * (n + m)))


# Sparsity and matching


def compressed_sensing_units(n: int, k: int) -> float:
    """The paper's unit of measurement count, m_CS = k log(n / k); `recovery_units` is where recovery sets in.

    [B, appendix D.1, equation 38]

        >>> round(compressed_sensing_units(1000, 10), 3)
        46.052
    """
    check_sparsity(n, k)
    return k * log(n / k)


def recovery_units(n: int, k: int, nonnegative: bool = True) -> float:
    """Units at which basis pursuit with a Gaussian projection passes from failure to success, in about sqrt(n) units.

        min over t >= 0 of  k (1 + t^2) + (n - k) c E (g - t)_+^2,   g ~ N(0, 1)

    with c = 1 if codes are known to be non-negative, else c = 2: to an error of order sqrt(n / k), the statistical
    dimension of the cone in which the sum of a k-sparse code falls. Sources: Amelunxen, Lotz, McCoy and Tropp 2014;
    Donoho and Tanner 2005 for the same threshold in another form.
    """
    from scipy.optimize import fminbound  # here, as it takes a third of a second to load

    check_sparsity(n, k)

    def distance(t):
        excess = (1 + t**2) * erfc(t / sqrt(2)) / 2 - t * exp(-(t**2) / 2) / sqrt(2 * pi)
        return k * (1 + t**2) + (n - k) * (1 if nonnegative else 2) * excess

    return float(distance(fminbound(distance, 0, 40)))


def topk_uniform_moments(n: int, k: int) -> tuple[float, float, float]:
    """Mean, variance and covariance of the entries of `lib.features.topk_uniform`.

    Entries are exchangeable, so the covariance matrix is (variance - covariance) I + covariance 11'. With the order
    statistics U_(i) of n uniforms, E U_(i) = i / (n + 1) and E U_(i) U_(j) = i (j + 1) / ((n + 1)(n + 2)), i <= j:

        E z = sum_i i / (n (n + 1)),  E z^2 = sum_i i (i + 1) / (n (n + 1)(n + 2)),
        E z z' = 2 sum_{i < j} i (j + 1) / (n (n - 1)(n + 1)(n + 2)),   sums over the k largest ranks

    Ours: it says why centring is enough to make these latents nearly white.
    """
    check_sparsity(n, k)
    ranks = range(n - k + 1, n + 1)
    mean = sum(ranks) / (n * (n + 1))
    square = sum(i * (i + 1) for i in ranks) / (n * (n + 1) * (n + 2))
    pairs = sum(i * (j + 1) for i in ranks for j in range(i + 1, n + 1))
    product = 2 * pairs / (n * (n - 1) * (n + 1) * (n + 2)) if n > 1 else 0.0
    return mean, square - mean**2, product - mean**2


def shifted_grouping_score(q: int, shift: int) -> float:
    """Permutation score of two systems whose units each sum q neighbouring features, b's groups moved by `shift`.

        score = max(s, q - s) / q,   s = shift mod q

    [A, section 3 (2)] for q = 2 and shift 1; the sweep is ours.
    """
    s = shift % q
    return max(s, q - s) / q


# Metrics beyond both papers, for independent Gaussian projections unless said otherwise


def expected_squared_cca(n_a: int, m_a: int, m_b: int, n_b: int | None = None, n_s: int | None = None) -> float:
    """Expected mean squared canonical correlation, for m_a <= n_a and m_b <= n_b.

        E CCA^2 = max(m_a, m_b) n_s / (n_a n_b)

    The sum of squares is tr(P_A P_B), P the projections on the row spaces, and E P_A = (m_a / n_a) I on a's features:
    so for all entries with symmetric signs and exchangeable columns. Elementary, but for the overlap, which is ours.
    """
    n_b = n_a if n_b is None else n_b
    n_s = min(n_a, n_b) if n_s is None else n_s
    return max(m_a, m_b) * n_s / (n_a * n_b)


def expected_cca(n: int, m: int) -> float:
    """Mean canonical correlation of two systems of m units, m <= n; a limit for large n.

        E CCA -> (sin 2f - 2f cos 2f) / (pi sin^2 f),   sin^2 f = m / n;   8 / (3 pi) sqrt(m / n) if m << n

    The squares are the eigenvalues of a product of two free projections, of density sqrt((l - x) / x) /
    (2 pi c (1 - x)) on [0, l], c = m / n, l = 4 c (1 - c), and 1 for the share (2c - 1) / c that must be common. Its
    mean root is this; at m = n / 2 angles are uniform (Aubrun 2021), which gives 2 / pi. The density is Wachter's
    (1980). Kang et al. 2025 treat CCA of few sampled neurons by random matrix theory; this mean we found nowhere.
    """
    f = asin(sqrt(m / n))
    return (sin(2 * f) - 2 * f * cos(2 * f)) / (pi * m / n)


def expected_procrustes(n: int, m: int) -> float:
    """`lib.canonical.procrustes` of two systems of m units, m <= n; a limit for large m.

        E cos theta -> 8 / (3 pi) sqrt(m / n) F(-1/2, 1/2; 5/2; m / n)

    with F the hypergeometric function: 3/4 at m = n, as no rotation makes two square projections equal. The squared
    singular values of A B' have S-transform 1 / ((1 + z)(1 + z m / n)), so moments (1 / k) sum_j C(k, j) C(2k, k - 1 -
    j) (m / n)^j; k = 1/2 gives the nuclear norm. |A| |B| is m n. Ours.
    """
    from scipy.special import hyp2f1  # here, as it takes a third of a second to load

    return 8 / (3 * pi) * sqrt(m / n) * float(hyp2f1(-0.5, 0.5, 2.5, m / n))


def expected_distance_rsa(m_a: int, m_b: int, n_eff: float, spread: float) -> float:
    """Expected RSA of squared Euclidean distances, for latents of any distribution, as a ratio of expectations.

        E RSA ~ sqrt(f(m_a) f(m_b)),   f(m) = m / (m + 2 + 4 (n_eff - 1) / (spread + 2))

    n_eff = (tr S)^2 / tr S^2 counts features, and spread = Var |z - E z|^2 / tr S^2 says how unequal their norms are: 2
    for Gaussian latents, where this is the CKA m / (n_eff + m + 1); kappa_z - 1 for white independent ones of kurtosis
    kappa_z; 0 where k features of equal size are active. Below 2, distances lie below dot products.

    d = z_i - z_j has covariance 2 S and W = Var |d|^2 = 2 Var |z - E z|^2 + 4 tr S^2. As G is m I on average, with
    entries that vary by m (2 m on the diagonal), distances of two systems covary by m_a m_b W, and those of one have
    the variance m^2 W + 2 m (W + 4 (tr S)^2 - 4 tr S^2). Ours.
    """
    shift = 2 + 4 * (n_eff - 1) / (spread + 2)
    return sqrt(m_a / (m_a + shift) * m_b / (m_b + shift))


def rank_correlations(correlation: float) -> tuple[float, float]:
    """Spearman's and Kendall's correlation of normal variables of this Pearson correlation c.

        (6 / pi) arcsin(c / 2),   (2 / pi) arcsin(c)

    So what `lib.pairwise.rank_rsa` gives where RSA, or CKA, is c and dot products of two stimuli are near normal. They
    are normal given one of the stimuli, for Gaussian latents; not quite over all. Pearson 1907, Greiner 1909.
    """
    return 6 / pi * asin(correlation / 2), 2 / pi * asin(correlation)


def null_cka(dimensions_a: float, dimensions_b: float, stimuli: int) -> float:
    """Biased linear CKA of systems that have nothing in common, from their participation ratios.

        E CKA = sqrt(d_a d_b) / (M - 1)

    Exact over all orders of b's stimuli, with d of the sample: shuffling makes b's centred kernel (I - 11'/M) tr L /
    (M - 1) on average, and tr K / |K|_F = sqrt(d_a). Known of the RV coefficient, which is linear CKA: Kazi-Aoual et
    al. 1995, see Josse and Holmes 2016. By the same means mean CCA^2 is the larger rank over M - 1.
    """
    return sqrt(dimensions_a * dimensions_b) / (stimuli - 1)


def expected_mutual_knn(correlation: float, k: int, stimuli: int) -> float:
    """Mutual k-nearest neighbours of Gaussian latents, where `correlation` is the CKA; an approximation.

        P(X > t, Y > t) / q = 1 - 2 T(t, sqrt((1 - c) / (1 + c))) / q,   P(X > t) = q = k / (M - 1)

    X, Y standard normal with correlation c, T Owen's function: dot products with one stimulus are normal over the
    others, with a correlation near c if participation ratios are large, and the k largest lie above t. Taken for
    cosines and distances too. Sparse latents have more in common, as neighbours share active features. Ours.
    """
    from scipy.special import ndtri, owens_t  # here, as it takes a third of a second to load

    q = k / (stimuli - 1)
    t = -ndtri(q)
    return float(1 - 2 * owens_t(t, sqrt((1 - correlation) / (1 + correlation))) / q)
