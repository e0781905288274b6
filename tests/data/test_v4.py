import io
import os
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from helpers import close, refuses
from PIL import Image

from lib.brain import shared_images
from lib.data.v4 import BOOK, images_path, read_repetitions, read_v4, sessions
from lib.store import ROOT

V4 = Path(os.environ.get("V4_FOLDER", ROOT.parent / "shared" / "data" / "v4"))
NEEDS_V4 = pytest.mark.skipif(not V4.is_dir(), reason="no macaque V4 files: set V4_FOLDER to their folder")
NEURONS, IMAGES, REPETITIONS = 5, 40, 4


@pytest.fixture
def folder(tmp_path):
    """Session 1 with repetitions, every third image once less; session 2 without."""
    draw = np.random.default_rng(0)
    raw = 3 + draw.normal(size=(NEURONS, IMAGES, 1)) + draw.normal(size=(NEURONS, IMAGES, REPETITIONS))
    raw[:, ::3, 1] = np.nan
    np.save(tmp_path / "responses_raw_1.npy", raw)
    np.save(tmp_path / "responses_1.npy", np.nanmean(raw, 2))
    np.save(tmp_path / "responses_2.npy", draw.normal(size=(2, 3)))
    pictures(tmp_path / "images_1.zip", range(IMAGES))
    pictures(tmp_path / "images_2.zip", range(3))
    return tmp_path


def pictures(path, values):
    """A zip whose entries lie in reverse; the picture called value is as red as that."""
    with ZipFile(path, "w") as archive:
        for value in reversed(values):
            file = io.BytesIO()
            Image.new("RGB", (4, 4), (value, 0, 0)).save(file, "png")
            archive.writestr(f"image{value:04d}.png", file.getvalue())


def test_sessions_are_those_with_mean_responses(folder):
    assert sessions(folder) == ["1", "2"]
    refuses(f"folder {folder / 'none'} holds no responses_SESSION.npy", "give the folder", sessions, folder / "none")


def published(folder):
    """The same files in the folders of the published repository."""
    for kind, inside in (
        ("responses_raw_", "responses_raw"),
        ("responses_", "responses_repeat_averaged"),
        ("images_", "images"),
    ):
        (folder / inside).mkdir()
        for path in [*folder.glob(f"{kind}*.npy"), *folder.glob(f"{kind}*.zip")]:
            session = path.name.removeprefix(kind)
            path.rename(folder / inside / f"{'images' if kind == 'images_' else 'responses'}_{session}")


def test_the_published_folders_give_the_same(folder):
    flat = read_v4(folder, "1")
    trials = read_repetitions(folder, "1")
    published(folder)
    again = read_v4(folder, "1")
    close(again.responses, flat.responses)
    close(again.ceiling, flat.ceiling)
    torch.testing.assert_close(read_repetitions(folder, "1"), trials, equal_nan=True)
    assert sessions(folder) == ["1", "2"] and len(again.images) == IMAGES
    assert images_path(folder, "1") == folder / "images/images_1.zip" and again.repetitions.tolist()


def test_the_sessions_of_the_book_are_taken_unless_others_are_wanted(folder):
    for name in BOOK:
        np.save(folder / f"responses_{name}.npy", np.ones((2, 3)))
        pictures(folder / f"images_{name}.zip", range(3))
    assert sessions(folder) == list(BOOK) and sessions(folder, ["2", "1"]) == ["2", "1"]


def test_a_session_that_cannot_be_read_is_told_before_any_is(folder):
    refuses("session 3 of V4", "lacks it: choose of 1, 2", sessions, folder, ["1", "3"])
    images_path(folder, "2").unlink()
    assert sessions(folder) == ["1"]
    refuses("session 2 of V4", "lacks images_SESSION.zip of it: choose of 1", sessions, folder, ["2"])
    images_path(folder, "1").unlink()
    refuses("holds no images_SESSION.zip of 1", "fetch the images", sessions, folder)


def test_rows_are_images_and_columns_neurons(folder):
    recording = read_v4(folder, "1")
    assert recording.name == "V4 1" and recording.responses.dtype == torch.float32
    close(recording.responses.T, np.load(folder / "responses_1.npy"), 1e-5)


def test_images_follow_their_sorted_names(folder):
    images = read_v4(folder, "1").images
    assert [images[row][0].getpixel((0, 0))[0] for row in (0, 1, IMAGES - 1)] == [0, 1, IMAGES - 1]


def test_repetitions_are_counted_and_the_ceiling_comes_from_their_halves(folder):
    recording = read_v4(folder, "1")
    assert recording.repetitions.tolist() == [REPETITIONS - (row % 3 == 0) for row in range(IMAGES)]
    assert recording.ceiling.shape == (NEURONS,) and (recording.ceiling > 0.5).all() and (recording.ceiling < 1).all()


def test_repetitions_have_images_first(folder):
    trials = read_repetitions(folder, "1")
    assert trials.shape == (IMAGES, NEURONS, REPETITIONS)
    close(trials[7].double(), np.load(folder / "responses_raw_1.npy")[:, 7])


def test_without_repetitions_their_number_and_the_ceiling_are_unknown(folder):
    recording = read_v4(folder, "2")
    assert recording.repetitions.isnan().all() and len(recording.repetitions) == 3
    assert recording.ceiling.isnan().all() and len(recording.ceiling) == 2


def save(name, change):
    return lambda folder: np.save(folder / name, change(np.load(folder / name)))


def with_nan(array):
    array[1, 2] = np.nan
    return array


def cut(name):
    def spoil(folder):
        (folder / name).write_bytes((folder / name).read_bytes()[:-40])

    return spoil


@pytest.mark.parametrize(
    ("spoil", "thing", "mend"),
    [
        (lambda f: (f / "responses_1.npy").unlink(), "responses_1.npy does not exist", "give the folder"),
        (cut("responses_1.npy"), "responses_1.npy is damaged", "copy it anew"),
        (cut("responses_raw_1.npy"), "responses_raw_1.npy is damaged", "copy it anew"),
        (save("responses_1.npy", lambda a: a[0]), "responses_1.npy holds float64 (40,)", "(neurons, images): copy"),
        (save("responses_1.npy", lambda a: a.astype(int)), "responses_1.npy holds int64", "copy it anew"),
        (save("responses_1.npy", with_nan), "responses_1.npy has 1 NaN", "copy it anew"),
        (save("responses_raw_1.npy", lambda a: a[..., 0]), "responses_raw_1.npy holds float64 (5, 40)", "repetitions)"),
        (save("responses_raw_1.npy", lambda a: a[:4]), "is not the mean of responses_raw_1.npy", "copy both anew"),
        (save("responses_raw_1.npy", lambda a: a + 0.01), "is not the mean of responses_raw_1.npy", "copy both anew"),
        (lambda f: (f / "images_1.zip").unlink(), "images_1.zip cannot be opened", "check the path"),
        (cut("images_1.zip"), "images_1.zip cannot be opened", "copy it anew"),
        (lambda f: pictures(f / "images_1.zip", range(39)), "is about 40 images, images_1.zip holds 39", "copy both"),
    ],
)
def test_missing_damaged_and_unfitting_files_are_named_in_one_line(folder, spoil, thing, mend):
    spoil(folder)
    refuses(thing, mend, read_v4, folder, "1")


# The published files


@NEEDS_V4
def test_published_sessions_have_the_sizes_that_are_documented():
    first, second = (read_v4(V4, session) for session in ("210322", "210325"))
    assert first.responses.shape == (1200, 59) and second.responses.shape == (640, 50)
    assert first.ceiling.isnan().all()
    assert (second.repetitions.min(), second.repetitions.max()) == (6, 10)
    close(second.ceiling.square().median(), 0.76, 0.01)  # split-half reliability as published


@NEEDS_V4
def test_published_sessions_share_600_images():
    first, second = shared_images(*(read_v4(V4, session) for session in ("210322", "210325")))
    assert len(first) == 600 and len(set(second.tolist())) == 600
