"""Values that public implementations give for seeded responses, so that none of them need be installed.

netrep 0.0.2 (0186b8a), google/svcca (1f3fbf1) and platonic-rep (dcd76ba), run once with NumPy 2.4.6.
"""

from math import cos

import numpy as np
import pytest
from helpers import close

from lib.canonical import cca, pwcca, shape_distance
from lib.neighbours import mutual_knn
from lib.pairwise import rbf_cka

RNG = np.random.default_rng(0)
Y_A, Y_B = RNG.standard_normal((200, 6)), RNG.standard_normal((200, 9))
Y_B[:, :6] += Y_A * np.arange(1, 7)


def test_netrep():
    close(shape_distance(Y_A, Y_B), 0.5347962698443242)  # LinearMetric(alpha=1.0)
    close(cca(Y_A, Y_B[:, :6]), 0.9095163843731027)  # cos LinearMetric(alpha=0.0)
    assert cos(shape_distance(Y_A, Y_B[:, :6])) != pytest.approx(0.9095, abs=0.01)


def test_svcca():
    close(cca(Y_A, Y_B), 0.9111406231678364)  # cca_core, "mean"
    # weighted by its cca_dirns1; its own compute_pwcca leaves out their whitening, and gives 0.9239
    close(pwcca(Y_A, Y_B), 0.9229994227496948)


@pytest.mark.parametrize(("k", "wanted"), [(5, 0.383), (10, 0.4425), (50, 0.6417)])
def test_platonic_rep_neighbours(k, wanted):
    close(mutual_knn(Y_A, Y_B, k), wanted, 1e-7)  # mutual_knn of rows of length 1, in single precision


def test_platonic_rep_kernels():
    close(rbf_cka(Y_A, Y_B), 0.7627489634033027, 2e-9)  # cka(kernel_metric="rbf") of y / median distance
    close(rbf_cka(Y_A, Y_B, debiased=True), 0.7501879422480812)  # hsic_unbiased, without the 1e-6 of its cka
