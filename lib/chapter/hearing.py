"""Every metric of the library on the same two systems, and what leaves each as it is."""

import html
from functools import partial

import pandas as pd
import torch

from lib.canonical import cca, procrustes, pwcca, svcca
from lib.ceiling import corrected_cka
from lib.geometry import linear_cka, rsa
from lib.matching import semi_matching_score, soft_matching_score
from lib.neighbours import mutual_knn
from lib.pairwise import euclidean_rsa, rank_rsa, rbf_cka
from lib.projections import gaussian
from lib.regression import ridge_score

CORRECTED = "CKA, corrected"
METRICS = {
    "CKA": linear_cka,
    "CKA, debiased": partial(linear_cka, debiased=True),
    CORRECTED: corrected_cka,
    "CKA, Gaussian kernel": partial(rbf_cka, debiased=True),
    "RSA, dot products": rsa,
    "RSA, cosines": partial(rsa, similarity="cosine"),
    "RSA, correlations": partial(rsa, similarity="correlation"),
    "RSA, squared distances": partial(rsa, similarity="sqeuclidean"),
    "RSA, distances": euclidean_rsa,
    "RSA, Spearman": rank_rsa,
    "RSA, Kendall": partial(rank_rsa, comparison="kendall"),
    "CCA": cca,
    "CCA, squared": partial(cca, squared=True),
    "SVCCA": svcca,
    "PWCCA": pwcca,
    "Procrustes": procrustes,
    "ridge, a to b": ridge_score,
    "ridge, b to a": lambda a, b: ridge_score(b, a),
    "soft-matching": soft_matching_score,
    "semi-matching, a to b": semi_matching_score,
    "semi-matching, b to a": lambda a, b: semi_matching_score(b, a),
    "mutual k-NN": mutual_knn,
}
UNCHANGED = 1e-6  # a score that moves by less is as it was


def scores_of(y_a: torch.Tensor, y_b: torch.Tensor) -> pd.Series:
    """Each of METRICS on responses `(stimuli, units)` of two systems."""
    return pd.Series({name: float(metric(y_a, y_b)) for name, metric in METRICS.items()})


def changes_of(y_a: torch.Tensor, y_b: torch.Tensor, generator: torch.Generator) -> pd.DataFrame:
    """How far each of METRICS moves when the units of b are exchanged, scaled one by one, turned or mixed."""
    units, before = y_b.shape[1], scores_of(y_a, y_b)
    mixing = gaussian(units, units, generator)
    maps = {
        "order": torch.eye(units, dtype=torch.float64).roll(1, 0),
        "scales": mixing[0].exp().diag(),
        "rotation": torch.linalg.qr(mixing)[0],
        "linear map": mixing,
    }
    return pd.DataFrame({name: (scores_of(y_a, y_b @ by) - before).abs() for name, by in maps.items()})


def kept(changes: pd.DataFrame) -> pd.Series:
    """In words for each metric which of these leave it unchanged."""
    same = changes < UNCHANGED
    return pd.Series([", ".join(same.columns[row]) or "none of these" for row in same.to_numpy()], same.index)


def heard_table(table: pd.DataFrame, title: str) -> str:
    """HTML of a row for each metric: numbers are shaded from white at 0 to blue at 1, words stand as they are."""
    style = table.rename_axis(index=None, columns=None).style.set_uuid("heard")
    numbers = list(table.select_dtypes("number"))
    # Only the lighter part of the colours, so that dark text is legible on all of them.
    shades = table[numbers].clip(0, 1).to_numpy().tolist()
    style.background_gradient("Blues", axis=None, vmin=0, vmax=1.6, text_color_threshold=0, subset=numbers, gmap=shades)
    style.format("{:.2f}", subset=numbers, na_rep="no number")
    return f'<p class="figure-title">{html.escape(title)}</p><div class="heard">{style.to_html()}</div>'
