"""Responses of neurons in a macaque's area V4 to photographs and drawings, as Cowley et al. 2023 publish them.

A folder holds, for each session, the mean responses `(neurons, images)`, the images, whose sorted names are the order
of the responses, and for some sessions every repetition `(neurons, images, repetitions)`, NaN where an image was shown
less often. It is laid out as published, or flat:

    responses_repeat_averaged/responses_SESSION.npy    responses_SESSION.npy
    images/images_SESSION.zip                          images_SESSION.zip
    responses_raw/responses_SESSION.npy                responses_raw_SESSION.npy
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from lib.brain import Recording, split_half_ceiling
from lib.checks import first_line
from lib.data.images import open_images
from lib.data.npy import open_npy

BOOK = ("210322", "210325")  # the sessions that the book compares: three days apart, with 600 images in common
KINDS = {"responses": "responses_repeat_averaged/responses_", "images": "images/images_"}
KINDS["responses_raw"] = "responses_raw/responses_"


def sessions(folder: Path, wanted: Sequence[str] = ()) -> list[str]:
    """The sessions of a folder that can be read, or the `wanted` ones of them, in that order.

    If none is named, the two of the book where both are there, and else all. Raises ValueError, before anything is
    read, for a folder without sessions and for a wanted one that lacks its responses or its images.
    """
    files = [*Path(folder).glob("responses_*.npy"), *Path(folder).glob("responses_repeat_averaged/responses_*.npy")]
    names = sorted(path.stem.removeprefix("responses_") for path in files if "_raw_" not in path.stem)
    if not names:
        raise ValueError(f"folder {folder} holds no responses_SESSION.npy: give the folder of the V4 files")
    found = [name for name in names if _path(folder, "images", name).exists()]
    for name in wanted:
        if name not in found:
            lacks = "images_SESSION.zip of it" if name in names else "it"
            raise ValueError(f"session {name} of V4: {folder} lacks {lacks}: choose of {', '.join(found) or 'none'}")
    if not found:
        raise ValueError(f"folder {folder} holds no images_SESSION.zip of {names[0]}: fetch the images too")
    return list(wanted) or (list(BOOK) if {*BOOK} <= {*found} else found)


def read_v4(folder: Path, session: str) -> Recording:
    """The recording of one session.

    Its ceiling is found from halves of the repetitions, see `lib.brain.split_half_ceiling`. Where these were not
    published, as for session 210322, ceiling and repetitions are unknown: NaN.

    Raises ValueError for files that are missing, damaged or do not belong together.
    """
    path = _path(folder, "responses", session)
    responses = _read(path, 2)
    if not responses.isfinite().all():
        raise ValueError(f"{path} has {int((~responses.isfinite()).sum())} NaN or infinite responses: copy it anew")
    images = open_images(f"zip:{_path(folder, 'images', session)}")
    if len(images) != len(responses):
        raise ValueError(
            f"{path} is about {len(responses)} images, images_{session}.zip holds {len(images)}: copy both anew"
        )
    repetitions, ceiling = torch.full((len(responses),), torch.nan), torch.full((responses.shape[1],), torch.nan)
    if _path(folder, "responses_raw", session).exists():
        trials = read_repetitions(folder, session)
        if trials.shape[:2] != responses.shape or not (trials.nanmean(2) - responses).abs().max() < 1e-6:
            raise ValueError(f"{path} is not the mean of responses_raw_{session}.npy: copy both anew")
        repetitions, ceiling = (~trials[:, 0].isnan()).sum(1), split_half_ceiling(trials)
    return Recording(f"V4 {session}", responses.float(), images, repetitions.float(), ceiling.float())


def read_repetitions(folder: Path, session: str) -> torch.Tensor:
    """Responses to every showing `(images, neurons, repetitions)`, NaN where an image was shown less often.

    Raises ValueError if the file is missing or damaged.
    """
    return _read(_path(folder, "responses_raw", session), 3)


def images_path(folder: Path, session: str) -> Path:
    """The zip with the images of a session."""
    return _path(folder, "images", session)


def _path(folder, kind, session):
    """Where a file lies as published, if it is there, else its place in a flat folder."""
    ending = f"{session}.{'zip' if kind == 'images' else 'npy'}"
    published = Path(folder, KINDS[kind] + ending)
    return published if published.exists() else Path(folder, f"{kind}_{ending}")


def _read(path, dimensions):
    """A file's numbers with images first."""
    try:
        array = np.array(open_npy(path))
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist: give the folder of the V4 files and one of its sessions") from None
    except Exception as error:
        raise ValueError(f"{path} is damaged ({first_line(error)}): copy it anew") from None
    if array.ndim != dimensions or array.size == 0 or array.dtype.kind != "f":
        wanted = "(neurons, images)" if dimensions == 2 else "(neurons, images, repetitions)"
        raise ValueError(f"{path} holds {array.dtype} {array.shape} in place of {wanted}: copy it anew")
    return torch.from_numpy(array).double().transpose(0, 1)
