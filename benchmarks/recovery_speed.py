"""Orthogonal matching pursuit against scikit-learn, from the Gram matrix and without.

OMP_NUM_THREADS=1 .venv/bin/python benchmarks/recovery_speed.py
"""

import torch
from sklearn.linear_model import orthogonal_mp, orthogonal_mp_gram
from timing import race

from lib.recovery import orthogonal_matching_pursuit


def system(stimuli, units, features, k):
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(units, features, generator=generator, dtype=torch.float64)
    a /= a.norm(dim=0)  # scikit-learn assumes it
    z = torch.zeros(stimuli, features, dtype=torch.float64)
    active = torch.rand(stimuli, features, generator=generator).argsort(1)[:, :k]
    z.scatter_(1, active, 1 + torch.rand(stimuli, k, generator=generator, dtype=torch.float64))
    return z @ a.T, a


if __name__ == "__main__":
    for stimuli, units, features, k in ((2000, 128, 512, 8), (2000, 256, 512, 20)):
        y, a = system(stimuli, units, features, k)
        gram, fit = (a.T @ a).numpy(), (y @ a).T.numpy()
        rows, columns = y.T.numpy(), a.numpy()
        ways = {
            "lib": lambda y=y, a=a, k=k: orthogonal_matching_pursuit(y, a, k),
            "scikit-learn, Gram": lambda g=gram, f=fit, k=k: torch.tensor(
                orthogonal_mp_gram(g, f, n_nonzero_coefs=k).T
            ),
            "scikit-learn": lambda r=rows, c=columns, k=k: torch.tensor(orthogonal_mp(c, r, n_nonzero_coefs=k).T),
        }
        race("orthogonal matching pursuit", f"{stimuli:,} x {units}, {features} columns, k = {k}", ways, repeats=5)
