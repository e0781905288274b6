"""What the pairs with known answers are made of has the statistics that its words say, in many stimuli."""

import math

import pytest
import torch
from helpers import close

from lib import known_pairs as made
from lib.features import seeded

M, STIMULI = 20, 40_000


def g(seed=0):
    return seeded(seed)


def correlation(y):
    return torch.corrcoef(y.T)


@pytest.mark.parametrize(
    ("draw", "mean"),
    [(made._unequal, 0.5), (made._heavy, 1.0), (made._correlated, 0.5), (made._valued(torch.ones_like), 1.0),
     (made._valued(torch.exp), math.exp(0.5)), (lambda *given: made._sparse(*given[:2], 2.5, given[2]), 0.5)],
)  # fmt: skip
def test_features_are_so_often_active_and_so_strong(draw, mean):
    z = draw(STIMULI, 50, g())
    close((z != 0).sum(1).double().mean(), 2.5, 0.05)
    close(z[z != 0].mean(), mean, 0.03)


def test_frequencies_are_unequal_by_ten_or_by_rank():
    often = (made._unequal(STIMULI, 50, g()) != 0).double().mean(0)
    close(often[0] / often[-1], 10, 1.5)
    close(often, torch.logspace(0, -1, 50) * often[0], 0.01)
    often = (made._power_law(STIMULI, 50, g()) != 0).double().mean(0)
    ranks = torch.arange(1.0, 51)
    close(often, (2.5 / ranks / (1 / ranks).sum()).clamp(max=0.5), 0.01)
    assert often[0] < 0.51


def test_groups_of_four_features_are_active_together_and_others_are_not():
    on = (made._correlated(STIMULI, 50, g()) != 0).double()
    close(on[:, 0].mean(), 0.05, 0.005)
    close((on[:, 0] * on[:, 3]).mean(), 0.1 / 4, 0.005)
    close((on[:, 0] * on[:, 4]).mean(), 0.05**2, 0.002)


def test_signed_features_exclude_each_other_and_one_or_three_are_active_where_that_is_said():
    z = made._signed(STIMULI, 50, g())
    assert z.shape == (STIMULI, 50) and (z >= 0).all() and not (z[:, :25] * z[:, 25:]).any()
    close((z != 0).sum(1).double().mean(), 1.25, 0.03)
    close(z[z != 0].square().mean(), 1, 0.05)
    z = made._one_of(STIMULI, 50, g())
    assert ((z != 0).sum(1) == 1).all() and (z != 0).any(0).all()
    strength = z.sum(1)
    assert 0.5 <= strength.min() < 0.51 and 1.49 < strength.max() <= 1.5
    z = made._attributes(STIMULI, 50, g())
    assert z.shape[1] == 50 and ((z != 0).sum(1) == 3).all() and ((z[:, :17] != 0).sum(1) == 1).all()


def test_responses_of_superposed_pairs_are_those_of_so_many_features_in_so_many_units():
    seen = []
    make = made._superposed(
        ratio=2.0, wider=1.5, shared=0.75, draw=lambda *given: seen.append(given) or torch.eye(300, 40)
    )
    a, b = make(M, 300, g())
    assert seen[0][:2] == (300, 40) and (a.shape, b.shape) == ((300, 20), (300, 30))
    close(a[:40].square().sum(1).mean(), 1, 0.2)  # rows of weights of length 1 about
    close(b[:30].square().sum(1).mean(), 1 + 10 * 2.5 / 40 / 3, 0.15)  # ten of forty features are others
    own = made._superposed(shared=0.75)(M, STIMULI, g())
    whole = made._superposed()(M, STIMULI, g())
    assert own[1].shape == whole[1].shape == (STIMULI, M)
    for pair, share in ((own, 0.75), (whole, 1.0)):
        a, b = (y - y.mean(0) for y in pair)
        cross = (a.mT @ b).square().sum() / (a.mT @ a).norm() / (b.mT @ b).norm()
        close(cross, share * M / (40 + M), 0.12)  # linear CKA of random projections


def test_what_is_done_to_responses_is_what_is_said():
    y = 3 * torch.randn(STIMULI, M, generator=g())
    close(1 - correlation(torch.stack([made._noisy(0.2)(y, g(1))[:, 0], y[:, 0]], 1))[0, 1] ** 2, 0.2, 0.01)
    repeats = made._noisy(0.5, 4)(y, g(1))
    assert repeats.shape == (STIMULI, M, 4)
    close(correlation(repeats[:, 0]) - torch.eye(4) * 0.5, torch.full((4, 4), 0.5), 0.02)
    counts = made._spikes(3)(y, g(1))
    assert counts.shape == (STIMULI, M, 3) and (counts == counts.round()).all()
    close(counts.mean(), 2 * torch.nn.functional.softplus(y / y.std(0)).mean(), 0.02)
    dead = made._dead(y, g(1))
    assert (dead == 0).all(0).sum() == 8 and (y != 0).all(0).all()
    massive = made._massive(y, g(1))
    assert torch.equal(massive[:, :M], y) and massive.shape[1] == M + 1
    close(massive[:, M].std() / y.std(0).sum(), 30, 0.5)
    copies = made._copies(3)(y, g(1))
    assert torch.equal(copies[::3], copies[2::3]) and torch.equal(copies[::3], y[: STIMULI // 3])
    near = made._copies(3, 0.01)(y, g(1)) - copies
    close(near.std(0) / y.std(0), torch.full((M,), 0.01), 0.001)
    rectified = made._rectified(y, g(1))
    close((rectified == 0).double().mean(), 0.618, 0.01)  # below .3 of a deviation
    assert (rectified >= 0).all()
    shifted = made._shifted(y, g(1))
    close(correlation(torch.stack([shifted[:, 0], y[:, 0]], 1))[0, 1], 1, 1e-4)
    assert (shifted.std(0) / y.std(0)).log().std() > 0.5 and 5 < shifted.mean(0).std() < 15


def test_dense_networks_have_the_ranks_and_correlations_that_are_said():
    assert torch.linalg.matrix_rank(made._low_rank(M, 300, g())) == M // 2
    close((made._sparse_units(M, STIMULI, g()) != 0).double().mean(), 0.1, 0.005)
    tails = made._heavy_tails(M, STIMULI, g())
    close((tails != 0).double().mean(), 1)
    close([tails.square().mean(), (tails**4).mean()], [1, 9], 0.5)
    block = correlation(made._blocks(M, STIMULI, g()))
    close([block[0, 5], block[0, 6]], [1.5**2 / (1 + 1.5**2), 0], 0.02)
    slow = made._slow(3, STIMULI, g())
    close((slow[1:] * slow[:-1]).mean(0) / slow.square().mean(0), torch.full((3,), 0.98), 0.01)
    close(slow.std(0), torch.ones(3), 0.25)
    features = made._slow_features(STIMULI, 50, g())
    close((features > 0).sum(1).double().mean(), 2.5, 0.1)
    assert (features >= 0).all()


def explained(a, b):
    """Share of the variance of b that a linear map of a explains."""
    a, b = (y - y.mean(0) for y in (a.double(), b.double()))
    return 1 - (b - a @ torch.linalg.lstsq(a, b).solution).square().sum() / b.square().sum()


def test_pairs_share_what_they_are_said_to_share():
    a, b = made._linear_map(M, STIMULI, g())
    close(explained(a, b), 1 / 1.09, 0.03)
    a, b = made._mixes(M, 300, g())
    assert b.shape == (300, 60) and explained(a, b) > 1 - 1e-9
    close(correlation(torch.cat([a, b[:, :M]], 1))[:M, M:].amax(1), torch.ones(M), 1e-5)
    a, b = made._few_shared(M, STIMULI, g())
    close(explained(a, b), 3 / 40 * 20 / 40, 0.05)
    a, b = made._common_factors(M, 300, g())
    assert torch.linalg.matrix_rank(a) == torch.linalg.matrix_rank(torch.cat([a, b], 1)) == 3
    a, b = made._products(M, STIMULI, g())
    assert explained(a, b) < 0.01
    a, b = made._parities(M, STIMULI, g())
    assert explained(a, b) < 0.01
    close([a.var(0).mean(), b.var(0).mean()], [1, 1], 0.3)
    a, b = made._halves(made._gaussian)(M, 300, g())
    assert a.shape == b.shape == (300, M) and not torch.equal(a, b)
    for pair in (made._apart(made._shuffled(made._gaussian))(M, STIMULI, g()), made._one_gain(M, STIMULI, g())):
        assert explained(*pair) < 0.3
    strength = [y.square().sum(1).log() for y in made._one_gain(M, STIMULI, g())]
    assert correlation(torch.stack([s.clamp(min=-5) for s in strength], 1))[0, 1] > 0.3
    for turned, exact in ((made._turned, 0), (made._shuffled, 1)):
        a, b = turned(made._gaussian)(M, 300, g())
        close((a @ a.mT).float(), b @ b.mT, 1e-3)
        close((torch.corrcoef(torch.cat([a, b], 1).T)[:M, M:].amax(1) > 0.999).double().mean(), exact)
    one, two = made._superposed(), made._common_factors
    both = made._linked(one, two)(M, 300, g())
    generator = g()
    alone = one(M, 300, generator), two(M, 300, generator)
    for i in (0, 1):
        close(both[i], alone[0][i] / alone[0][i].std() + alone[1][i] / alone[1][i].std(), 1e-5)


def test_networks_that_see_few_variables_answer_as_is_said():
    a, b = made._seen_through(torch.sign, lambda x: x, 6)(M, STIMULI, g())
    assert set(a.unique().tolist()) <= {-1.0, 0.0, 1.0} and torch.linalg.matrix_rank(b - b.mean(0), rtol=1e-4) == 6
    close(b.var(0).mean(), 3, 1.0)  # whatever the number of variables
    a, b = made._bumps(1, 0.05)(M, STIMULI, g())
    assert 0.999 < a.amax() <= 1 and a.amin() < 1e-6 and not torch.equal(a, b)
    close(a[:, a.mean(0).argmax()].mean(), 0.05 * (2 * math.pi) ** 0.5, 0.005)  # the area of a bell
    a, b = made._waves(M, STIMULI, g())
    close(a.square().mean(0)[:3], [0.5] * 3, 0.02)
    close([a.amax(), b.amax(), b.amin()], [1, 1, math.exp(-8)], 1e-3)
    close(a[:, 3].std(), 0, 1e-6)  # every fourth wave stands still
    a, b = made._clusters(M, STIMULI, g())
    values = torch.linalg.eigvalsh(torch.cov(a.T))
    close(values[: M - 9], torch.full((M - 9,), 0.25), 0.02)  # ten classes about their mean, and noise
    assert values[M - 9] > 0.4 and explained(a, b) > 0.5
    a, b = made._nearest(M, STIMULI, g())
    close((a > 0.5).sum(1).double().mean(), 1, 0.02)
    close(a.amin(0).mean(), -0.4, 0.1)
    a, b = made._deep_random(M, STIMULI, g())
    assert a.shape == b.shape == (STIMULI, M) and 0.5 < explained(a, b) < 0.999


def test_weights_and_widths_of_the_blind_kinds():
    frames = made._frames(40, 20, g())
    close(frames[:20] @ frames[:20].mT, torch.eye(20), 1e-5)
    close(frames[20:] @ frames[20:].mT, torch.eye(20), 1e-5)
    assert (frames[:20] @ frames[20:].mT).abs().max() < 0.999
    close((made._few_units(400, 100, g()) != 0).double().mean(), 0.25, 0.01)
    sizes = []
    made._mixed_by(lambda n, m, g: sizes.append((n, m)) or torch.zeros(n, m), 3)(M, 100, g())
    assert sizes == [(60, 20), (60, 20)]
    a, b = made._fewer_in_b(M, STIMULI, g())
    close(b.square().mean() / a.square().mean(), 0.5, 0.08)
    a, b = made._squashed_and_rectified(M, 4000, g())
    assert a.abs().max() <= 1 and b.min() == 0 and a.min() < 0
    pair = made._with_slow(0.1, made._shuffled(made._gaussian))(M, 10_000, g())
    for y in pair:
        after = (y[1:] * y[:-1]).mean(0) / y.square().mean(0)
        assert (after[:2] > 0.95).all() and (after[2:].abs() < 0.05).all()
    y, _ = made._with_slow(0.01, made._shuffled(made._gaussian))(M, 2000, g())
    assert (y[1:, 0] * y[:-1, 0]).mean() / y[:, 0].square().mean() > 0.9  # one unit at least


def test_numbers_in_names_are_those_of_the_pairs():
    for name in ("unrelated, three copies", "superposed, three copies"):
        y, _ = made.pair(name, 0, (10, 120))
        assert len(y) == 120 and torch.equal(y[::3], y[2::3]) and not torch.equal(y[:117:3], y[3::3])
    for name, repeats in (
        ("same voxels, half noise, repeats", 4),
        ("superposed, repeats", 4),
        ("same cells, spike counts", 4),
    ):
        assert made.pair(name, 0, (10, 120))[0].shape == (120, 10, repeats)
    for name, widths in (("match, and mixes beside", (10, 30)), ("superposed, unequal widths", (10, 16)),
                         ("superposed, twice as wide", (10, 20))):  # fmt: skip
        assert tuple(y.shape[1] for y in made.pair(name, 0, (10, 120))) == widths
    voxels = made.pair("same voxels, half noise, repeats", 0, (10, 20_000))[0]
    close(correlation(voxels[:, 0])[0, 1], 0.5, 0.03)
    repeats = made.pair("superposed, repeats", 0, (10, 20_000))[0]
    close(correlation(repeats[:, 0])[0, 1], 0.6, 0.03)
    a, b = made.pair("match, and noise", 0, (10, 20_000))
    close(correlation(torch.cat([a, b], 1))[:10, 10:].amax(1).mean(), 0.95, 0.01)


def test_draws_take_their_sizes_in_turn():
    assert [len(made.pair("dense, rotated", draw)[0]) for draw in range(6)] == [1600, 2400, 2000, 3000, 4000, 1600]
    assert made.pair("few stimuli", 1)[0].shape == (300, 30)
