"""Ways in which the axes of a volume lie in the patient: columns are the unit vectors of x, y and z."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

_TILTED = Rotation.from_euler("xyz", (12.0, -17.0, 23.0), degrees=True).as_matrix()

TURNS = {
    "as usual": np.eye(3),
    "oblique": _TILTED,
    "flipped z": np.diag([1.0, 1.0, -1.0]),
    "oblique, flipped z": _TILTED @ np.diag([1.0, 1.0, -1.0]),
    "sagittal": np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
}
