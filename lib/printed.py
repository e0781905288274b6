"""Scores that print as the numbers they are: all have `float(score)`, `f"{score:.3f}"` and a short repr."""

import torch


def as_number(self, spec: str) -> str:
    """The `__format__` of a result with `float(result)`: of its number, or its repr without `spec`."""
    return format(float(self), spec) if spec else repr(self)


class Score(torch.Tensor):
    """A tensor `(...)` that prints in short; what is computed from it is a plain tensor.

    >>> score(torch.tensor(0.25, dtype=torch.float64))
    0.2500
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    __format__ = as_number  # type: ignore[assignment]

    def __repr__(self) -> str:
        return shown(self)


def score(values: torch.Tensor) -> torch.Tensor:
    """`values` as a `Score`."""
    return values.as_subclass(Score)


def shown(values: torch.Tensor) -> str:
    """One number to four decimals, or of several their shape, mean and range."""
    if values.numel() == 1:
        return f"{float(values):.4f}"
    low, mean, high = (float(x) for x in (values.min(), values.mean(), values.max()))
    return f"{tuple(values.shape)} scores, mean {mean:.4f}, from {low:.4f} to {high:.4f}"
