from __future__ import annotations

import pytest
import torch

from apps.pulmonary_vessel.losses import VesselLoss, thin
from apps.pulmonary_vessel.training_config import LossConfig

EVERYTHING = LossConfig(cldice=1.0, overlap="tversky")
OUTPUTS = ("vessel", "artery", "vein", "airway")


def tube(radius: float = 1.5) -> torch.Tensor:
    """(1, 1, 16, 16, 16) codes: a vessel along z, an airway beside it, two voxels outside the lung around."""
    _, y, x = torch.meshgrid(*[torch.arange(16.0)] * 3, indexing="ij")
    codes = torch.ones(16, 16, 16, dtype=torch.uint8)
    codes[torch.hypot(y - 5, x - 5) <= radius] = 2
    codes[torch.hypot(y - 10, x - 10) <= 2] = 4
    codes[:, :2] = codes[:, -2:] = 0
    return codes[None, None]


def logits_of(mask: torch.Tensor) -> torch.Tensor:
    return torch.where(mask, 12.0, -12.0)


def test_the_truth_costs_nothing():
    codes = tube()
    vessel = codes == 2
    logits = torch.cat([logits_of(vessel), logits_of(vessel), logits_of(vessel & False), logits_of(codes == 4)], dim=1)
    terms = VesselLoss(EVERYTHING, OUTPUTS)(logits, codes, vessel.to(torch.uint8))
    assert set(terms) == {"tversky", "cross-entropy", "clDice", "artery", "vein", "airway"}
    assert sum(terms.values()) < 0.02


def test_a_wrong_answer_of_one_channel_has_a_high_centreline_loss_and_a_gradient():
    """One channel must not count as background to be left out: the loss would be a constant."""
    codes = tube()
    logits = logits_of(codes == 4).requires_grad_()
    term = VesselLoss(LossConfig(cldice=1.0), ["vessel"])(logits * 0.2, codes, codes * 0)["clDice"]
    term.backward()
    assert term > 0.5
    assert logits.grad is not None
    assert logits.grad.abs().sum() > 1e-4


def test_a_gap_costs_centreline_more_than_overlap():
    codes = tube()
    vessel = codes == 2
    gap = vessel.clone()
    gap[:, :, 5:9] = False
    loss = VesselLoss(LossConfig(cldice=1.0), ["vessel"])
    terms = loss(logits_of(gap), codes, codes * 0)
    slim = vessel & (tube(1.0) == 2)  # more voxels lost, none of the centreline
    slimmer = loss(logits_of(slim), codes, codes * 0)
    assert terms["clDice"] > slimmer["clDice"] + 0.03
    assert terms["dice"] < slimmer["dice"]


def test_outside_the_lung_only_the_cross_entropy_counts_and_little():
    codes = tube()
    vessel = codes == 2
    outside = logits_of(vessel | (codes == 0))
    loss = VesselLoss(LossConfig(), ["vessel"])
    right, wrong = (loss(logits, codes, codes * 0) for logits in (logits_of(vessel), outside))
    assert wrong["dice"] == right["dice"]
    in_lung = loss(logits_of(vessel | (codes == 4)), codes, codes * 0)
    assert 0 < wrong["cross-entropy"] - right["cross-entropy"] < in_lung["cross-entropy"]


def test_lookalikes_and_thin_vessels_weigh_more():
    codes = tube(radius=1.0)
    weights = VesselLoss(LossConfig(lookalikes=3.0, thin=1.5, outside=0.1), ["vessel"]).weights(codes)
    assert weights[codes == 4].unique().tolist() == [3.0]
    assert weights[codes == 2].unique().tolist() == [2.5]
    assert weights[codes == 1].unique().tolist() == [1.0]
    assert weights[codes == 0].unique() == pytest.approx(0.1)


def test_thick_vessels_are_not_thin():
    thick = tube(radius=3.0) == 2
    assert thin(thick).sum() < 0.2 * thick.sum()
    assert torch.equal(thin(tube(radius=1.0) == 2) > 0, tube(radius=1.0) == 2)


def test_terms_keep_their_names_before_the_centreline_begins():
    codes = tube()
    loss = VesselLoss(LossConfig(cldice=0.5, cldice_from=3), ["vessel"])
    before, after = (loss(logits_of(codes == 4), codes, codes * 0, epoch=epoch) for epoch in (2, 3))
    assert before.keys() == after.keys()
    assert before["clDice"] == 0 < after["clDice"]


def test_tversky_weighs_missed_voxels_more_than_dice():
    codes = tube()
    nothing, everything = logits_of(codes == 99), logits_of(codes > 0)
    dice, tversky = (VesselLoss(LossConfig(overlap=name, missed=0.9), ["vessel"]) for name in ("dice", "tversky"))
    assert tversky(everything, codes, codes * 0)["tversky"] < dice(everything, codes, codes * 0)["dice"]
    assert tversky(nothing, codes, codes * 0)["tversky"] > 0.9


def test_arteries_unknown_teach_nothing():
    codes = tube()
    logits = torch.randn(1, 4, 16, 16, 16)
    terms = VesselLoss(LossConfig(), OUTPUTS)(logits, codes, torch.zeros_like(codes))
    assert terms["artery"] == terms["vein"] == 0 < terms["airway"]
