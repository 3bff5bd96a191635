"""Makes the sample scan of pulmonary_vessel again: `python -m data_prep.ct_samples [FOLDER]`.

A phantom: no scan of a patient with a free licence and voxel-wise labels is known.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from data_prep.lung_phantom.phantom import render
from shared.formats.volume import Geometry, write_volume

__all__ = ["main", "make_samples"]

FOLDER = Path(__file__).resolve().parents[1] / "apps" / "pulmonary_vessel" / "samples"
SEED = 1_000_000_001
"""Above those of every prepared set."""
SHAPE, SPACING_MM = (56, 120, 120), (1.5, 0.85, 0.85)


def make_samples(folder: Path) -> None:
    """Write phantom.nrrd and phantom_labels.nrrd."""
    phantom = render(SEED, SHAPE, SPACING_MM, contrast=False, section_mm=1.5, noise_hu=25.0)
    grid = Geometry.of_array(SHAPE, SPACING_MM)
    write_volume(folder / "phantom.nrrd", phantom.ct, grid)
    write_volume(folder / "phantom_labels.nrrd", phantom.labels, grid)


def main(words: Sequence[str]) -> None:
    """Write the samples into the folder named, or in place."""
    folder = Path(words[0]) if words else FOLDER
    make_samples(folder)
    print(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
