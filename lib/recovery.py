"""Sparse recovery: find z from y = A z when the projection A is known and z has few active features."""

import numpy as np
import torch
from tqdm import tqdm

from lib.checks import check_alike, check_projection, check_responses, check_sparsity

DEPENDENT = {torch.float64: 1e-10, torch.float32: 1e-5}  # what is left of a column, as a share of it, is rounding
SOLVER_TOLERANCE = 1e-6  # entries below this share of the response are the solver's rounding, not features


def orthogonal_matching_pursuit(y: torch.Tensor, a: torch.Tensor, k: int) -> torch.Tensor:
    """Greedy recovery: k times, add the column most correlated with the residual, then refit on all columns chosen.

        T <- T + argmax_j |<a_j, y - A_T z_T>| / |a_j|,   z_T = argmin |y - A_T z_T|^2

    `y: (..., stimuli, units)`, `a: (..., units, n)`, one projection for all stimuli of a batch entry; returns
    `(..., stimuli, n)`. A column of zeros is never chosen; of columns that depend on each other the values are those of
    least norm. Raises ValueError on bad input and unless 1 <= k <= min(units, n). Source: Pati et al. 1993.
    """
    y, a = _check_system(y, a)
    check_sparsity(min(a.shape[-2:]), k)
    batch = torch.broadcast_shapes(y.shape[:-2], a.shape[:-2])
    y, a = y.expand(*batch, *y.shape[-2:]), a.expand(*batch, *a.shape[-2:])
    lengths = torch.linalg.vector_norm(a, dim=-2)[..., None, :].clamp(min=torch.finfo(a.dtype).tiny)
    columns, stimuli, units = a.mT[..., None, :, :], y.shape[:-1], y.shape[-1]
    basis, triangle = y.new_zeros(*stimuli, k, units), y.new_zeros(*stimuli, k, k)  # of the chosen columns, A_T = Q R
    chosen, residual = torch.zeros(*stimuli, k, dtype=torch.long, device=y.device), y
    for step in range(k):
        fit = (residual @ a).abs() / lengths
        chosen[..., step] = fit.scatter(-1, chosen[..., :step], -1.0).argmax(-1)
        column = torch.take_along_dim(columns, chosen[..., step, None, None], dim=-2)  # (..., stimuli, 1, units)
        new = column
        for _ in range(2):  # the second time takes away what rounding left
            along = new @ basis[..., :step, :].mT
            new = new - along @ basis[..., :step, :]
            triangle[..., :step, step] += along[..., 0, :]
        length, whole = (torch.linalg.vector_norm(one, dim=-1, keepdim=True) for one in (new, column))
        new = torch.where(length > DEPENDENT[y.dtype] * whole, new / length, 0)  # 0 if it depends on those before
        basis[..., step, :], triangle[..., step, step] = new[..., 0, :], length[..., 0, 0] * (new != 0).any(-1)[..., 0]
        residual = residual - (residual[..., None, :] @ new.mT @ new)[..., 0, :]
    values = torch.linalg.solve_triangular(triangle, basis @ y[..., None], upper=True)[..., 0]
    values = _where_dependent(values, triangle, chosen, columns, y)
    codes = torch.zeros(*stimuli, a.shape[-1], dtype=y.dtype, device=y.device)
    return codes.scatter(-1, chosen, values)


def _where_dependent(values, triangle, chosen, columns, y):
    """The values of least norm for stimuli whose chosen columns depend on each other; the others as they are."""
    some = (triangle.diagonal(dim1=-2, dim2=-1) == 0).any(-1)
    if some.any():
        picked = torch.take_along_dim(columns, chosen[..., None], dim=-2)[some].double()
        inverse, values = torch.linalg.pinv(picked.mT, rtol=DEPENDENT[y.dtype]), values.clone()
        values[some] = (inverse @ y[some].double()[..., None])[..., 0].to(y.dtype)
    return values


def nonnegative_basis_pursuit(y: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """Recovery by the sparsest-in-sum non-negative code, a linear programme solved exactly for each stimulus.

        min 1'z  subject to  A z = y, z >= 0

    `y: (stimuli, units)`, `a: (units, n)`; returns `(stimuli, n)` in double precision. A stimulus that no
    non-negative code explains gets NaN; entries below the solver's tolerance are 0. Raises ValueError on bad input.
    Source: Chen, Donoho and Saunders 1998; solver: HiGHS.
    """
    from scipy.optimize import linprog  # here, as it takes a third of a second to load

    y, a = _check_system(y, a)
    if y.ndim != 2 or a.ndim != 2:
        raise ValueError(f"y {tuple(y.shape)} and a {tuple(a.shape)}: give one system, (stimuli, units) and (units, n)")
    matrix = a.detach().cpu().double().numpy()
    cost = np.ones(matrix.shape[1])
    codes = np.full((len(y), matrix.shape[1]), np.nan)
    for i, response in enumerate(tqdm(y.detach().cpu().double().numpy(), "basis pursuit", delay=2, leave=False)):
        scale = np.abs(response).max() or 1.0
        solution = linprog(cost, A_eq=matrix, b_eq=response / scale, bounds=(0, None), method="highs")
        if solution.status == 0:
            codes[i] = scale * np.where(solution.x > SOLVER_TOLERANCE, solution.x, 0.0)
    return torch.as_tensor(codes)


@torch.no_grad()
def nonnegative_lasso(y: torch.Tensor, a: torch.Tensor, penalty: float = 1e-3, steps: int = 1000) -> torch.Tensor:
    """Recovery by non-negative least squares with a small price on the sum of the code; basis pursuit in the limit.

        min |y - A z|^2 / 2 + penalty 1'z  subject to  z >= 0

    by `steps` accelerated proximal gradient steps, all stimuli and systems at once: `y: (..., stimuli, units)`,
    `a: (..., units, n)`; returns `(..., stimuli, n)`. The price is in the units of y squared over z; a lower one needs
    more steps, and nothing warns if they do not suffice. Raises ValueError on bad input and on a penalty below 0.
    Source: Beck and Teboulle 2009 (FISTA).
    """
    y, a = _check_system(y, a)
    if not penalty >= 0:
        raise ValueError(f"penalty = {penalty} rewards large codes: choose penalty >= 0")
    gram, fit = a.mT @ a, y @ a
    rate = 1 / torch.linalg.matrix_norm(gram, 2)[..., None, None]
    z = ahead = torch.zeros_like(fit)
    momentum = 1.0
    for _ in range(steps):
        new = (ahead - rate * (ahead @ gram - fit + penalty)).clamp_(min=0)
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = new + (momentum - 1) / following * (new - z)
        z, momentum = new, following
    return z


def support_recovered(z: torch.Tensor, truth: torch.Tensor, tolerance: float = 1e-4) -> torch.Tensor:
    """Whether the active features are exactly the true ones; boolean `(..., stimuli)`.

    A feature counts as active above `tolerance` times the largest true value; NaN never counts as recovered.
    """
    floor = tolerance * truth.abs().amax(-1, keepdim=True)
    return ((z.abs() > floor) == (truth.abs() > floor)).all(-1) & ~z.isnan().any(-1)


def _check_system(y, a):
    y = check_responses(y, "y", min_stimuli=1)
    check_projection(a, "a")
    if y.shape[-1] != a.shape[-2]:
        raise ValueError(f"y has {y.shape[-1]} units and a has {a.shape[-2]} rows: they must agree, y = A z")
    check_alike(y, a, "y", "a")
    return y, a
