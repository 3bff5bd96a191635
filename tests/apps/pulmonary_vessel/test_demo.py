"""The demo segments its phantom, says so, and shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apps.pulmonary_vessel.demo import SAMPLES, demo
from apps.pulmonary_vessel.predict import VesselSegmenter
from data_prep.ct_samples import make_samples
from shared.formats.volume import read_labels, read_volume
from tests.apps.pulmonary_vessel.made_segmenter import bright_segmenter


def test_the_phantom_is_segmented_called_a_phantom_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VesselSegmenter, "from_pretrained", lambda: bright_segmenter())
    part = demo()
    (row,) = part.rows
    assert "phantom" in row.sample
    assert row.answer.startswith("vessels ")
    scores = dict(part.section.tables[0].rows)
    assert 0.5 < float(scores["mean Dice"]) <= 1
    assert len(part.section.figures) == 1
    assert "phantom" in part.section.figures[0].caption


def test_the_sample_can_be_made_again(tmp_path: Path) -> None:
    make_samples(tmp_path)
    made, kept = (read_volume(folder / "phantom.nrrd") for folder in (tmp_path, SAMPLES))
    np.testing.assert_array_equal(made.hu, kept.hu)
    labels = [read_labels(folder / "phantom_labels.nrrd", kept.geometry) for folder in (tmp_path, SAMPLES)]
    np.testing.assert_array_equal(*labels)
