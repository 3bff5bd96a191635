"""Settings of the verbs that do not train. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.errors import ConfigError

__all__ = ["CompareConfig", "PredictConfig", "ReportConfig", "ScanConfig", "ScoreConfig"]


@dataclass(frozen=True, kw_only=True)
class ScanConfig:
    """What may be said of a scan that is segmented."""

    model: str | None = None
    """Name of a shipped model, or a run or model folder; by default the app's best."""
    lung_mask: Path | None = None
    """Mask of the lungs on the scan's grid; by default the lungs are found."""
    spacing: tuple[float, float, float] | None = None
    """Voxel size z, y, x in mm; for .npy files, which do not carry it."""
    threshold: float | None = None
    """Probability from which a voxel is called vessel; by default the model's."""


@dataclass(frozen=True, kw_only=True)
class PredictConfig(ScanConfig):
    """Settings of `predict`."""

    files: tuple[Path, ...]
    """Folders of DICOM files, any file of a series, or files .nii, .nii.gz, .mha, .mhd, .nrrd, .npy."""
    out: Path | None = None
    """Mask file to write, or of several scans the folder for them; by default none is written."""
    structures: bool = False
    """Write what the model tells apart instead of a mask: 1 vessel, 2 artery, 3 vein, 4 airway."""
    json: bool = False
    """Print one JSON object a line instead of text."""

    def __post_init__(self) -> None:
        if self.lung_mask is not None and len(self.files) > 1:
            raise ConfigError(f"--lung_mask belongs to one scan; found {len(self.files)} scans.")


@dataclass(frozen=True, kw_only=True)
class ReportConfig(ScanConfig):
    """Settings of `report`."""

    scan: Path
    """Folder of DICOM files, any file of a series, or a file .nii, .nii.gz, .mha, .mhd, .nrrd, .npy."""
    out: Path
    """Folder for page, numbers, picture and surface."""
    mask: Path | None = None
    """Vessel mask to report on, whoever made it; by default the model makes one."""
    origin: Literal["real", "phantom", "rendering"] = "real"
    """What kind of scan it is; the page says so."""


@dataclass(frozen=True, kw_only=True)
class ScoreConfig:
    """Settings of `score`."""

    mask: Path
    """Mask to score: .nii, .nii.gz, .mha, .mhd, .nrrd."""
    reference: Path
    """What is true, on the same grid: a mask of vessels, or a map of codes."""
    holds: Literal["mask", "codes"] = "mask"
    """Whether the reference is a mask (not 0 is vessel) or has codes: 0 outside the lung, 1 lung, 2 vessel, 3 airway
    lumen, 4 airway wall, 5 nodule, 6 fissure, 7 opacity."""
    lung: Path | None = None
    """Mask of the region that is scored; by default the codes above 0, or with a mask as reference the whole scan."""
    vessel: tuple[int, ...] = ()
    """Numbers in the mask that mean vessel, such as [1,2] where it tells arteries and veins; by default all but 0."""
    out: Path | None = None
    """JSON file for the scores and the counts they come from; they are printed anyway."""


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """Settings of `compare`."""

    runs: tuple[Path, ...]
    """Run folders that `evaluate` has scored on the same scans; the first is what the others are compared with."""
    out: Path
    """JSON file to write, from which a README takes its tables."""
    picture: Path | None = None
    """PNG to write as well: where each run is right and wrong on one scan, side by side."""
    scan: str | None = None
    """Item to draw in it; by default the one on which the runs differ most in Dice."""
