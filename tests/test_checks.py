from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import NO_GPU, bad_pairs, close, normal, refuses

from lib.checks import (
    as_tensor,
    check_alike,
    check_finite,
    check_pair,
    check_projection,
    check_responses,
    check_sparsity,
    check_zip,
    choose_device,
    first_line,
    unknown,
)


@pytest.mark.parametrize(("gpu", "chosen"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_the_gpu_if_there_is_one(monkeypatch, gpu, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert choose_device() == torch.device(chosen)
    assert choose_device("cpu") == torch.device("cpu")


def test_a_device_may_be_given_as_such():
    assert choose_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", None, 1.5])
def test_unknown_device_is_refused(name):
    refuses(f"device {name!r} is unknown", "choose auto, cpu or cuda", choose_device, name)


def test_devices_without_double_precision_or_untried_are_refused():
    refuses("device 'mps' has no double precision", "choose cpu or auto", choose_device, "mps")
    refuses("device 'meta' was never tried", "choose auto, cpu or cuda", choose_device, "meta")


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_gpu_is_refused_where_there_is_none(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refuses(f"device {name!r} is a GPU", "choose cpu or auto", choose_device, name)


def test_sound_responses_are_returned_as_they_are():
    y_a, y_b = normal(4, 3), normal(4, 2)
    assert check_responses(y_a) is y_a
    assert check_pair(y_a, y_b)[0] is y_a
    assert check_pair(y_a, y_b)[1] is y_b
    assert check_responses(y_a.expand(5, 2, 4, 3)).shape == (5, 2, 4, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_single_and_double_precision_are_sound(dtype):
    check_pair(normal(4, 3).to(dtype), normal(4, 2).to(dtype))


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [(torch.float16, torch.float32), (torch.bfloat16, torch.float32), (torch.int64, torch.float64),
     (torch.bool, torch.float64)],
)  # fmt: skip
def test_other_numbers_are_converted_to_what_sums_of_products_fit_in(dtype, wanted):
    given = (3 * normal(4, 3)).to(dtype)
    found, _ = check_pair(given, given)
    assert found.dtype == wanted
    close(found, given.double())


ARRAYS = {
    "numpy float32": lambda y: y.float().numpy(),
    "numpy float64": lambda y: y.numpy(),
    "big-endian": lambda y: y.numpy().astype(">f8"),
    "not contiguous": lambda y: np.repeat(y.numpy(), 2, 1)[:, ::2],
    "backwards": lambda y: y.numpy()[::-1].copy()[::-1],
    "read-only": lambda y: np.frombuffer(y.numpy().tobytes()).reshape(y.shape),
    "list": lambda y: y.tolist(),
    "list of arrays": lambda y: list(y.numpy()),
    "list of tensors": list,
    "table": lambda y: pd.DataFrame(y.numpy()),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_of_any_kind_become_the_same_tensor_without_a_warning(kind, recwarn):
    y = (8 * normal(5, 3)).round()
    found = as_tensor(ARRAYS[kind](y))
    close(found, y)
    assert found.dtype == (torch.float32 if "32" in kind else torch.float64) and not recwarn.list


def test_a_tensor_without_need_is_not_copied():
    array = normal(4, 3).numpy()
    assert as_tensor(array).data_ptr() == array.ctypes.data


def test_of_two_dtypes_the_wider_is_taken():
    assert {y.dtype for y in check_pair(normal(4, 3).float(), normal(4, 2))} == {torch.float64}


def test_maps_are_told_of_positions():
    refuses("y_a has 2 stimuli", "at_position", check_pair, normal(9, 5, 2, 2), normal(9, 5, 2, 2), min_stimuli=4)


def test_number_of_stimuli_needed_is_a_limit_not_above_it():
    check_responses(normal(4, 3), min_stimuli=4)
    refuses("y has 3 stimuli", "at least 4 are needed", check_responses, normal(3, 3), min_stimuli=4)


def test_error_names_the_argument_it_was_given():
    refuses("labels has dtype torch.complex64", "labels.real", check_responses, torch.ones(3, 3) * 1j, "labels")
    refuses("new has 2 stimuli and old has 3", "same", check_pair, normal(2, 1), normal(3, 1), names=("new", "old"))


@bad_pairs(check_pair)
def test_bad_pair_is_refused(call, y_a, y_b, thing, mend):
    refuses(thing, mend, call, y_a, y_b)


@pytest.mark.parametrize(("dtype", "value"), [(torch.float64, 1.5e308), (torch.float32, 3e38)])
def test_finite_values_whose_sum_overflows_are_accepted(dtype, value):
    check_finite(torch.full((3, 2), value, dtype=dtype), "y")


def test_first_bad_place_counts_from_the_start_in_every_dimension():
    y = normal(2, 3, 4)
    y[1, 0, 3], y[0, 2, 1] = torch.nan, torch.inf
    refuses("y has 2 NaN or infinite values, the first at (0, 2, 1)", "remove or replace", check_finite, y, "y")


def test_two_devices_are_refused():
    one, other = torch.ones(3, 2), torch.ones(3, 2, device="meta")
    refuses("a is on cpu and b on meta", "b.to(a.device)", check_alike, one, other, "a", "b")


@NO_GPU
def test_pair_on_cpu_and_gpu_is_refused():
    refuses("y_a is on cpu and y_b on cuda:0", "y_b.to(y_a.device)", check_pair, normal(4, 3), normal(4, 3).cuda())


def test_leading_dimensions_that_broadcast_are_accepted():
    check_pair(normal(5, 4, 3), normal(4, 2))
    check_pair(normal(5, 1, 4, 3), normal(1, 6, 4, 2))


@pytest.mark.parametrize(
    ("a", "given"),
    [
        (torch.ones(3), "a (shape (3,), torch.float32)"),
        (torch.ones(0, 3), "a (shape (0, 3), torch.float32)"),
        (torch.ones(2, 3).long(), "a (shape (2, 3), torch.int64)"),
        ([[1.0]], "a (list)"),
        ("a", "a (str)"),
    ],
)
def test_what_is_no_projection_is_refused(a, given):
    refuses(given, "give a floating-point tensor (units, features)", check_projection, a)


def test_projection_with_nan_is_refused_and_a_sound_one_returned():
    a = normal(2, 3)
    assert check_projection(a) is a
    refuses("b has 6 NaN", "remove or replace", check_projection, a * torch.nan, "b")


@pytest.mark.parametrize("k", [0, -1, 6, 2.5e9])
def test_k_out_of_range_is_refused(k):
    refuses(f"k = {k} active features of n = 5", "choose 1 <= k <= n", check_sparsity, 5, k)


@pytest.mark.parametrize("k", [1, 5])
def test_k_at_either_end_is_accepted(k):
    check_sparsity(5, k)


def test_tensors_of_two_dtypes_are_told_apart():
    one, other = normal(3, 2), normal(3, 2).float()
    refuses("x is torch.float64 and y is torch.float32", "y.to(x.dtype)", check_alike, one, other, "x", "y")


def test_an_error_is_told_by_its_first_line_or_else_by_its_name():
    assert first_line(ValueError("one\x1b\ntwo")) == "one?" and first_line(ValueError()) == "ValueError"


def test_two_stimuli_are_enough_unless_more_are_asked_for():
    assert check_responses(torch.ones(2, 3)).shape == (2, 3)
    with pytest.raises(ValueError, match=r"^y has 2 stimuli \(rows\): at least 3 are needed$"):
        check_responses(torch.ones(2, 3), "y", 3)
    with pytest.raises(ValueError, match="at least 3 are needed; "):
        check_responses(torch.ones(5, 2, 3), "y", 3)


def test_a_zip_with_a_part_that_is_not_what_its_checksum_says_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("part", "some text")
    check_zip(path)
    path.write_bytes(path.read_bytes().replace(b"some text", b"some test"))
    with pytest.raises(ValueError, match="its part part is not what its checksum says"):
        check_zip(path)


def test_a_name_half_of_whose_letters_agree_is_offered():
    assert "did you mean abcdefgh?" in str(unknown("name", "abcdevwxyz", ["abcdefgh", "other", "third"]))


def test_wider_floats_are_rounded_complex_numbers_refused_and_rows_of_two_kinds_joined():
    wide = np.arange(6, dtype=np.longdouble).reshape(3, 2)
    assert torch.equal(as_tensor(wide), torch.arange(6).double().reshape(3, 2))
    refuses("y has dtype torch.complex128", "y.real", as_tensor, np.ones((3, 2), complex))
    assert torch.equal(as_tensor([torch.ones(2), [3.0, 4.0]]), torch.tensor([[1.0, 1], [3, 4]]).double())
