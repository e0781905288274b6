"""Sparse latent features: the z in y = A z."""

import numpy as np
import torch

from lib.checks import check_sparsity


def seeded(seed: int, device: str | torch.device = "cpu") -> torch.Generator:
    """A random generator on `device` with this seed: the one source of every random draw."""
    return torch.Generator(device=device).manual_seed(seed)


def topk_uniform(stimuli: int, n: int, k: int, generator: torch.Generator, dtype=torch.float64) -> torch.Tensor:
    """Latents whose k largest of n uniform entries are kept, the rest set to 0.

        z_i = u_i if u_i is among the k largest of u ~ U(0, 1)^n, else 0

    Returns `(stimuli, n)` on the generator's device. Their moments: `lib.theory.topk_uniform_moments`.
    Raises ValueError unless 1 <= k <= n. Source: Liu et al. 2026, appendix D.1.

        >>> (topk_uniform(4, 10, 3, seeded(0)) > 0).sum(1).tolist()
        [3, 3, 3, 3]
    """
    check_sparsity(n, k)
    u = torch.rand(stimuli, n, generator=generator, dtype=dtype, device=generator.device)
    return torch.where(u >= kth_largest(u, k), u, 0)


def kth_largest(z: torch.Tensor, k: int) -> torch.Tensor:
    """The k-th largest entry of each row, `(..., 1)`: TopK keeps what is at least as large, all of a tie.

    On a CPU NumPy's vectorised partition takes a ninth of the time of `torch.topk`.
    """
    if z.device.type != "cpu":
        return z.topk(k, sorted=True).values[..., -1:]
    place = z.shape[-1] - k
    return torch.from_numpy(np.partition(z.detach().numpy(), place, axis=-1)[..., place : place + 1])


def k_sparse(stimuli: int, n: int, k: int, generator: torch.Generator, dtype=torch.float64) -> torch.Tensor:
    """Latents with exactly k entries of U(0.5, 1.5) at places drawn uniformly, the rest 0; `(stimuli, n)`.

    Entries stay away from 0, so that asking whether the support was recovered has a clear answer.
    """
    check_sparsity(n, k)
    device = generator.device
    places = torch.rand(stimuli, n, generator=generator, device=device).topk(k, dim=1).indices
    values = 0.5 + torch.rand(stimuli, k, generator=generator, dtype=dtype, device=device)
    return torch.zeros(stimuli, n, dtype=dtype, device=device).scatter_(1, places, values)


def bernoulli_uniform(stimuli: int, n: int, p: float, generator: torch.Generator, dtype=torch.float64) -> torch.Tensor:
    """Latents that are each active with probability p, then U(0, 1); `(stimuli, n)`.

    Raises ValueError unless 0 < p <= 1. Source: Longon et al. 2025, section 4.1.
    """
    if not 0 < p <= 1:
        raise ValueError(f"p = {p} is no probability of being active: choose 0 < p <= 1")
    # One draw decides both: given u < p, the value u / p is again uniform.
    u = torch.rand(stimuli, n, generator=generator, dtype=dtype, device=generator.device)
    return torch.where(u < p, u / p, 0)


def white(stimuli: int, n: int, generator: torch.Generator, dtype=torch.float64) -> torch.Tensor:
    """Gaussian latents whitened in the sample: mean 0 and `z' z / stimuli = I` to rounding; `(stimuli, n)`.

    Raises ValueError unless stimuli > n.
    """
    if stimuli <= n:
        raise ValueError(f"{stimuli} stimuli cannot whiten {n} features: give more than {n}")
    z = torch.randn(stimuli, n, generator=generator, dtype=dtype, device=generator.device)
    q, _ = torch.linalg.qr(z - z.mean(0))
    return q * stimuli**0.5
