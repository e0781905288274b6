"""Responses of neurons in a macaque's area V4 to photographs and drawings, as Cowley et al. 2023 publish them.

A folder holds, for each session, `responses_SESSION.npy` with the mean responses `(neurons, images)`,
`images_SESSION.zip` with the images, whose sorted names are the order of the responses, and for some sessions
`responses_raw_SESSION.npy` with every repetition `(neurons, images, repetitions)`, NaN where an image was shown less
often.
"""

from pathlib import Path

import numpy as np
import torch

from lib.brain import Recording, split_half_ceiling
from lib.checks import first_line
from lib.data.images import open_images


def sessions(folder: Path) -> list[str]:
    """The sessions whose mean responses lie in a folder. Raises ValueError if there are none."""
    names = (path.stem.removeprefix("responses_") for path in Path(folder).glob("responses_*.npy"))
    if found := sorted(name for name in names if not name.startswith("raw_")):
        return found
    raise ValueError(f"folder {folder} holds no responses_SESSION.npy: give the folder of the V4 files")


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
    images = open_images(f"zip:{Path(folder, f'images_{session}.zip')}")
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


def _path(folder, kind, session):
    return Path(folder, f"{kind}_{session}.npy")


def _read(path, dimensions):
    """A file's numbers with images first."""
    try:
        array = np.load(path)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist: give the folder of the V4 files and one of its sessions") from None
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is damaged ({first_line(error)}): copy it anew") from None
    if array.ndim != dimensions or array.size == 0 or array.dtype.kind != "f":
        wanted = "(neurons, images)" if dimensions == 2 else "(neurons, images, repetitions)"
        raise ValueError(f"{path} holds {array.dtype} {array.shape} in place of {wanted}: copy it anew")
    return torch.from_numpy(array).double().transpose(0, 1)
