"""The `report` verb: what a radiologist asks of the vessels of one scan."""

from __future__ import annotations

import numpy as np

from apps.pulmonary_vessel.lung_mask import LungMask, find_lungs, number_lungs
from apps.pulmonary_vessel.predict import LUNG_MASK, VesselSegmenter, scan_name
from apps.pulmonary_vessel.report.page import write_report
from apps.pulmonary_vessel.scan_source import read_mask, read_scan
from apps.pulmonary_vessel.verb_config import ReportConfig
from shared.contract import App
from shared.errors import InputError
from shared.formats.volume import Volume

__all__ = ["report"]


def report(app: App, config: ReportConfig) -> None:
    """Segment a scan, or read its mask, and write the report.

    Raises:
        InputError: the scan cannot be read, or no lung is found in it.
    """
    del app
    volume = read_scan(config.scan, config.spacing)
    given = None if config.lung_mask is None else read_mask(config.lung_mask, volume, LUNG_MASK)
    facts = {"Lung field": "found by the app" if given is None else f"given: {config.lung_mask}"}
    if config.mask is None:
        predictor = VesselSegmenter.from_pretrained(config.model)
        threshold = predictor.threshold if config.threshold is None else config.threshold
        answer = predictor.segment(volume, given, threshold)
        mask, lung, reason = answer.mask, answer.lung, answer.reason
        facts |= {"Model": answer.model, "Threshold": f"{threshold:g}"}
    else:
        mask = read_mask(config.mask, volume, "The vessel mask").astype(np.uint8)
        lungs = _lungs(volume, given)
        lung, reason = np.ascontiguousarray(volume.geometry.from_standard(lungs.mask)), lungs.reason
        facts |= {"Mask": str(config.mask)}
    if reason is not None:
        raise InputError(f"{config.scan}: {reason}. Give the lungs with --lung_mask.")
    config.out.mkdir(parents=True, exist_ok=True)
    name = scan_name(config.scan)
    write_report(config.out, volume.hu, mask, lung, volume.geometry, title=name, facts=facts, origin=config.origin)
    print("\n".join(str(path) for path in sorted(config.out.iterdir())))


def _lungs(volume: Volume, given: np.ndarray | None) -> LungMask:
    """The lungs on standard axes, found or numbered."""
    grid = volume.geometry
    if given is None:
        return find_lungs(np.ascontiguousarray(grid.to_standard(volume.hu)), grid.standard_spacing)
    return number_lungs(grid.to_standard(given), grid.standard_spacing)
