"""Simulated subjects in the layout of the Natural Scenes Dataset, with signals and noise that are known."""

from pathlib import Path

import h5py
import nibabel
import numpy as np
import torch

from lib.checks import check_finite, check_responses, unknown
from lib.data.nsd import (
    SCALE,
    SESSIONS,
    SHOWN,
    STREAMS,
    TRIALS,
    nsd_files,
    open_hdf5,
    read_design,
    trial_images,
    z_scores,
)
from lib.features import seeded
from lib.store import dependencies, key, locked, whole, write_whole

MOST_SESSIONS = 40
STORED = 73_000  # images in the real imgBrick
NOTE = "simulation.key"  # beside the betas: of the call that writes them
OTHERS = 8  # voxels of pure noise in each stream that has no planted signal
LARGEST = np.iinfo(np.int16).max


def simulate_nsd(
    root: Path,
    subject: int,
    images: torch.Tensor,
    planted: dict[str, tuple[torch.Tensor, torch.Tensor]],
    sessions: int,
    seed: int = 0,
    suffix: str = ".nii.gz",
) -> None:
    """Write a subject below `root` as NSD lies on disk: design, stimuli, streams, betas (`.nii.gz` or `.hdf5`), ncsnr.

        beta_tv = offset_v + scale_v (snr_v s_iv + noise_tv) / sqrt(1 + snr_v^2),  noise ~ N(0, 1), i the image of t

    `images` `(images, height, width, 3)`, uint8, fill the first rows of imgBrick. `planted` gives streams by name:
    noiseless responses `(images, voxels)`, standardised over the images to s, and snr `(voxels,)`. Voxels come in the
    order in which `lib.data.nsd.read_nsd` returns them. All other voxels are pure noise. Offset ~ N(0, 1) and scale
    ~ U(0.5, 2) are drawn anew in each session, in percent signal change.

    Each image is planned three times, in random order, in the first sessions; with fewer `sessions` than these 3 images
    / 750 some repetitions are missing, as in NSD. The design has NSD's full shapes: the trials after those show images
    that are not stored. Subjects below one root share images and `seed` and see them in orders of their own.

    ncsnr.nii.gz holds `measured_ncsnr` of the betas written, not the planted snr: in NSD too it is an estimate from the
    same trials, with its sampling error and its floor at 0. A call that was killed is finished by the same call again.
    Raises ValueError for what does not fit.
    """
    with locked(Path(root) / ".lock"):  # which makes the folder
        files = nsd_files(root, subject)
        _check_arguments(subject, images, planted, sessions, suffix)
        about = _check_own(files, [subject, images, planted, sessions, seed, suffix])
        _write_experiment(files, images.numpy(), seed)
    write_whole(files.betas / NOTE, about)
    rows = trial_images(root, subject, sessions)
    generator = seeded(10 * seed + subject)
    _write_volume(files.streams, streams := _streams(planted, generator))
    brain = streams >= 0
    truth = _signals(planted, torch.from_numpy(streams[brain]), len(images))
    z = _write_sessions(files, suffix, rows, brain, truth, generator)
    _write_ncsnr(files.ncsnr, measured_ncsnr(z, rows.flatten()), brain)


def _check_own(files, given):
    """The key of this call; ValueError if there is anything of this subject that another call has written."""
    about, note = key(dependencies(code=simulate_nsd, given=given)), files.betas / NOTE
    if note.exists() and note.read_text(encoding="utf-8") == about:
        return about
    for path in (files.betas, files.streams):
        if path.exists():
            raise ValueError(f"{path} exists already: choose another root, or delete what was simulated there")
    return about


def _write_ncsnr(path, values, brain):
    ncsnr = np.zeros(brain.shape, np.float32)
    ncsnr[brain] = values
    _write_volume(path, ncsnr)


def _write_sessions(files, suffix, rows, brain, planted, generator):
    """Write the betas of all sessions; returns their z-scores `(trials, voxels)`."""
    signal, snr = planted
    z = []
    for session, row in enumerate(rows, start=1):
        betas = _session(signal[row], snr, generator)
        path = files.betas / f"betas_session{session:02d}{suffix}"
        if not path.exists():
            _write_session(path, betas, brain)
        z.append(z_scores(betas).float())
    return torch.cat(z)


def _session(signal, snr, generator):
    """The stored integers of one session `(750, voxels)`."""

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    y = (snr * signal + normal(*signal.shape)) / (1 + snr**2).sqrt()
    scale = 0.5 + 1.5 * torch.rand(len(snr), generator=generator, dtype=torch.float64)
    return quantised(normal(len(snr)) + scale * y)


def quantised(betas: torch.Tensor) -> torch.Tensor:
    """Percent signal change as NSD stores it: 300 times, rounded and clipped to int16."""
    return (SCALE * betas).round().clamp(-LARGEST, LARGEST).to(torch.int16)


def measured_ncsnr(z: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """NSD's signal-to-noise ratio of voxels that were z-scored within sessions: `z (trials, voxels)` to `(voxels,)`.

        ncsnr = sqrt(max(0, 1 - v) / v),  v = mean over images of the variance over their repetitions, ddof 1

    `images (trials,)` numbers what each trial showed; images shown once are left out. Raises ValueError if all are.
    Source: Allen et al. 2022, methods, noise ceiling estimation.
    """
    _, rows, counts = images.unique(return_inverse=True, return_counts=True)
    repeated = counts > 1
    if not repeated.any():
        raise ValueError("no image was shown twice, so there is no noise to measure: simulate more sessions")
    zeros = torch.zeros(len(counts), z.shape[1], dtype=torch.float64)
    means = zeros.index_add(0, rows, z.double()) / counts[:, None]
    squares = zeros.index_add(0, rows, (z - means[rows]) ** 2)
    noise = (squares[repeated] / (counts[repeated, None] - 1)).mean(0)
    return ((1 - noise).clamp(min=0) / noise).sqrt()


def _streams(planted, generator):
    """A box of a brain `(X, Y, Z)`, X < Y < Z, in a shell of -1; the labels lie scattered, 0 fills what is left."""
    counts = {label: planted[name][1].numel() if name in planted else OTHERS for name, label in STREAMS.items()}
    labels = np.concatenate([np.full(count, label, np.int16) for label, count in counts.items()])
    side = 1
    while side * (side + 1) * (side + 2) < len(labels) + OTHERS:
        side += 1
    inside = np.zeros(side * (side + 1) * (side + 2), np.int16)
    inside[torch.randperm(len(inside), generator=generator).numpy()[: len(labels)]] = labels
    return np.pad(inside.reshape(side, side + 1, side + 2), 1, constant_values=-1)


def _signals(planted, labels, count):
    """Standardised responses `(images, voxels)` and snr `(voxels,)` of the whole brain, 0 where none is planted."""
    signal, snr = torch.zeros(count, len(labels), dtype=torch.float64), torch.zeros(len(labels), dtype=torch.float64)
    for name, (responses, ratio) in planted.items():
        here = labels == STREAMS[name]
        responses = responses.double()
        signal[:, here] = (responses - responses.mean(0)) / responses.std(0, correction=0)
        snr[here] = ratio.double()
    return signal, snr


def _write_experiment(files, images, seed):
    """Stimuli, table and design, or what of them another subject or a killed call has not written; all must agree."""
    order, shown = _design(len(images), seed)
    stimuli, design = files.stimuli.exists(), files.design.exists()
    if (design and not _same_design(files.design, order, shown)) or (
        stimuli and not _same_images(files.stimuli, images)
    ):
        raise ValueError(f"{files.design} is of other images or another seed: give the same or another root")
    from scipy.io import savemat  # here, as it takes a third of a second to load

    if not stimuli:
        with whole(files.stimuli) as path, h5py.File(path, "w") as file:
            file["imgBrick"] = images
    if not files.info.exists():
        with whole(files.info) as path:
            _stimulus_table(order, shown).to_csv(path)
    if not design:
        with whole(files.design) as path:
            savemat(path, _as_stored(order, shown))


def _same_design(path, order, shown):
    there = read_design(path)
    return np.array_equal(there[0], order) and np.array_equal(there[1], shown)


def _same_images(path, images):
    with open_hdf5(path, "imgBrick") as brick:
        return brick.shape == images.shape and np.array_equal(brick, images)


def _design(count, seed):
    """masterordering `(30000,)` and subjectim `(8, 10000)`, from 1: its first `3 count` trials show stored images."""
    generator = seeded(seed)

    def shuffled(n):
        return torch.randperm(n, generator=generator).numpy()

    planned = np.arange(SHOWN).repeat(3)
    order = np.concatenate([planned[: 3 * count][shuffled(3 * count)], planned[3 * count :]])
    absent = count + np.sort(shuffled(STORED - count)[: SHOWN - count])
    shown = np.stack([np.concatenate([shuffled(count), absent]) for _ in SESSIONS])
    return order + 1, shown + 1


def _as_stored(order, shown):
    """All that nsd_expdesign.mat holds, as doubles."""
    seen = order.reshape(MOST_SESSIONS, TRIALS)
    times = np.stack([np.bincount(seen[: s + 1].ravel(), minlength=SHOWN + 1) for s in range(MOST_SESSIONS)])
    pattern = np.zeros((MOST_SESSIONS, 12, 75))
    pattern[:, ::2, 3:66] = pattern[:, 1::2, 3:65] = 1  # 63 and 62 of a run's 75 places show an image
    stored = {
        "masterordering": order[None],
        "subjectim": shown,
        "sharedix": np.sort(shown[0, :1000])[None],
        "basiccnt": np.stack([(times >= least).sum(1) for least in (1, 2, 3)]),
        "stimpattern": pattern,
    }
    return {key: value.astype(np.float64) for key, value in stored.items()}


def _stimulus_table(order, shown):
    """nsd_stim_info_merged.csv; what concerns COCO is blank."""
    import pandas as pd  # here, as it takes a third of a second to load

    times = np.argsort(order, kind="stable").reshape(SHOWN, 3) + 1
    table = {"cocoId": 0, "cocoSplit": "none", "cropBox": "(0, 0, 0, 0)", "loss": 0.0, "nsdId": np.arange(STORED)}
    table |= {"flagged": False, "BOLD5000": False, "shared1000": np.isin(np.arange(STORED) + 1, shown[0, :1000])}
    for subject, images in zip(SESSIONS, shown, strict=True):
        table[f"subject{subject}"] = np.isin(np.arange(STORED) + 1, images).astype(int)
    for subject, images in zip(SESSIONS, shown, strict=True):
        for repetition in range(3):
            table[f"subject{subject}_rep{repetition}"] = np.zeros(STORED, int)
            table[f"subject{subject}_rep{repetition}"][images - 1] = times[:, repetition]
    return pd.DataFrame(table)


def _write_session(path, betas, brain):
    """One session's integers `(750, voxels)` of the voxels in `brain` `(X, Y, Z)`; 0 outside."""
    volume = np.zeros((*brain.shape, len(betas)), np.int16)
    volume[brain] = betas.T
    if path.suffix == ".gz":
        _write_volume(path, volume)
        return
    with whole(path) as part, h5py.File(part, "w") as file:
        file["betas"] = volume.T


def _write_volume(path, volume):
    with whole(path) as part:
        nibabel.save(nibabel.Nifti1Image(volume, np.diag([1.8, 1.8, 1.8, 1])), part)


def _check_arguments(subject, images, planted, sessions, suffix):
    if suffix not in (".nii.gz", ".hdf5"):
        raise ValueError(f"suffix {suffix!r} is unknown: choose .nii.gz or .hdf5")
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[3] != 3 or len(images) > SHOWN:
        given = f"{images.dtype} {tuple(images.shape)}"
        raise ValueError(f"images are {given}: give uint8 (images, height, width, 3), at most {SHOWN} images")
    most = min(3 * len(images) // TRIALS, SESSIONS[subject])
    if not 1 <= sessions <= most:
        mend = f"choose 1 to {most}" if most else f"give at least {TRIALS // 3} images"
        raise ValueError(
            f"{sessions} sessions of subject {subject} with {len(images)} images shown three times: {mend}"
        )
    for name, (responses, snr) in planted.items():
        if name not in STREAMS:
            raise unknown("stream", name, STREAMS)
        check_responses(responses, f"planted responses of {name}")
        check_finite(snr, f"planted snr of {name}")
        if len(responses) != len(images) or snr.shape != responses.shape[1:]:
            shapes = f"responses {tuple(responses.shape)} and snr {tuple(snr.shape)}"
            raise ValueError(f"{name} has {shapes}: give ({len(images)}, voxels) and (voxels,)")
        if (snr < 0).any() or (responses == responses[0]).all(0).any():
            raise ValueError(f"{name} has a negative snr or a voxel of one response to all images: take it out")
