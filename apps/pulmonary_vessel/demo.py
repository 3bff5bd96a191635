"""The app's share of `make demo`: a phantom segmented, with a picture of what was found, missed and wrongly marked."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from apps.pulmonary_vessel.data import PreparedScan
from apps.pulmonary_vessel.error_picture import error_figure
from apps.pulmonary_vessel.measures.counts import counts
from apps.pulmonary_vessel.measures.scores import SCORES
from apps.pulmonary_vessel.predict import VesselSegmenter
from apps.pulmonary_vessel.results import VesselSegmentation
from apps.pulmonary_vessel.scan_source import read_scan
from shared.demo import DemoPart, DemoRow
from shared.formats.volume import read_labels
from shared.report import ReportFigure, ReportTable, Section
from shared.threads import one_thread

__all__ = ["SAMPLES", "demo"]

SAMPLES = Path(__file__).parent / "samples"
"""A made-up scan and its exact labels; samples/README.md tells how it was made."""
NAME = "phantom.nrrd (a phantom: nobody was scanned)"


def demo() -> DemoPart:
    """Segment the sample and compare with its labels."""
    predictor = VesselSegmenter.from_pretrained()
    with one_thread():
        began = time.perf_counter()
        answer = predictor.predict(SAMPLES / "phantom.nrrd")
        milliseconds = 1000 * (time.perf_counter() - began)
    scan = _scan()
    truth_ml = np.count_nonzero(scan.labels == 2) * scan.voxel_mm3 / 1000
    scores = counts(answer.mask, scan.labels, scan.spacing, (1.0,))
    table = ReportTable(
        "The phantom's mask against its exact labels, inside its lung",
        ("score", "value"),
        [
            (f"{metric.name}, %" if metric.percent else metric.name, metric.format(value))
            for metric in SCORES
            if np.isfinite(value := metric(scores))
        ],
        "One phantom: it shows the software, not how good it is on patients.",
    )
    words = _answer(answer)
    row = DemoRow(NAME, words, f"{truth_ml:.1f} mL", milliseconds)
    caption = f"Slabs of the phantom from the front; {words}, in truth {truth_ml:.1f} mL."
    picture = ReportFigure(error_figure(scan, answer.mask), caption, f"Vessels found and missed: {words}.")
    return DemoPart(
        [row],
        Section("Pulmonary vessels", [f"Model: {predictor.card.label}. Not a medical device."], [table], [picture]),
    )


def _scan() -> PreparedScan:
    """The sample with its labels."""
    volume = read_scan(SAMPLES / "phantom.nrrd")
    grid = volume.geometry
    labels = grid.to_standard(read_labels(SAMPLES / "phantom_labels.nrrd", grid)).astype(np.uint8)
    return PreparedScan(
        hu=grid.to_standard(volume.hu).astype(np.int16),
        lung=(labels > 0).astype(np.uint8),
        labels=labels,
        truth="labels",
        points=np.zeros((0, 5), np.float32),
        spacing=grid.standard_spacing,
        facts={"item": "phantom.nrrd", "origin": "phantom"},
    )


def _answer(answer: VesselSegmentation) -> str:
    if answer.reason:
        return f"undecided ({answer.reason})"
    return f"vessels {answer.volumes_ml['vessel']:.1f} mL in {answer.volumes_ml['lung']:.0f} mL of lung"
