"""The Natural Scenes Dataset (NSD) as it lies on disk: a subject's voxels, its images and its noise ceilings.

Every function takes `root`, the folder that holds `nsddata`, `nsddata_betas` and `nsddata_stimuli`. Sources: Allen et
al. 2022, A massive 7T fMRI dataset, and the NSD data manual, whose file names, shapes and numbering from 1 these are.
"""

import gzip
import math
import warnings
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import h5py
import nibabel
import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from lib.brain import Recording
from lib.checks import first_line, one_line, unknown
from lib.data.images import Images, files_state
from lib.data.matlab import read_matlab

SESSIONS = {1: 40, 2: 40, 3: 32, 4: 30, 5: 40, 6: 32, 7: 40, 8: 30}  # of each subject
TRIALS = 750  # in a session
SHOWN = 10_000  # images planned for a subject, three times each
SCALE = 300  # stored integers per percent signal change
STREAMS = {"early": 1, "midventral": 2, "midlateral": 3, "midparietal": 4, "ventral": 5, "lateral": 6, "parietal": 7}
AT_ONCE = 25  # volumes in memory
VOXELS = 2**24  # of a volume at most: at 1 mm NSD's have four million


class Files(NamedTuple):
    """Where NSD keeps what is read of one subject."""

    design: Path
    info: Path
    stimuli: Path
    streams: Path
    betas: Path  # a folder
    ncsnr: Path


def nsd_files(root: Path, subject: int) -> Files:
    """The paths of `subject`'s files below `root`; raises ValueError for another subject than 1 to 8 and no folder."""
    if subject not in SESSIONS:
        raise ValueError(f"subject {subject!r} is unknown: choose 1 to 8 (1, 2, 5 and 7 completed 40 sessions)")
    if not Path(root).is_dir():
        raise ValueError(f"{root} is no folder: give the one that holds nsddata, nsddata_betas and nsddata_stimuli")
    root, place = Path(root), f"ppdata/subj{subject:02d}/func1pt8mm"
    experiment = root / "nsddata/experiments/nsd"
    betas = root / "nsddata_betas" / place / "betas_fithrf_GLMdenoise_RR"
    return Files(
        experiment / "nsd_expdesign.mat",
        experiment / "nsd_stim_info_merged.csv",
        root / "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5",
        root / "nsddata" / place / "roi/streams.nii.gz",
        betas,
        betas / "ncsnr.nii.gz",
    )


def read_nsd(root: Path, subject: int, roi: str = "ventral", sessions: int | None = None, transform=None) -> Recording:
    """One stream of one subject: betas z-scored per voxel within a session, then averaged over an image's repetitions.

        response_iv = mean over the trials t that showed i of (beta_tv - mean_v) / sd_v, moments of t's session, ddof 1

    `sessions`: only so many, from the first on; all by default. An image counts as often as these sessions showed it,
    and the ceiling follows these counts. Images come in the order of imgBrick, voxels in that of `roi_mask(...)`'s
    nonzero entries; `transform` is what a network wants done with each image. Voxels that are constant in a session
    that was read or have no finite ncsnr are left out with a warning.

    A session at a time is read and only the stream's voxels are kept: beyond the result, memory is that of one session
    of these voxels. Raises ValueError naming the file that is missing, damaged or at odds with another, and the mend.
    """
    mask = roi_mask(root, subject, roi)
    trials = trial_images(root, subject, sessions)
    shown, rows, repetitions = trials.unique(return_inverse=True, return_counts=True)
    images = stimuli(root, subject, shown.tolist(), transform)
    ncsnr = read_ncsnr(root, subject, mask)
    y = torch.zeros(len(shown), int(mask.sum()))
    for session, row in enumerate(tqdm(rows, f"NSD subject {subject}", leave=False, disable=None), start=1):
        y.index_add_(0, row, z_scores(read_betas(root, subject, session, mask)).float())
    sound = torch.isfinite(y).all(0) & torch.isfinite(ncsnr)
    if not sound.all():
        y, ncsnr = _sound_only(y, ncsnr, sound, f"NSD subject {subject}, {roi}")
    y /= repetitions[:, None]
    return Recording(f"NSD subject {subject}, {roi}", y, images, repetitions, noise_ceiling(ncsnr, repetitions))


def _sound_only(y, ncsnr, sound, name):
    lost = f"{int((~sound).sum())} of {len(sound)} voxels are constant in a session or have no finite ncsnr"
    if not sound.any():
        raise ValueError(f"{name}: {lost}: check the betas, streams.nii.gz and ncsnr.nii.gz")
    warnings.warn(f"{name}: {lost} and are left out", stacklevel=3)
    return y[:, sound], ncsnr[sound]


def trial_images(root: Path, subject: int, sessions: int | None = None) -> torch.Tensor:
    """Which image each trial showed, as its row of imgBrick (from 0): `(sessions, 750)`, int64.

        image_t = subjectim[subject, masterordering_t], each of them numbered from 1 on disk

    Where nsd_stim_info_merged.csv is there, its list of trials must be the same. Raises ValueError as `read_nsd`.
    """
    files = nsd_files(root, subject)
    most = SESSIONS[subject]
    sessions = most if sessions is None else sessions
    if not 1 <= sessions <= most:
        raise ValueError(f"{sessions} sessions of subject {subject}: choose 1 to {most}")
    order, images = read_design(files.design)
    trials = images[subject - 1, order[: sessions * TRIALS] - 1] - 1
    _compare(files, subject, trials)
    return torch.from_numpy(trials).view(sessions, TRIALS)


def read_design(path):
    """masterordering `(30000,)` and subjectim `(8, 10000)`, both counting from 1."""
    with _reading(path):
        design = read_matlab(path)
    for key, shape in {"masterordering": (1, 3 * SHOWN), "subjectim": (len(SESSIONS), SHOWN)}.items():
        if key not in design:
            raise ValueError(f"{path} lacks {key}: fetch NSD's own file")
        if design[key].shape != shape:
            raise ValueError(f"{path} has {key} of shape {design[key].shape}, not {shape}: fetch NSD's own file")
    order, images = design["masterordering"][0].astype(np.int64), design["subjectim"].astype(np.int64)
    if order.min() < 1 or order.max() > SHOWN:
        raise ValueError(f"{path} has masterordering outside 1 to {SHOWN}: fetch NSD's own file")
    return order, images


def _compare(files, subject, trials):
    """Raise ValueError where the table of stimuli lists other trials than the design."""
    if not files.info.exists():
        return
    import pandas as pd  # here, as it takes a third of a second to load

    columns = [f"subject{subject}_rep{repetition}" for repetition in range(3)]
    with _reading(files.info):
        info = pd.read_csv(files.info, usecols=["nsdId", *columns])
        images, times = info["nsdId"].to_numpy(int).repeat(3), info[columns].to_numpy(int).ravel() - 1
    listed, used = np.full(len(trials), -1), (times >= 0) & (times < len(trials))
    listed[times[used]] = images[used]
    if wrong := int((listed != trials).sum()):
        raise ValueError(f"{files.info} lists {wrong} trials unlike {files.design.name}: fetch both from NSD")


def stimuli(root: Path, subject: int, rows: list[int], transform=None) -> Images:
    """The images at `rows` of imgBrick, each read when it is asked for; their labels are these rows.

    Raises ValueError where a row lies outside imgBrick and for a file that is missing, damaged or no uint8 RGB.
    """
    path = nsd_files(root, subject).stimuli
    with open_hdf5(path, "imgBrick") as brick:
        shape, dtype = brick.shape, brick.dtype
    if dtype != np.uint8 or len(shape) != 4 or shape[3] != 3:
        raise ValueError(f"{path} has imgBrick as {dtype} {shape}, not uint8 (images, height, width, 3): fetch it anew")
    if min(rows) < 0 or max(rows) >= shape[0]:
        wrong = min(rows) if min(rows) < 0 else max(rows)
        raise ValueError(f"{path} has {shape[0]} images and the design asks for row {wrong}: fetch both from NSD")
    return Images(
        [f"nsd{row:05d}" for row in rows], rows, partial(_read_image, path, rows), transform, files_state([path])
    )


def _read_image(path, rows, i):
    with open_hdf5(path, "imgBrick") as brick:
        return Image.fromarray(brick[rows[i]])


def roi_mask(root: Path, subject: int, roi: str) -> np.ndarray:
    """The voxels of the stream called `roi`: `(X, Y, Z)`, bool. Raises ValueError for one that is unknown or empty."""
    if roi not in STREAMS:
        raise unknown("stream", roi, STREAMS)
    path = nsd_files(root, subject).streams
    mask = _read_volume(path) == STREAMS[roi]
    if not mask.any():
        raise ValueError(f"{path} has no voxel of label {STREAMS[roi]} ({roi}): fetch it anew from NSD")
    return mask


def read_ncsnr(root: Path, subject: int, mask: np.ndarray) -> torch.Tensor:
    """Signal over noise, in standard deviations of a single trial, of the voxels of `mask`: `(voxels,)`, float32."""
    path = nsd_files(root, subject).ncsnr
    volume = _read_volume(path)
    _check_space(path, volume.shape, mask)
    return torch.from_numpy(volume[mask].astype(np.float32))


def read_betas(root: Path, subject: int, session: int, mask: np.ndarray) -> torch.Tensor:
    """Percent signal change of the voxels of `mask` `(X, Y, Z)` in one session (from 1): `(750, voxels)`, float32.

    Reads betas_sessionNN.hdf5 if it is there, else .nii.gz, a few volumes at a time. Raises ValueError as `read_nsd`.
    """
    path = nsd_files(root, subject).betas / f"betas_session{session:02d}.hdf5"
    read = _from_hdf5
    if not path.exists():
        path, read = path.with_suffix(".nii.gz"), _from_nifti
    if not path.exists():
        mend = f"or read the sessions before it with sessions={session - 1}"
        raise ValueError(f"{path} and its .hdf5 are missing: fetch one from NSD {mend if session > 1 else ''}".rstrip())
    return torch.from_numpy(read(path, mask)).float() / SCALE


def _from_nifti(path, mask):
    """The file's integers `(750, voxels)`; a gzip stream can only be read forwards, so it stays open."""
    with _open_nifti(path) as betas:
        _check_betas(path, betas.dtype, betas.shape, mask)
        if (betas.slope, betas.inter) != (1, 0):
            raise ValueError(f"{path} is scaled by {betas.slope:g} in its header, unlike NSD's betas: fetch it anew")
        pieces = [np.asarray(betas[..., t : t + AT_ONCE])[mask] for t in range(0, TRIALS, AT_ONCE)]
    return np.concatenate(pieces, 1).T


def _from_hdf5(path, mask):
    """The file's integers `(750, voxels)`. Blocks are whole chunks, for each chunk is unpacked when it is touched."""
    x, y, z = mask.nonzero()
    found = np.empty((TRIALS, len(x)), np.int16)
    with open_hdf5(path, "betas") as betas:
        _check_betas(path, betas.dtype, betas.shape[::-1], mask)
        trials, depth = (betas.chunks or (1, mask.shape[2]))[:2]
        trials *= -(-AT_ONCE // trials)
        for low in range(z.min() // depth * depth, z.max() + 1, depth):
            here = (low <= z) & (z < low + depth)
            for t in range(0, TRIALS, trials):
                with _reading(path):
                    block = betas[t : t + trials, low : low + depth]
                found[t : t + trials, here] = block[:, z[here] - low, y[here], x[here]]
    return found


def _check_betas(path, dtype, shape, mask):
    """Raise ValueError unless a session is int16 and `shape` is (X, Y, Z, 750) in the space of `mask`."""
    if dtype != np.int16:
        raise ValueError(f"{path} holds {dtype}, not int16: fetch NSD's own file, which is not divided by {SCALE}")
    _check_space(path, shape[:3], mask)
    if shape[3:] != (TRIALS,):
        raise ValueError(f"{path} holds {shape[3:]} trials, not {TRIALS}: fetch NSD's own file")


def _check_space(path, shape, mask):
    if shape != mask.shape:
        raise ValueError(
            f"{path} is a volume of {shape} and streams.nii.gz of {mask.shape}: take both from one subject's func1pt8mm"
        )


def z_scores(betas: torch.Tensor) -> torch.Tensor:
    """`(trials, voxels)` of one session with mean 0 and variance 1 (ddof 1) per voxel, float64; constant voxels NaN."""
    constant = (betas == betas[0]).all(0)
    betas = betas.double()
    sd = betas.std(0).masked_fill(constant, torch.nan)
    return (betas - betas.mean(0)) / sd


def noise_ceiling(ncsnr: torch.Tensor, repetitions: torch.Tensor) -> torch.Tensor:
    """The correlation of a perfect model with responses averaged over `repetitions` `(images,)`: `(voxels,)`.

        sqrt(ncsnr^2 / (ncsnr^2 + mean over images of 1 / repetitions))

    With A images shown three times, B twice and C once the mean is (A/3 + B/2 + C) / (A + B + C). Its square times 100
    is NSD's ceiling in percent of variance. Source: NSD data manual, noise ceiling.
    """
    signal = ncsnr**2
    return (signal / (signal + (1 / repetitions).mean())).sqrt()


def _read_volume(path):
    with _open_nifti(path) as volume:
        if math.prod(volume.shape) > VOXELS:  # before room is made for them
            raise ValueError(f"{path} says that it has {volume.shape} voxels: fetch it anew from NSD")
        return np.asarray(volume)


@contextmanager
def _open_nifti(path):
    """The numbers of a .nii.gz file; when all is done the rest of it is read, to where its checksum is compared."""
    with _reading(path), gzip.open(path) as file:
        yield cast(Any, nibabel.Nifti1Image.from_stream(file)).dataobj
        while file.read(2**20):
            pass


@contextmanager
def open_hdf5(path, key):
    """The data set `key` of an HDF5 file, open."""
    with _reading(path), h5py.File(path, "r") as file:
        if not isinstance(found := file.get(key), h5py.Dataset):
            names = one_line(", ".join(file)) or "nothing"
            raise ValueError(f"{path} lacks {key} (it has {names}): fetch NSD's own file")
        yield found


@contextmanager
def _reading(path):
    """Say in one line which file is missing or damaged; an error that names it already passes."""
    if not path.exists():
        raise ValueError(f"{path} is missing: check the root folder or fetch the file from NSD")
    try:
        yield
    except Exception as error:
        if str(error).startswith(f"{path} "):
            raise
        raise ValueError(f"{path} cannot be read ({first_line(error)}): fetch it anew from NSD") from None
