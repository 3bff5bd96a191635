"""Windows cut from stretches and disturbed: what must stay, stays; what is drawn follows from the seed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from apps.ecg_shock.config import AugmentConfig, DrawConfig
from apps.ecg_shock.data import SAMPLING_RATE, ShockWindows, band_pass, preprocess, training_rows
from apps.ecg_shock.training import augment
from apps.ecg_shock.training.augment import Augmentation
from apps.ecg_shock.training.draws import AsRecorded, Disturbed, Pool, pools
from apps.ecg_shock.training.noise_bank import KINDS, NoiseBank
from apps.ecg_shock.training.strips import Cuttings, Strips
from data_prep.ecg_set import ECG_FIELD
from data_prep.synth import ecg_shock
from shared.errors import InputError
from shared.prepared import PreparedSet, PreparedWriter

CALM = AugmentConfig(
    apply=True, other_length=0, second_lead=0, speed_drift=0, organised_speed=(1, 1), noisy=0, recorder=0, blunt=0,
    clipped=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> ShockWindows:
    folder = tmp_path_factory.mktemp("made") / "set"
    ecg_shock.prepare(folder, items=48)
    return ShockWindows(PreparedSet(folder))


def all_of(windows: ShockWindows) -> Cuttings:
    """Every window may be learnt from, each by its own target."""
    return Strips(windows).within(np.arange(len(windows)), windows.index["target"].astype(np.int64))


@pytest.fixture(scope="module")
def strips(windows: ShockWindows) -> Cuttings:
    return all_of(windows)


def still(rows: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Speed 1, first lead, no jitter."""
    return np.ones(rows), np.zeros(rows, dtype=np.int64), np.zeros(rows)


def test_a_window_cut_at_its_own_place_is_the_window_of_the_set(windows: ShockWindows, strips: Cuttings) -> None:
    rows = np.arange(len(windows))
    cut = band_pass(strips.cut(rows, 5 * SAMPLING_RATE, *still(len(rows))))
    for row in rows:
        own = windows.read(row)
        inside = slice(SAMPLING_RATE, -SAMPLING_RATE // 2)  # resampled in one piece, the ends differ a little
        assert np.abs(cut[row] - own)[inside].max() < 0.05 * np.ptp(own)


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Cuttings:
    """A record of 30 s at 250 Hz whose samples are their own time in seconds: 20 s of one rhythm, 10 s of another."""
    folder = tmp_path_factory.mktemp("ramp") / "set"
    about = {"title": "ramp", "source": "made up", "licence": "CC0-1.0", "created_by": "test", "synthetic": True}
    with PreparedWriter(folder, name="ramp", groups=("patient",), **about) as writer:
        writer.declare(ECG_FIELD)
        for number, rhythm in enumerate(("N", "N", "N", "N", "VF", "VF")):
            time = 5 * number + np.arange(1250) / 250
            target = int(rhythm == "VF")
            writer.add(
                {"ecg": time[:, None].astype(np.float32)},
                item=f"r/{number}", patient="p", db="d", record="r", rhythm=rhythm, cls="S_VF" if target else "N_NSR",
                target=target, sampling_rate=250.0, start_s=5.0 * number,
            )  # fmt: skip
    return all_of(ShockWindows(PreparedSet(folder)))


@pytest.mark.parametrize(
    ("row", "speed", "jitter", "first", "last"),
    [
        (1, 1.0, 0.0, 5.0, 10.0),
        (1, 1.0, 250.0, 7.0, 12.0),
        (1, 2.0, 0.0, 2.5, 12.5),
        (1, 1.0, -1e6, 0.0, 5.0),
        (3, 1.0, 1e6, 15.0, 20.0),
        (4, 0.5, 0.0, 21.25, 23.75),
    ],
)
def test_place_and_speed_of_a_cut(
    ramp: Cuttings, row: int, speed: float, jitter: float, first: float, last: float
) -> None:
    """The ramp tells where a cut begins and ends; it never leaves its rhythm."""
    lead = np.array([0])
    (cut,) = ramp.cut(np.array([row]), 625, np.array([speed]), lead, np.array([jitter]))
    assert cut[0] == pytest.approx(first, abs=0.03)
    assert cut[-1] == pytest.approx(last, abs=0.03)
    assert np.allclose(np.diff(cut), np.diff(cut).mean(), atol=0.02)


def test_what_is_not_learnt_is_never_cut(ramp: Cuttings) -> None:
    """Row 2 is held out: windows around rows 0 and 1 end before it, row 3 stands alone and turns back at its ends."""
    kept = ramp.strips.within(np.array([0, 1, 3]), np.zeros(3, dtype=np.int64))
    for row, first, last in ((1, 0.0, 10.0), (3, 15.0, 20.0)):
        far = np.array([1e6])
        (cut,) = kept.cut(np.array([row]), 1000, np.array([1.0]), np.array([0]), far)
        assert first - 0.02 <= cut.min() <= cut.max() <= last + 0.02
    labelled = ramp.strips.within(np.array([0, 1, 2]), np.array([0, 0, 1]))
    (cut,) = labelled.cut(np.array([1]), 625, np.array([1.0]), np.array([0]), np.array([1e6]))
    assert cut.max() < 10.02


def test_a_short_stretch_keeps_its_rate(ramp: Cuttings) -> None:
    """Ten seconds from a stretch of five: up the ramp and down again, at the speed that was asked for."""
    alone = ramp.strips.within(np.array([3]), np.zeros(1, dtype=np.int64))
    (cut,) = alone.cut(np.array([3]), 1250, np.array([1.0]), np.array([0]), np.array([0.0]))
    steps = np.abs(np.diff(cut)) * SAMPLING_RATE
    assert np.median(steps) == pytest.approx(1.0, abs=0.05)
    assert np.isfinite(cut).all()
    assert cut.min() >= 14.98
    assert cut.max() <= 20.02


def test_without_disturbance_only_the_sign_is_drawn(strips: Cuttings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment, "JITTER_S", 0.0)
    rows = np.arange(12)
    augmentation = Augmentation(CALM, strips, seed=0)
    cut = augmentation.windows(np.random.default_rng(3), rows, np.arange(12) % 2 == 0, 625)
    assert cut.dtype == np.float32
    upright = band_pass(strips.cut(rows, 625, *still(12)))
    sign = np.sign((cut * upright).sum(axis=1))
    assert set(sign) == {-1, 1}
    np.testing.assert_allclose(cut, sign[:, None] * upright, rtol=1e-5, atol=1e-6)


def test_the_same_draw_gives_the_same_windows(strips: Cuttings) -> None:
    augmentation, organised = Augmentation(AugmentConfig(apply=True), strips, seed=0), np.zeros(12, dtype=bool)
    one, again, other = (
        augmentation.windows(np.random.default_rng(seed), np.arange(12), organised, 625) for seed in (3, 3, 4)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("lowest", [-3.0, 9.0, 18.0])
def test_noise_has_the_size_that_was_asked_for(
    strips: Cuttings, monkeypatch: pytest.MonkeyPatch, lowest: float
) -> None:
    """One noise in every window, of unit size in each: the ratio is then the one that was drawn."""
    monkeypatch.setattr(augment, "SECOND_NOISE", 0.0)
    augmentation = Augmentation(AugmentConfig(apply=True, noisy=1.0, lowest_snr_db=lowest), strips, seed=0)
    monkeypatch.setattr(
        augmentation.bank, "pieces", lambda rng, rows, samples: np.tile((-1.0) ** np.arange(samples), (rows, 1))
    )
    ecg = strips.cut(np.arange(48), 624, *still(48))
    found = np.stack([augmentation._noise(np.random.default_rng(seed), ecg).std(axis=1) for seed in range(8)])
    ratio = 20 * np.log10((band_pass(ecg).std(axis=1) + augment.LEAST_MV) / found)
    assert lowest - 1e-6 <= ratio.min() <= lowest + 1
    assert 17 <= ratio.max() <= 18 + 1e-6
    assert ratio.mean() == pytest.approx((lowest + 18) / 2, abs=1)


def test_a_window_that_is_not_noisy_has_no_noise(strips: Cuttings) -> None:
    augmentation = Augmentation(CALM, strips, seed=0)
    ecg = strips.cut(np.arange(12), 625, *still(12))
    assert not augmentation._noise(np.random.default_rng(0), ecg).any()


@pytest.mark.parametrize("kind", KINDS)
def test_every_noise_is_finite_and_alive(kind: str) -> None:
    noise = KINDS[kind](np.random.default_rng(0), 5000)
    assert noise.shape == (5000,)
    assert np.isfinite(noise).all()
    assert noise.std() > 0


def test_pieces_of_noise_follow_from_the_generator() -> None:
    bank = NoiseBank(0)
    one, other = (bank.pieces(np.random.default_rng(1), 6, 625) for _ in range(2))
    assert one.shape == (6, 625)
    assert np.array_equal(one, other)
    assert not np.array_equal(one, bank.pieces(np.random.default_rng(2), 6, 625))
    many = bank.pieces(np.random.default_rng(1), 4000, 625)
    assert np.square(many).mean() == pytest.approx(1, abs=0.1), "of unit size on the whole"


def test_a_disturbed_batch_is_what_its_labels_say(windows: ShockWindows, strips: Cuttings) -> None:
    rows, target = training_rows(windows, np.arange(len(windows)), irregular_vt=True)
    sides = pools(windows, rows, target, 0.5)
    draws = DrawConfig(shock=5, other=4, noise_marked=3, noise_only=2, noise_weight=0.25)
    marked = Pool.of(rows[:3], windows.index["patient"][rows[:3]], 0.5)
    config = AugmentConfig(apply=True, other_length=1.0)
    batch = Disturbed(Augmentation(config, strips, 0), sides, marked, draws).batch(np.random.default_rng(0))
    assert batch.ecg.shape[:2] == (14, 1)
    assert 2 * SAMPLING_RATE <= batch.ecg.shape[2] <= 10 * SAMPLING_RATE
    assert batch.shock.tolist() == [1] * 5 + [0] * 9
    assert batch.weight.tolist() == [1] * 9 + [0.25] * 5
    assert batch.noise.tolist() == [0] * 9 + [1] * 5
    assert torch.isfinite(batch.ecg).all()
    shares = [batch.share(rank, 2) for rank in range(2)]
    assert torch.equal(torch.cat([share.shock for share in shares]).sort().values, batch.shock.sort().values)
    without = Disturbed(Augmentation(config, strips, 0), sides, None, draws).batch(np.random.default_rng(0))
    assert len(without.ecg) == 11


def test_windows_as_recorded_are_those_that_a_prediction_sees(windows: ShockWindows) -> None:
    rows, target = training_rows(windows, np.arange(len(windows)), irregular_vt=True)
    batch = AsRecorded(windows, pools(windows, rows, target, 0.5), DrawConfig(shock=3, other=2)).batch(
        np.random.default_rng(0)
    )
    own = [preprocess(windows.raw(row), float(windows.index["sampling_rate"][row])) for row in rows]
    assert all(any(np.array_equal(window[0].numpy(), one[:625]) for one in own) for window in batch.ecg)


def test_one_side_alone_is_refused(windows: ShockWindows) -> None:
    rows, target = training_rows(windows, np.arange(len(windows)), irregular_vt=True)
    with pytest.raises(InputError, match="no window labelled 'shock'"):
        pools(windows, rows[target == 0], target[target == 0], 0.5)
