"""Chest CT with pulmonary vessels: scans with masks, with sparse points, or alone, and phantoms.

What is read (DICOM, NIfTI, MetaImage, NRRD):

- a folder whose file names tell what belongs to a scan: NAME, NAME_ct or NAME_kernelB with NAME_lung or NAME_lungmask,
  NAME_label (codes), NAME_vessels (mask), NAME_silver (codes made by rule), NAME_points.csv, NAME_fullAnnotations
  (CARVE14);
- VESSEL12 (Scans, Lungmasks, Annotations) and PARSE2022 (NAME/image, NAME/label);
- folders of DICOM files, each one series: a scan without labels;
- a CSV table with a row for each scan: path, and where there are any mask, labels, lung, artery_vein, points, patient,
  item, contrast, section_mm, pair, origin; paths are relative to the table.

One item is one scan on axes towards the head, the back and the left of the patient. The fields are in `ct_fields`.
Codes of `labels`: 0 outside, 1 lung, 2 vessel, 3 airway lumen, 4 airway wall, 5 nodule, 6 fissure, 7 opacity.

The traps of these data, and what is done about each:

1. Two kernels of one acquisition, two lungs, a scan and its slices are one patient: names lose what tells only these
   apart (left, kernelB, 1p25mm, contrast), and the split keeps patients whole. Renderings of one anatomy are one, too.
2. Padding (-2000, -3024) becomes -1024.
3. A mask whose file stores its axes in another order is turned; one on another grid is refused.
4. Labels made by rule (silver) are kept in `labels`, but `labelled` is false: they are no truth to train or score on.
5. PARSE2022 marks arteries only: they are in `artery_vein`, and `labels` is empty, for veins would be called wrong.
6. CARVE14 marks as -999 what its readers left open: not in the region that is scored. Which of its numbers 1 and 2 is
   the artery is told differently by different users; both are vessel here.
7. Vessels outside the lung are not scored: where a lung mask is given, `labels` is 0 beyond it. Where none is given,
   `lung` is empty and `labels` holds the vessels alone, until an app has found the lung.
8. VESSEL12's points say vessel or not, and no more: what is none is of kind "other".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_prep.contract import Source
from shared.errors import ConfigError

__all__ = ["SOURCE", "PulmonaryVesselConfig"]


@dataclass(frozen=True)
class PulmonaryVesselConfig:
    """How scans are dealt, and whose they are."""

    folds: int = 5
    """Number of patient-wise folds; fewer where there are fewer patients."""
    seed: int = 0
    """Deals the folds."""
    patients: Path | None = None
    """CSV with the columns item and patient, for scans whose names do not tell whose they are."""
    licence: str | None = None
    """Licence of scans and masks; by default "not stated"."""

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise ConfigError(f"folds is {self.folds}; expected at least 2.")


SOURCE = Source(
    name="pulmonary_vessel",
    title="Chest CT with pulmonary vessels: VESSEL12, PARSE2022, CARVE14, any masks or DICOM; phantoms",
    licence="as the owner of the scans says",
    prepare="data_prep.ct_set:prepare",
    config="data_prep.pulmonary_vessel:PulmonaryVesselConfig",
    synth="data_prep.synth.pulmonary_vessel:prepare",
)
