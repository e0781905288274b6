import pytest
import torch
from helpers import DTYPES, TOLERANCE, close, normal

from lib.codes import CompressedCode, DenseCode, topk_code


def spread(code, values):
    """Values in the form of a code as an ordinary tensor (P, stimuli, F)."""
    if isinstance(code, DenseCode):
        return values
    return values.new_zeros(len(values), *code.shape).scatter(-1, code.places, values)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 3, 7])
@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize("form", [DenseCode, CompressedCode])
def test_products_are_those_of_the_explicit_code(form, rectify, k, dtype):
    z, y, decoder = normal(2, 9, 7, dtype=dtype), normal(2, 9, 5, seed=1, dtype=dtype), normal(2, 7, 5, dtype=dtype)
    code, top = form(z, k, rectify), z.topk(k, dim=-1)
    kept = torch.zeros_like(z).scatter(-1, top.indices, 1.0)
    if rectify:
        kept *= z > 0
    explicit = z * kept
    tolerance = TOLERANCE[dtype]
    close(spread(code, code.values), explicit, tolerance)
    close(code.decode(decoder), torch.einsum("psf,pfu->psu", explicit, decoder), tolerance)
    close(code.decoder_gradient(y), torch.einsum("psf,psu->pfu", explicit, y), tolerance)
    gradient = code.sampled_product(y, decoder)
    wanted = torch.einsum("psu,pfu->psf", y, decoder) * kept
    close(spread(code, gradient), wanted, tolerance)
    close(code.encoder_gradient(y, gradient), torch.einsum("psf,psu->pfu", wanted, y), tolerance)
    close(code.sums(gradient), wanted.sum(1), tolerance)
    close(form(z[:1], k, rectify).sampled_product(y[:1], decoder[:1]), gradient[:1], tolerance)  # one model alone
    assert (code.used() == explicit.any(1)).all()


@pytest.mark.parametrize("latents, k, form", [(255, 1, DenseCode), (256, 16, CompressedCode), (256, 17, DenseCode)])
def test_large_dictionaries_with_few_active_latents_are_compressed(latents, k, form):
    assert type(topk_code(normal(1, 4, latents), k)) is form


def test_a_latent_that_is_kept_with_value_0_is_not_used():
    z = torch.tensor([[[0.0, -1.0], [0.0, -2.0]]])
    for form in (DenseCode, CompressedCode):
        assert not form(z, 1).used().any()


def test_the_transpose_is_kept_as_whole_numbers_one_end_a_latent():
    """Fractions would be cut off where the sparse product takes them, and lose places beyond 2^24."""
    code = CompressedCode(normal(1, 9, 7), 3)
    ends, rows, order = code.transposes[0]
    assert len(ends) == 7 + 1 and (ends[0], ends[-1]) == (0, 27)
    assert not any(part.is_floating_point() for part in (ends, rows, order))
    latents = torch.searchsorted(ends[1:], torch.arange(27), right=True)
    assert sorted(zip(rows.tolist(), latents.tolist(), strict=True)) == [
        (row, place) for row, places in enumerate(code.places[0].tolist()) for place in places
    ]
