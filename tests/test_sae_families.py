"""Other families of SAEs: their codes, losses and gradients against plain loops, and against the library that has them.

The comparisons with dictionary_learning (0.1.0) run where it is installed.
"""

import pytest
import torch
from helpers import close, normal, refuses, some_sae
from torch.nn.functional import normalize

from lib.features import k_sparse, seeded
from lib.sae import Recipe, TopKSAE, batches, explained_variance, untrained
from lib.sae_families import BANDWIDTH, FAMILIES, MEMORY, JumpReLUSAE
from lib.training import Training

P, UNITS, LATENTS, K, STIMULI = 2, 5, 16, 3, 12
OTHERS = [name for name in FAMILIES if name != "topk"]


def saes(family, **options):
    """SAEs whose biases are not 0 and whose encoder is not the decoder's transpose: every term counts."""
    some = some_sae(UNITS, LATENTS, K, list(range(P)), kind=FAMILIES[family], dtype=torch.float64, **options)
    with torch.no_grad():
        for number, parameter in enumerate([some.encoder, some.decoder, some.encoder_bias, some.decoder_bias]):
            parameter += 0.2 * normal(*parameter.shape, seed=40 + number).to(parameter)
    return some


def responses(seed=60):
    return normal(P, STIMULI, UNITS, seed=seed)


def before_threshold(some, x, p):
    seen = x[p] - some.decoder_bias[p] if some.recipe.pre_bias else x[p]
    return seen @ some.encoder[p] + some.encoder_bias[p]


def batch_topk(z):
    """The k M largest positive values of a batch, one by one."""
    order = sorted(((float(v), i, j) for i, row in enumerate(z.detach()) for j, v in enumerate(row)), reverse=True)
    code = torch.zeros_like(z)
    for value, i, j in order[: K * len(z)]:
        if value > 0:
            code[i, j] = z[i, j]
    return code


def loss_by_definition(some, x, p, dead):
    """The loss of one model, term by term, of a graph that automatic differentiation follows; BatchTopK families."""
    z, decoder, bias = before_threshold(some, x, p), some.decoder[p], some.decoder_bias[p]
    code = batch_topk(z)
    nested = isinstance(some, FAMILIES["matryoshka"])
    ends = (LATENTS // 8, LATENTS // 4, LATENTS // 2, LATENTS) if nested else (LATENTS,)
    errors = [x[p] - code[:, :end] @ decoder[:end] - bias for end in ends]
    loss = sum((e**2).sum() / len(x[p]) for e in errors) / len(ends)
    if dead:
        missed = errors[-1].detach() - z[:, dead] @ decoder[dead]
        loss = loss + some.recipe.aux_weight * (missed**2).sum() / len(x[p])
    return loss


@pytest.mark.parametrize("pre_bias", [False, True])
@pytest.mark.parametrize("dead", [[], [2, 9]])
@pytest.mark.parametrize("family", ["batchtopk", "matryoshka"])
def test_loss_and_gradients_are_those_of_the_definition(family, dead, pre_bias):
    some, x = saes(family, pre_bias=pre_bias), responses()
    some.idle_steps[:, dead] = some.recipe.dead_after
    found = some.backward(x)["loss"]
    by_hand = [some.encoder_rows, some.decoder, some.encoder_bias, some.decoder_bias]
    gradients = [parameter.grad.clone() for parameter in by_hand]
    expected = torch.stack([loss_by_definition(some, x, p, dead) for p in range(P)])
    close(found, expected.detach())
    for gradient, wanted in zip(gradients, torch.autograd.grad(expected.sum(), by_hand), strict=True):
        close(gradient, wanted)


def test_a_jump_relu_threshold_hears_of_latents_near_it_alone():
    some, x = saes("jumprelu"), responses()
    z = torch.stack([before_threshold(some, x, p) for p in range(P)]).detach()
    with torch.no_grad():  # a threshold right beside some value of every latent, so that each hears of one or more
        some.threshold.copy_(z[:, :1].abs() + BANDWIDTH / 4)
        z[:, :1] = z[:, :1].abs()
    some.backward(x)
    theta, decoder = some.threshold.detach(), some.decoder.detach()
    z = torch.stack([before_threshold(some, x, p) for p in range(P)]).detach()
    active = z > theta
    error = x - (z * active) @ decoder - some.decoder_bias.detach()
    by_code = -2 / STIMULI * error @ decoder.mT
    count = active.double().sum((1, 2)) / STIMULI
    by_active = (2 * (count / K - 1) / K / STIMULI)[:, None, None]
    wanted = torch.zeros_like(theta)
    for p in range(P):
        for i in range(STIMULI):
            for f in range(LATENTS):
                if abs(z[p, i, f] - theta[p, 0, f]) < BANDWIDTH / 2:
                    wanted[p, 0, f] -= (theta[p, 0, f] * by_code[p, i, f] + by_active[p, 0, 0]) / BANDWIDTH
    assert wanted.any()
    close(some.threshold.grad, wanted)
    close(some.encoder_rows.grad.mT, x.mT @ (by_code * active))


def test_no_threshold_falls_below_0():
    some = saes("jumprelu")
    with torch.no_grad():
        some.threshold -= 1
    some.constrain()
    assert (some.threshold == 0).all()


def test_the_threshold_of_batch_topk_follows_the_smallest_active_value():
    some, x = saes("batchtopk"), responses()
    smallest = []
    for seed in (61, 62):
        x = responses(seed)
        codes = [batch_topk(before_threshold(some, x, p).detach()) for p in range(P)]
        smallest.append(torch.stack([code[code > 0].min() for code in codes]))
        some.backward(x)
    close(some.threshold[:, 0, 0], MEMORY * smallest[0] + (1 - MEMORY) * smallest[1])


@pytest.mark.parametrize("family", OTHERS)
def test_a_code_does_not_depend_on_what_else_is_encoded(family):
    some, x = saes(family), responses()
    some.backward(x)
    codes = some.encode(x)
    close(some.encode(x[:, 3:4]), codes[:, 3:4])
    for p in range(P):
        code, rebuilt = some.encode_one(p, x[p])
        close(code, codes[p])
        close(rebuilt, code @ some.decoder[p] + some.decoder_bias[p])


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_finds_planted_features(family):
    """Sparse features on random directions, more of them than units: the decoder's rows become these directions."""
    axes = normalize(normal(12, 8, seed=1, dtype=torch.float32), dim=1)
    y = k_sparse(3000, 12, 2, seeded(2)).float() @ axes
    y = (y - y.mean(0)) / (y - y.mean(0)).square().sum(1).mean().sqrt()
    recipe = Recipe.ours(latents=16, k=2, steps=400, batch=128)
    some = FAMILIES[family](8, recipe, [0])
    start = normalize(some.decoder.detach()[0], dim=1)
    found = Training(some, batches(y[None], recipe.batch), 3, recipe.lr, recipe.steps).run(recipe.steps).model
    best = [(axes @ normalize(rows, dim=1).T).amax(1).mean() for rows in (start, found.decoder.detach()[0])]
    assert best[1] > 0.8 and best[1] > best[0] + 0.15
    assert explained_variance(found, y[None]) > 0.7
    assert 1.2 < (found.latents(y[None]) > 0).double().sum(-1).mean() < 2.8


@pytest.mark.parametrize("family", OTHERS)
def test_the_untrained_control_is_as_sparse(family):
    control = untrained(saes(family), [7, 8])
    assert type(control) is TopKSAE
    assert (control.encode(responses().float().to(control.encoder)) != 0).sum(-1).eq(K).all()


@pytest.mark.parametrize("family", OTHERS)
@pytest.mark.parametrize("options", [{"aux_printed": True}, {"dead_after": 0}])
def test_what_belongs_to_topk_alone_is_refused(family, options):
    refuses("for TopK alone", "leave them out", saes, family, **options)


def library():
    return pytest.importorskip("dictionary_learning", reason="dictionary_learning is not installed")


def test_batch_topk_is_that_of_dictionary_learning():
    library()
    from dictionary_learning.trainers.batch_top_k import BatchTopKSAE

    some, x = saes("batchtopk", pre_bias=True), responses()
    theirs = BatchTopKSAE(UNITS, LATENTS, K).double()
    with torch.no_grad():
        theirs.encoder.weight.copy_(some.encoder[0].T)
        theirs.encoder.bias.copy_(some.encoder_bias[0, 0])
        theirs.decoder.weight.copy_(some.decoder[0].T)
        theirs.b_dec.copy_(some.decoder_bias[0, 0])
    rebuilt = theirs.decode(theirs.encode(x[0], use_threshold=False))
    loss = (x[0] - rebuilt).square().sum(-1).mean()
    loss.backward()
    close(some.backward(x)["loss"][0], loss.detach())
    close(some.encoder_rows.grad.mT[0], theirs.encoder.weight.grad.T)
    close(some.decoder.grad[0], theirs.decoder.weight.grad.T)
    close(some.decoder_bias.grad[0, 0], theirs.b_dec.grad)
    theirs.threshold.fill_(float(some.threshold[0]))
    close(some.encode(x)[0], theirs.encode(x[0]).detach())


def test_jump_relu_is_that_of_dictionary_learning():
    library()
    from dictionary_learning.trainers.jumprelu import JumpReLUFunction, StepFunction

    some, x = saes("jumprelu"), responses()
    assert isinstance(some, JumpReLUSAE)
    z = before_threshold(some, x, 0)
    with torch.no_grad():
        some.threshold[0, 0] = z[0].abs() + BANDWIDTH / 4
    theta = some.threshold.detach()[0, 0].clone().requires_grad_()
    code = JumpReLUFunction.apply(z, theta, BANDWIDTH)
    error = x[0] - code @ some.decoder[0] - some.decoder_bias[0]
    # Its trainer counts the codes, in which a latent just below its threshold is 0; the paper what comes before it.
    active = StepFunction.apply(z, theta, BANDWIDTH).sum(-1).mean()
    loss = error.square().sum(-1).mean() + (active / K - 1) ** 2
    wanted = torch.autograd.grad(loss, [theta, some.encoder])
    some.backward(x)
    close(some.threshold.grad[0, 0], wanted[0], 1e-6)  # the library keeps the bandwidth in single precision
    close(some.encoder_rows.grad.mT[0], wanted[1][0])


@pytest.mark.parametrize("family", OTHERS)
def test_latents_that_were_active_in_a_batch_are_idle_no_more_and_the_others_one_step_longer(family):
    some = saes(family)
    some.idle_steps[:] = 5
    encode = some._code
    codes = []
    some._code = lambda z: codes.append(encode(z)) or codes[-1]
    some.backward(responses())
    used = (codes[0] != 0).any(1)
    assert used.any() and (some.idle_steps == torch.where(used, 0, 6)).all()


def test_the_parts_of_a_matryoshka_dictionary_end_at_an_eighth_a_quarter_and_a_half():
    some = some_sae(UNITS, 40, K, [0], kind=FAMILIES["matryoshka"], dtype=torch.float64)
    x, code = normal(1, STIMULI, UNITS), normal(1, STIMULI, 40, seed=1)
    parts = [x - code[..., :end] @ some.decoder[:, :end] - some.decoder_bias for end in (5, 10, 20, 40)]
    expected = sum(part.square().sum() / STIMULI for part in parts) / 4
    close(some._loss(x, code)[0].detach(), expected[None].detach())


@pytest.mark.parametrize("family", OTHERS)
def test_the_explained_variance_of_a_batch_is_about_its_mean(family):
    some, x = saes(family), responses() + 50
    found = some.backward(x)["explained_variance"]
    code = some._code(some.preactivations(x)).detach()
    error = x - code @ some.decoder.detach() - some.decoder_bias.detach()
    about = x - x.mean(1, keepdim=True)
    close(found, 1 - error.square().sum((1, 2)) / about.square().sum((1, 2)))
