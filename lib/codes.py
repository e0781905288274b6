"""TopK codes and the products that training an SAE needs of them, dense or in time proportional to k.

P models, F latents. A code keeps the k largest latents of each stimulus. On a CPU a large dictionary is worth the
compressed form: a training step is then little more than the encoder's product.
"""

import warnings

import torch

from lib.features import kth_largest

COMPRESS_FROM = 256  # latents
COMPRESS_SHARE = 1 / 16  # of the latents, the most that may be active

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
torch.sparse.check_sparse_tensor_invariants.disable()  # ours hold by construction, and checking takes time


def topk_code(z: torch.Tensor, k: int, rectify: bool = False) -> "DenseCode | CompressedCode":
    """The code of values before TopK, `z: (P, stimuli, F)`, in the form that is faster there.

    With `rectify` it is TopK(ReLU(z)): of the entries kept, those at or below 0 are 0 and pass no gradient on.
    """
    large = z.shape[-1] >= COMPRESS_FROM and k <= COMPRESS_SHARE * z.shape[-1]
    return (CompressedCode if large and z.device.type == "cpu" else DenseCode)(z, k, rectify)


def _products(out, matrices, y):
    """Each model's sparse matrix times its y, written where it belongs: a copy would cost as much as the product."""
    for one, matrix, x in zip(out, matrices, y, strict=True):
        torch.addmm(one, matrix, x, beta=0, out=one)
    return out


class DenseCode:
    """A code as an ordinary tensor `values: (P, stimuli, F)`; all of a tie for the k-th place are kept."""

    def __init__(self, z: torch.Tensor, k: int, rectify: bool = False):
        self.selected = torch.ge(z, kth_largest(z, k), out=torch.empty_like(z))
        if rectify:
            self.selected *= z > 0
        self.values = z * self.selected

    def decode(self, decoder: torch.Tensor) -> torch.Tensor:
        """code @ decoder, with decoder `(P, F, units)`."""
        return self.values @ decoder

    def sampled_product(self, y: torch.Tensor, decoder: torch.Tensor) -> torch.Tensor:
        """y @ decoder' where the code is kept, with y `(P, stimuli, units)`; in the form of `values`."""
        return (y @ decoder.mT).mul_(self.selected)

    def decoder_gradient(self, y: torch.Tensor) -> torch.Tensor:
        """code' @ y, `(P, F, units)`."""
        return self.values.mT @ y

    def encoder_gradient(self, y: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """values' @ y, `(P, F, units)`, with values in the form of this code's own."""
        return values.mT @ y

    def sums(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over stimuli of values in the form of this code's own, `(P, F)`."""
        return values.sum(1)

    def used(self) -> torch.Tensor:
        """Latents that are not 0 for some stimulus; boolean `(P, F)`."""
        return self.values.abs().sum(1) > 0  # a sum is five times as fast as a norm or `any`


class CompressedCode:
    """The same as `values: (P, stimuli, k)` at sorted `places`; of entries that tie for the k-th place one is kept."""

    def __init__(self, z: torch.Tensor, k: int, rectify: bool = False):
        self.shape, self.rectify = z.shape[1:], rectify
        values, places = z.topk(k, dim=-1)
        self.places, order = places.sort(dim=-1)
        self.values = values.gather(-1, order)
        if rectify:
            self.values.relu_()
        self.ends = torch.arange(0, self.shape[0] * k + 1, k)
        self.transposes = [self._transpose(places.flatten()) for places in self.places]

    def _transpose(self, places):
        """Ends and rows of the transpose in compressed form, and the order its values come in."""
        latents, order = places.sort(stable=True)
        ends = torch.bincount(latents + 1, minlength=self.shape[1] + 1).cumsum(0)
        return ends, order.div(self.values.shape[-1], rounding_mode="floor"), order

    def _rows(self, p, values):
        return torch.sparse_csr_tensor(self.ends, self.places[p].flatten(), values.flatten(), self.shape)

    def _columns(self, p, values):
        ends, rows, order = self.transposes[p]
        return torch.sparse_csr_tensor(ends, rows, values.flatten()[order], self.shape[::-1])

    def decode(self, decoder: torch.Tensor) -> torch.Tensor:
        out = decoder.new_empty(len(decoder), self.shape[0], decoder.shape[2])
        return _products(out, [self._rows(p, values) for p, values in enumerate(self.values)], decoder)

    def sampled_product(self, y: torch.Tensor, decoder: torch.Tensor) -> torch.Tensor:
        zeros = torch.zeros_like(self.values[0])
        found = [torch.sparse.sampled_addmm(self._rows(p, zeros), y[p], decoder[p].mT) for p in range(len(y))]
        product = torch.stack([product.values().view_as(zeros) for product in found])
        return product * (self.values > 0) if self.rectify else product

    def decoder_gradient(self, y: torch.Tensor) -> torch.Tensor:
        return self.encoder_gradient(y, self.values)

    def encoder_gradient(self, y: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        out = y.new_empty(len(y), self.shape[1], y.shape[2])
        return _products(out, [self._columns(p, own) for p, own in enumerate(values)], y)

    def sums(self, values: torch.Tensor) -> torch.Tensor:
        into = values.new_zeros(len(values), self.shape[1])
        return into.scatter_add_(1, self.places.flatten(1), values.flatten(1))

    def used(self) -> torch.Tensor:
        return self.sums(self.values.abs()) > 0
