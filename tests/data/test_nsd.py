import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from shutil import copytree, ignore_patterns

import h5py
import nibabel
import numpy as np
import pandas as pd
import pytest
import torch
from helpers import close, normal, refuses
from scipy.io import loadmat, savemat
from torch.utils.data import DataLoader
from torchvision.transforms.functional import pil_to_tensor

from lib.data.nsd import noise_ceiling, nsd_files, read_betas, read_nsd, roi_mask, trial_images, z_scores
from lib.data.nsd_simulation import _write_session, measured_ncsnr, quantised, simulate_nsd
from lib.features import seeded

COUNT, VOXELS, SESSIONS, SUBJECT = 1000, 40, 3, 2  # 3000 trials are planned and 2250 done
SUFFIXES = [".nii.gz", ".hdf5"]
DESIGN = "nsddata/experiments/nsd/nsd_expdesign.mat"
INFO = "nsddata/experiments/nsd/nsd_stim_info_merged.csv"
STIMULI = "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5"
STREAMS = "nsddata/ppdata/subj02/func1pt8mm/roi/streams.nii.gz"
BETAS = "nsddata_betas/ppdata/subj02/func1pt8mm/betas_fithrf_GLMdenoise_RR"
NCSNR = f"{BETAS}/ncsnr.nii.gz"
SECOND = f"{BETAS}/betas_session02"


def pictures(count=COUNT, seed=0):
    return torch.randint(0, 256, (count, 5, 4, 3), generator=seeded(seed), dtype=torch.uint8)


def planted():
    """Ventral voxels of snr 0.2 to 2, and lateral ones that hardly vary from repetition to repetition."""
    return {
        "ventral": (3 + 2 * normal(COUNT, VOXELS), torch.linspace(0.2, 2, VOXELS)),
        "lateral": (normal(COUNT, 12, seed=1), torch.full((12,), 1e4)),
    }


@pytest.fixture(scope="module", params=SUFFIXES)
def root(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("nsd") / "root"
    simulate_nsd(folder, SUBJECT, pictures(), planted(), SESSIONS, suffix=request.param)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Two sessions as .nii.gz, to be copied and spoilt; betas.hdf5 is the second as it would be stored in HDF5."""
    folder = tmp_path_factory.mktemp("plain") / "root"
    simulate_nsd(folder, SUBJECT, pictures(), planted(), 2)
    volume = np.asarray(nibabel.load(folder / f"{SECOND}.nii.gz").dataobj)
    with h5py.File(folder / "betas.hdf5", "w") as file:
        file["betas"] = volume.T
    return folder


@pytest.fixture
def copy(plain, tmp_path):
    """Without the table of stimuli, which takes long to read and may be missing."""
    return copytree(plain, tmp_path / "copy", ignore=ignore_patterns("*.csv"))


def stored(root, session):
    """A session's integers (X, Y, Z, 750), whatever the file."""
    path = root / BETAS / f"betas_session{session:02d}"
    if path.with_suffix(".hdf5").exists():
        with h5py.File(path.with_suffix(".hdf5")) as file:
            return np.transpose(file["betas"][()], (3, 2, 1, 0))
    return np.asanyarray(nibabel.load(path.with_suffix(".nii.gz")).dataobj)


def by_hand(root, label, sessions):
    """Trials, voxels and averages by loops that follow the data manual, one number at a time."""
    design = loadmat(root / DESIGN)
    streams = nibabel.load(root / STREAMS).get_fdata()
    size_x, size_y, size_z = streams.shape
    voxels = [
        (x, y, z) for x in range(size_x) for y in range(size_y) for z in range(size_z) if streams[x, y, z] == label
    ]
    responses, trials = {}, []
    for session in range(1, sessions + 1):
        volume = stored(root, session)
        columns = []
        for x, y, z in voxels:
            values = [float(value) / 300 for value in volume[x, y, z]]
            mean = sum(values) / 750
            sd = (sum((value - mean) ** 2 for value in values) / 749) ** 0.5
            columns.append([(value - mean) / sd for value in values])
        for t in range(750):
            place = int(design["masterordering"][0, 750 * (session - 1) + t])
            image = int(design["subjectim"][SUBJECT - 1, place - 1]) - 1
            trials.append(image)
            responses.setdefault(image, []).append([column[t] for column in columns])
    return trials, responses


def test_the_reader_returns_what_loops_over_the_files_find(root):
    for sessions in (1, SESSIONS):
        trials, responses = by_hand(root, 5, sessions)
        found = read_nsd(root, SUBJECT, sessions=sessions)
        assert trial_images(root, SUBJECT, sessions).flatten().tolist() == trials
        assert found.images.labels == sorted(responses)
        assert found.repetitions.tolist() == [len(responses[image]) for image in sorted(responses)]
        assert found.responses.dtype == found.ceiling.dtype == torch.float32
        close(found.responses, np.array([np.mean(responses[image], 0) for image in sorted(responses)]), 2e-6)


def test_only_the_sessions_asked_for_count(root):
    one, all_three = (read_nsd(root, SUBJECT, sessions=sessions) for sessions in (1, SESSIONS))
    assert one.repetitions.sum() == 750 and all_three.repetitions.sum() == 2250
    assert set(one.images.labels) < set(all_three.images.labels)
    assert (one.ceiling[10:] < all_three.ceiling[10:]).all()


def test_what_is_planted_comes_back_in_the_planted_order(root):
    found = read_nsd(root, SUBJECT, "lateral", SESSIONS)
    wanted = planted()["lateral"][0][found.images.labels]
    r = torch.corrcoef(torch.cat([found.responses.double(), wanted], 1).T)[:12, 12:]
    # Without noise only the moments of a session of 750 trials differ: sd 1 / sqrt(750) of a mean, 1 / sqrt(1500) of
    # a scale; an image mixes up to three of them, so that 1 - r is about (1/750 + 1/1500) / 2 = 0.001.
    assert (r.diagonal() > 0.997).all()
    assert (r - torch.diag(r.diagonal())).abs().max() < 5 / COUNT**0.5
    assert found.name == "NSD subject 2, lateral" and len(found.responses) == len(found.images)


def noise_bounds(snr, trials):
    """Noise variance as measured after z-scoring, 5 standard errors to both sides of the planted 1 / (1 + snr^2).

    A variance over n repetitions has relative variance 2 / (n - 1), averaged over the images; the total variance of
    all trials, by which it is divided, has at most 2 / trials, and each session's z-scoring a bias below 1 / 750.
    """
    counts = trials.unique(return_counts=True)[1]
    counts = counts[counts > 1].double()
    relative = ((2 / (counts - 1)).sum() / len(counts) ** 2 + 2 / trials.numel()).sqrt()
    noise = 1 / (1 + snr.double() ** 2)
    return noise, noise * relative


def test_ncsnr_and_ceiling_are_the_planted_ones_within_sampling_error(root):
    found, trials = read_nsd(root, SUBJECT, sessions=SESSIONS), trial_images(root, SUBJECT, SESSIONS)
    noise, error = noise_bounds(planted()["ventral"][1], trials)
    ncsnr = torch.from_numpy(nibabel.load(root / NCSNR).get_fdata()[roi_mask(root, SUBJECT, "ventral")])
    measured = 1 / (1 + ncsnr**2)
    assert ((measured - noise).abs() < 5 * error).all()
    # The floor at 0 does not touch voxels of snr above 0.4: their mean error is that of independent estimates.
    free = planted()["ventral"][1] > 0.4
    off = ((measured - noise) / error)[free]
    assert off.mean().abs() < 5 / free.sum() ** 0.5
    low, high = (noise_ceiling(((1 - v) / v).sqrt(), found.repetitions) for v in (noise + 5 * error, noise - 5 * error))
    assert ((found.ceiling > low.nan_to_num(0)) & (found.ceiling < high)).all()


def test_the_planted_signal_reaches_the_ceiling(root):
    found = read_nsd(root, SUBJECT, sessions=SESSIONS)
    signal, snr = planted()["ventral"]
    signal = signal[found.images.labels]
    centred, y = signal - signal.mean(0), found.responses.double() - found.responses.double().mean(0)
    r = (centred * y).sum(0) / (centred.norm(dim=0) * y.norm(dim=0))
    # A correlation over n images has a standard error of (1 - r^2) / sqrt(n); 0.002 is for z-scoring by session.
    wanted = noise_ceiling(snr.double(), found.repetitions)
    assert ((r - wanted).abs() < 5 * (1 - wanted**2) / len(y) ** 0.5 + 0.002).all()
    alone = noise_ceiling(snr.double(), torch.ones(1))
    assert ((r - alone)[10:] > 0.01).all()  # averaging repetitions has helped


def test_the_other_voxels_are_noise_and_outside_the_brain_is_zero(root):
    streams = np.asarray(nibabel.load(root / STREAMS).dataobj)
    assert set(np.unique(streams)) == {-1, 0, 1, 2, 3, 4, 5, 6, 7}
    assert len(set(streams.shape)) == 3
    volume = stored(root, 1)
    assert volume.dtype == np.int16 and volume.shape == (*streams.shape, 750)
    assert not volume[streams < 0].any() and (volume[streams >= 0].std(1) > 0).all()
    _, error = noise_bounds(torch.zeros(1), trial_images(root, SUBJECT, SESSIONS))
    early = nibabel.load(root / NCSNR).get_fdata()[streams == 1]
    assert (early**2 < 5 * error.item() / (1 - 5 * error.item())).all()


def test_each_session_has_offsets_and_scales_of_its_own(root):
    brain = nibabel.load(root / STREAMS).get_fdata() >= 0
    first, second = (stored(root, session)[brain] / 300 for session in (1, 2))
    for moment in (first.mean(1), second.mean(1)):
        assert abs(moment.std() - 1) < 5 / (2 * len(moment)) ** 0.5 + 0.05  # 0.05: of the noise in a mean of 750
    assert 0.45 < first.std(1).min() < 0.7 and 1.8 < first.std(1).max() < 2.25
    for a, b in ((first.mean(1), second.mean(1)), (first.std(1), second.std(1))):
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / len(a) ** 0.5


def test_ncsnr_is_the_recipe_by_hand(root):
    _, responses = by_hand(root, 5, SESSIONS)
    repeated = [np.array(rows) for rows in responses.values() if len(rows) > 1]
    noise = np.mean([((rows - rows.mean(0)) ** 2).sum(0) / (len(rows) - 1) for rows in repeated], 0)
    wanted = np.sqrt(np.maximum(0, 1 - noise)) / np.sqrt(noise)
    ncsnr = nibabel.load(root / NCSNR).get_fdata()[nibabel.load(root / STREAMS).get_fdata() == 5]
    close(ncsnr, wanted, 1e-5)


def test_ncsnr_of_a_worked_example():
    z = torch.tensor([[0.5], [1.0], [-0.5], [0.0], [9.0]])
    # Images 7 and 8 twice each, (0.5, -0.5) and (1, 0): variances 0.5 and 0.5; image 3 once.
    close(measured_ncsnr(z, torch.tensor([7, 8, 7, 8, 3])), [1.0])
    close(measured_ncsnr(3 * z, torch.tensor([7, 8, 7, 8, 3])), [0.0])
    refuses("no image was shown twice", "more sessions", measured_ncsnr, z, torch.arange(5))


def test_the_ceiling_of_mixed_repetitions_by_hand():
    repetitions = torch.tensor([3, 3, 2, 1])
    inverse = (2 / 3 + 1 / 2 + 1) / 4
    wanted = [(1 / (1 + inverse)) ** 0.5, 0, (0.25 / (0.25 + inverse)) ** 0.5]
    close(noise_ceiling(torch.tensor([1, 0, 0.5], dtype=torch.float64), repetitions), wanted, 1e-7)


def test_both_kinds_of_betas_and_every_run_give_the_same(root, plain):
    found, wanted = read_nsd(root, SUBJECT, sessions=2), read_nsd(plain, SUBJECT, sessions=2)
    assert torch.equal(found.responses, wanted.responses) and found.images.names == wanted.images.names
    assert not torch.equal(found.ceiling, wanted.ceiling)  # the ratio was measured in three sessions and in two


def test_another_seed_gives_other_trials_and_noise(plain, tmp_path):
    simulate_nsd(tmp_path, SUBJECT, pictures(), planted(), 1, seed=1)
    assert (trial_images(tmp_path, SUBJECT, 1) != trial_images(plain, SUBJECT, 1)).float().mean() > 0.99
    assert not np.array_equal(stored(tmp_path, 1), stored(plain, 1))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_betas_come_back_within_half_a_stored_step(suffix, plain, copy):
    mask = roi_mask(plain, SUBJECT, "ventral")
    betas = 5 * normal(750, VOXELS)
    folder = copy / BETAS
    (folder / "betas_session02.nii.gz").unlink()
    _write_session(folder / f"betas_session02{suffix}", quantised(betas), mask)
    found = read_betas(copy, SUBJECT, 2, mask)
    close(found, betas, 0.5 / 300 + 1e-6)
    assert (300 * found - (300 * found).round()).abs().max() < 1e-3


@pytest.mark.parametrize("chunks", [None, (1, 11, 9, 8), (750, 1, 1, 1), (100, 3, 4, 2), (20, 2, 9, 8)])
def test_the_chunks_of_an_hdf5_file_do_not_matter(chunks, plain, copy):
    mask = roi_mask(plain, SUBJECT, "ventral")
    volume = np.random.default_rng(0).integers(-999, 999, (*mask.shape, 750), dtype=np.int16)
    chunks = chunks and tuple(map(min, chunks, volume.shape[::-1]))
    with h5py.File(copy / f"{SECOND}.hdf5", "w") as file:
        file.create_dataset("betas", data=volume.T, chunks=chunks)
    close(read_betas(copy, SUBJECT, 2, mask), volume[mask].T / 300, 1e-6)


def test_a_session_may_be_scaled_and_shifted(plain, copy):
    before = read_nsd(plain, SUBJECT, sessions=2)
    volume = stored(copy, 2)
    assert abs(volume).max() < 8000
    betas = (3 * volume + 700).astype(np.int16).T
    with h5py.File(copy / f"{SECOND}.hdf5", "w") as file:
        file["betas"] = betas
    after = read_nsd(copy, SUBJECT, sessions=2)
    close(after.responses, before.responses, 2e-6)


def test_z_scores_are_standard_and_mark_constant_voxels():
    z = z_scores(torch.cat([7 + 3 * normal(750, 4), torch.full((750, 1), 0.1)], 1).float())
    close(z[:, :4].mean(0), torch.zeros(4), 1e-6)
    close(z[:, :4].var(0), torch.ones(4), 1e-6)
    assert z[:, 4].isnan().all() and not z[:, :4].isnan().any()


def test_voxels_without_a_signal_are_left_out_with_a_warning(plain, copy):
    mask = roi_mask(copy, SUBJECT, "ventral")
    x, y, z = (axis[[3, 30]] for axis in mask.nonzero())
    volume = stored(copy, 2).copy()
    volume[x[0], y[0], z[0]] = 17
    rewrite(copy / f"{SECOND}.nii.gz", volume)
    ncsnr = nibabel.load(copy / NCSNR).get_fdata(dtype=np.float32)
    ncsnr[x[1], y[1], z[1]] = np.nan
    rewrite(copy / NCSNR, ncsnr)
    with pytest.warns(UserWarning, match="2 of 40 voxels are constant in a session or have no finite ncsnr"):
        found = read_nsd(copy, SUBJECT, sessions=2)
    kept = [i for i in range(VOXELS) if i not in (3, 30)]
    before = read_nsd(plain, SUBJECT, sessions=2)
    close(found.responses, before.responses[:, kept])
    close(found.ceiling, before.ceiling[kept])
    rewrite(copy / NCSNR, np.full_like(ncsnr, np.nan))
    refuses("40 of 40 voxels", "check the betas", read_nsd, copy, SUBJECT, sessions=2)


def rewrite(path, volume):
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), path)


def test_images_are_those_of_the_trials_and_workers_may_read_them(plain):
    images = read_nsd(plain, SUBJECT, sessions=1, transform=pil_to_tensor).images
    assert images.names[:2] == [f"nsd{label:05d}" for label in images.labels[:2]]
    wanted = pictures()[images.labels].permute(0, 3, 1, 2)
    for workers in (0, 2):
        pieces = DataLoader(images, 200, num_workers=workers)
        assert torch.equal(torch.cat([x for x, _ in pieces]), wanted)


def test_a_second_subject_sees_the_same_images_in_another_order(copy):
    simulate_nsd(copy, 1, pictures(), planted(), 2)
    first, second = (trial_images(copy, subject, 4) for subject in (1, 2))
    assert (first != second).float().mean() > 0.99
    assert torch.equal(first.unique(), second.unique())  # in the four sessions that show each image three times
    first, second = (read_nsd(copy, subject, sessions=2) for subject in (1, 2))
    assert first.responses.shape[1] == second.responses.shape[1] == VOXELS
    same = set(first.images.labels) & set(second.images.labels)
    rows = [[recording.images.labels.index(i) for i in sorted(same)] for recording in (first, second)]
    strong = [first.responses[rows[0], -1], second.responses[rows[1], -1]]
    assert torch.corrcoef(torch.stack(strong))[0, 1] > 0.6


def test_the_design_has_the_true_shapes_and_the_table_agrees(plain):
    design = loadmat(plain / DESIGN)
    shapes = {key: design[key].shape for key in design if not key.startswith("__")}
    assert shapes == {
        "masterordering": (1, 30000),
        "subjectim": (8, 10000),
        "sharedix": (1, 1000),
        "basiccnt": (3, 40),
        "stimpattern": (40, 12, 75),
    }
    assert all(design[key].dtype == np.float64 for key in shapes)
    order, shown = design["masterordering"][0].astype(int), design["subjectim"].astype(int)
    assert np.array_equal(np.bincount(order)[1:], np.full(10000, 3))
    assert all(len(set(row)) == 10000 and row.min() == 1 and row.max() <= 73000 for row in shown)
    assert (design["stimpattern"].sum((1, 2)) == 750).all()
    counts = np.bincount(order[: 2 * 750])
    assert design["basiccnt"][:, 1].tolist() == [(counts >= least).sum() for least in (1, 2, 3)]
    assert (counts == 1).any() and (counts == 2).any() and (counts == 3).any()
    info = pd.read_csv(plain / INFO)
    assert len(info) == 73000 and set(info.columns[1:9]) == {
        "cocoId",
        "cocoSplit",
        "cropBox",
        "loss",
        "nsdId",
        "flagged",
        "BOLD5000",
        "shared1000",
    }
    for subject in (1, 7):
        row = info.iloc[shown[subject - 1, 5] - 1]
        times = [t + 1 for t in range(30000) if order[t] == 6]
        assert [row[f"subject{subject}_rep{i}"] for i in range(3)] == times and row[f"subject{subject}"] == 1
    assert info["shared1000"].sum() == 1000 and (info["nsdId"] == np.arange(73000)).all()


def test_the_table_of_stimuli_may_be_missing_but_not_differ(plain, copy):
    assert torch.equal(trial_images(copy, SUBJECT, 2), trial_images(plain, SUBJECT, 2))
    info = pd.read_csv(plain / INFO, index_col=0)
    info["subject2_rep0"] += info["subject2_rep0"] > 0
    info.to_csv(copy / INFO)
    refuses("info_merged.csv lists ", "unlike nsd_expdesign.mat: fetch both", read_nsd, copy, SUBJECT, sessions=2)
    (copy / INFO).write_text("a,b\n1,2\n")
    refuses("nsd_stim_info_merged.csv cannot be read", "fetch it anew", read_nsd, copy, SUBJECT, sessions=2)


# --- bad input: what to do to a sound copy, the thing named, the mend named


def cut(path, size=200):
    path.write_bytes(path.read_bytes()[:-size])


def change_design(root, **arrays):
    design = {key: value for key, value in loadmat(root / DESIGN).items() if not key.startswith("__")}
    design = {key: value for key, value in (design | arrays).items() if value is not None}
    savemat(root / DESIGN, design)


def hdf5_betas(root, change, key="betas"):
    with h5py.File(root / "betas.hdf5") as file:
        betas = file["betas"][()]
    with h5py.File(root / f"{SECOND}.hdf5", "w") as file:
        file[key] = change(betas)


def scaled(root):
    image = nibabel.load(root / f"{SECOND}.nii.gz")
    data = np.asarray(image.dataobj)
    new = nibabel.Nifti1Image(data, np.eye(4))
    new.header.set_slope_inter(1 / 300, 0)
    new.to_filename(root / f"{SECOND}.nii.gz")


def nifti_betas(root, change):
    rewrite(root / f"{SECOND}.nii.gz", change(stored(root, 2)))


def change_subjectim(root, value):
    shown = loadmat(root / DESIGN)["subjectim"]
    shown[SUBJECT - 1, :COUNT][shown[SUBJECT - 1, :COUNT] == 500] = value
    change_design(root, subjectim=shown)


BAD = {
    "no session": (
        lambda r: (r / f"{SECOND}.nii.gz").unlink(),
        "betas_session02.nii.gz and its .hdf5 are missing",
        "1",
    ),
    "truncated gz": (lambda r: cut(r / f"{SECOND}.nii.gz"), "betas_session02.nii.gz cannot be read", "fetch it anew"),
    "empty gz": (lambda r: (r / f"{SECOND}.nii.gz").write_bytes(b""), "betas_session02.nii.gz cannot be", "anew"),
    "no gz": (lambda r: (r / f"{SECOND}.nii.gz").write_bytes(b"x" * 999), "betas_session02.nii.gz cannot be", "anew"),
    "float betas": (
        lambda r: nifti_betas(r, lambda y: (y / 300).astype(np.float32)),
        "betas_session02.nii.gz holds float32, not int16",
        "fetch NSD's own file",
    ),
    "scaled betas": (scaled, "betas_session02.nii.gz is scaled by 0.00333333", "fetch it anew"),
    "too few trials": (
        lambda r: nifti_betas(r, lambda y: y[..., :749]),
        "betas_session02.nii.gz holds (749,) trials, not 750",
        "fetch",
    ),
    "one volume": (lambda r: nifti_betas(r, lambda y: y[..., 0]), "betas_session02.nii.gz holds () trials", "fetch"),
    "another volume": (
        lambda r: nifti_betas(r, lambda y: y[1:]),
        "betas_session02.nii.gz is a volume of (",
        "from one subject's func1pt8mm",
    ),
    "turned axes": (lambda r: hdf5_betas(r, lambda y: y.T), "betas_session02.hdf5 is a volume of (750", "one subject"),
    "float hdf5": (
        lambda r: hdf5_betas(r, lambda y: y.astype(float)),
        "betas_session02.hdf5 holds float64",
        "fetch NSD's own",
    ),
    "trials in hdf5": (lambda r: hdf5_betas(r, lambda y: y[1:]), "betas_session02.hdf5 holds (749,) trials", "fetch"),
    "key in hdf5": (
        lambda r: hdf5_betas(r, lambda y: y, key="data"),
        "betas_session02.hdf5 lacks betas (it has data)",
        "fetch",
    ),
    "truncated hdf5": (
        lambda r: (hdf5_betas(r, lambda y: y), cut(r / f"{SECOND}.hdf5", 5000)),
        "betas_session02.hdf5 cannot be read",
        "fetch it anew",
    ),
    "no design": (lambda r: (r / DESIGN).unlink(), "nsd_expdesign.mat is missing", "check the root folder"),
    "cut design": (lambda r: cut(r / DESIGN, 9999), "nsd_expdesign.mat cannot be read", "fetch it anew"),
    "key in design": (
        lambda r: change_design(r, masterordering=None),
        "nsd_expdesign.mat lacks masterordering",
        "fetch NSD's own file",
    ),
    "short design": (
        lambda r: change_design(r, masterordering=np.ones((1, 1500))),
        "nsd_expdesign.mat has masterordering of shape (1, 1500), not (1, 30000)",
        "fetch",
    ),
    "design from 0": (
        lambda r: change_design(r, masterordering=np.arange(30000.0)[None] % 10000),
        "nsd_expdesign.mat has masterordering outside 1 to 10000",
        "fetch",
    ),
    "image out of range": (
        lambda r: change_subjectim(r, COUNT + 1),
        f"nsd_stimuli.hdf5 has {COUNT} images and the design asks for row {COUNT}",
        "fetch both",
    ),
    "image 0": (lambda r: change_subjectim(r, 0), "and the design asks for row -1", "fetch both"),
    "no stimuli": (lambda r: (r / STIMULI).unlink(), "nsd_stimuli.hdf5 is missing", "fetch the file"),
    "grey stimuli": (
        lambda r: (
            h5py.File(r / STIMULI, "w").create_dataset("imgBrick", data=np.zeros((9, 4, 4), np.uint8)).file.close()
        ),
        "nsd_stimuli.hdf5 has imgBrick as uint8 (9, 4, 4)",
        "fetch it anew",
    ),
    "no brick": (
        lambda r: h5py.File(r / STIMULI, "w").close(),
        "nsd_stimuli.hdf5 lacks imgBrick (it has nothing)",
        "fetch",
    ),
    "no streams": (lambda r: (r / STREAMS).unlink(), "streams.nii.gz is missing", "check the root folder"),
    "other streams": (
        lambda r: rewrite(r / STREAMS, np.asarray(nibabel.load(r / STREAMS).dataobj)[:, :-1]),
        "ncsnr.nii.gz is a volume of (",
        "take both from one subject's func1pt8mm",
    ),
    "empty stream": (
        lambda r: rewrite(r / STREAMS, np.zeros((8, 9, 10), np.int16)),
        "streams.nii.gz has no voxel of label 5 (ventral)",
        "fetch it anew",
    ),
    "no ncsnr": (lambda r: (r / NCSNR).unlink(), "ncsnr.nii.gz is missing", "fetch the file"),
}


@pytest.mark.parametrize("spoil, thing, mend", BAD.values(), ids=BAD)
def test_a_bad_file_is_named_with_the_mend(spoil, thing, mend, copy):
    spoil(copy)
    refuses(thing, mend, read_nsd, copy, SUBJECT, sessions=2)


def test_an_image_that_is_cut_off_is_named(copy):
    images = read_nsd(copy, SUBJECT, sessions=1).images
    cut(copy / STIMULI)
    with pytest.raises(ValueError, match="image nsd00.* cannot be read .*nsd_stimuli.hdf5"):
        list(images)


@pytest.mark.parametrize(
    "subject, options, thing, mend",
    [
        (9, {}, "subject 9 is unknown", "choose 1 to 8"),
        ("1", {}, "subject '1' is unknown", "choose 1 to 8"),
        (2, {"roi": "ventrall"}, "stream 'ventrall' is unknown", "did you mean ventral"),
        (2, {"sessions": 0}, "0 sessions of subject 2", "choose 1 to 40"),
        (2, {"sessions": 41}, "41 sessions of subject 2", "choose 1 to 40"),
        (2, {"sessions": None}, "betas_session03.nii.gz and its .hdf5 are missing", "sessions=2"),
        (1, {}, "subj01/func1pt8mm/roi/streams.nii.gz is missing", "check the root"),
    ],
)
def test_a_bad_request_is_refused(subject, options, thing, mend, plain, copy):
    with h5py.File(copy / STIMULI, "w") as file:
        file.create_dataset("imgBrick", (73000, 1, 1, 3), np.uint8)
    refuses(thing, mend, read_nsd, copy, subject, **{"sessions": 2, **options})


def test_a_root_that_is_no_folder_is_refused(tmp_path):
    refuses("nowhere is no folder", "holds nsddata", read_nsd, tmp_path / "nowhere", 1)


def spoilt_simulation(**changes):
    return {"subject": 3, "images": pictures(), "planted": planted(), "sessions": 2} | changes


@pytest.mark.parametrize(
    "changes, thing, mend",
    [
        ({"subject": 0}, "subject 0 is unknown", "choose 1 to 8"),
        ({"subject": 2, "planted": {}}, "exists already", "choose another root"),
        ({"seed": 1}, "nsd_expdesign.mat is of other images or another seed", "another root"),
        ({"images": pictures(seed=1)}, "nsd_expdesign.mat is of other images", "another root"),
        ({"images": pictures().float()}, "images are torch.float32", "give uint8"),
        ({"images": pictures(200), "planted": {}}, "2 sessions of subject 3 with 200 images", "at least 250 images"),
        ({"sessions": 5}, "5 sessions of subject 3", "choose 1 to 4"),
        ({"suffix": ".nii"}, "suffix '.nii' is unknown", ".hdf5"),
        ({"planted": {"lateralis": planted()["lateral"]}}, "stream 'lateralis' is unknown", "did you mean lateral"),
        ({"planted": {"early": (normal(COUNT, 3), torch.ones(2))}}, "early has responses (1000, 3) and", "(voxels,)"),
        (
            {"planted": {"early": (normal(9, 3), torch.ones(3))}},
            "early has responses (9, 3) and",
            "give (1000, voxels)",
        ),
        ({"planted": {"early": (normal(COUNT, 3), -torch.ones(3))}}, "early has a negative snr", "take it out"),
        ({"planted": {"early": (torch.ones(COUNT, 3), torch.ones(3))}}, "a voxel of one response", "take it out"),
        ({"planted": {"early": (torch.nan * normal(COUNT, 3), torch.ones(3))}}, "planted responses of early", "remove"),
    ],
)
def test_a_simulation_that_does_not_fit_is_refused(changes, thing, mend, plain):
    refuses(thing, mend, simulate_nsd, plain, **spoilt_simulation(**changes))
    assert not nsd_files(plain, 3).betas.exists()


@pytest.mark.parametrize(
    ("name", "thing"),
    [
        (DESIGN, "nsd_expdesign.mat"),
        (STIMULI, "nsd_stimuli.hdf5"),
        (STREAMS, "another root"),
        (f"{BETAS}/betas_session07.hdf5", "another root"),
    ],
)
def test_a_simulation_overwrites_nothing(name, thing, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"real data")
    with pytest.raises(ValueError, match=thing):
        simulate_nsd(tmp_path, SUBJECT, pictures(), planted(), 1)
    assert [file for file in tmp_path.rglob("*.*") if file.is_file() and file.name != ".lock"] == [path]
    assert path.read_bytes() == b"real data"


@pytest.mark.parametrize("at", ["scipy.io.savemat", "lib.data.nsd_simulation.z_scores"])
def test_a_simulation_killed_between_its_files_goes_on(at, plain, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(at, killed)
        simulate_nsd(tmp_path, SUBJECT, pictures(), planted(), 2)
    assert (tmp_path / STIMULI).exists() and (tmp_path / DESIGN).exists() == ("savemat" not in at)
    begun = {path: path.stat().st_mtime_ns for path in (tmp_path / BETAS).glob("*_session*")}
    simulate_nsd(tmp_path, SUBJECT, pictures(), planted(), 2)
    assert all(path.stat().st_mtime_ns == then for path, then in begun.items())
    found, wanted = (read_nsd(root, SUBJECT, "ventral", 2) for root in (tmp_path, plain))
    assert found.responses.equal(wanted.responses) and found.ceiling.equal(wanted.ceiling)


# --- a session of subject 1 at its full size

LARGE = (81, 104, 83, 750)
MEASURE = """
import json, resource, sys, time
from lib.data.nsd import read_betas, roi_mask
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.time()
y = read_betas(sys.argv[1], 1, 1, roi_mask(sys.argv[1], 1, "ventral"))
seconds, peak = time.time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"shape": y.shape, "sum": float(y.double().sum()), "GiB": peak / 2**20, "before": before / 2**20,
                  "seconds": seconds}))
"""


def write_large(root, suffix):
    """One volume at a time; only the stream's 7,600 voxels vary. Returns the sum of what was stored there."""
    files = nsd_files(root, 1)
    for path in (files.streams, files.ncsnr):
        path.parent.mkdir(parents=True)
    rng = np.random.default_rng(0)
    streams = np.full(LARGE[:3], -1, np.int16)
    streams.reshape(-1)[rng.choice(streams.size, 7600, replace=False)] = 5
    rewrite(files.streams, streams)
    total, path = 0, files.betas / f"betas_session01{suffix}"
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape(LARGE)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    opened = gzip.open(path, "wb", 1) if suffix == ".nii.gz" else h5py.File(path, "w")
    with opened as file:
        if suffix == ".nii.gz":
            file.write(header.binaryblock + bytes(4))
        else:
            betas = file.create_dataset("betas", LARGE[::-1], np.int16)
        for t in range(750):
            volume = np.zeros(LARGE[:3], np.int16)
            volume[streams == 5] = rng.integers(-999, 999, 7600)
            total += int(volume.sum(dtype=np.int64))
            if suffix == ".nii.gz":
                file.write(volume.tobytes("F"))
            else:
                betas[t] = volume.T
    return total


@pytest.mark.skipif("RUN_LARGE" not in os.environ, reason="writes sessions of 1 GB: set RUN_LARGE=1 to run it")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_session_of_full_size_is_read_in_little_memory(suffix, tmp_path):
    start = time.time()
    total = write_large(tmp_path, suffix)
    written = time.time() - start
    command = [sys.executable, "-c", MEASURE, tmp_path]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    print(f"{suffix}: written in {written:.0f} s, {found}")
    assert found["shape"] == [750, 7600]
    assert abs(found["sum"] - total / 300) < 1
    assert found["GiB"] < 3


@pytest.mark.parametrize("name", [STREAMS, NCSNR, f"{SECOND}.nii.gz"])
def test_the_checksum_of_a_gzip_stream_is_compared(name, copy):
    content = bytearray((copy / name).read_bytes())
    content[-8] ^= 1  # of the checksum itself, which follows all numbers
    (copy / name).write_bytes(content)
    refuses(f"{copy / name} cannot be read (CRC check failed", "fetch it anew", read_nsd, copy, SUBJECT, "ventral", 2)


def test_a_header_that_asks_for_more_voxels_than_a_brain_has_is_refused(copy):
    """Damage to the first bytes of a stream is seen at its end alone."""
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((1000, 1000, 1000))
    with gzip.open(copy / STREAMS, "wb") as file:
        file.write(header.binaryblock + bytes(100))
    refuses(
        f"{copy / STREAMS} says that it has (1000, 1000, 1000) voxels", "fetch it", roi_mask, copy, SUBJECT, "early"
    )
