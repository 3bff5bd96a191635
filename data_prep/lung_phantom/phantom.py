"""A lung CT phantom: one made-up person, scanned, with exact labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_prep.lung_phantom.body import draw_body
from data_prep.lung_phantom.drawing import LEAST_RADIUS, stamp, tubes, visible_radius
from data_prep.lung_phantom.imaging import Scanner
from data_prep.lung_phantom.parenchyma import Parenchyma, made_parenchyma, mix
from data_prep.lung_phantom.shape import Chest, Grid, Side
from data_prep.lung_phantom.space import Bool, Field, Float32, Float64, Window, resample_linear
from data_prep.lung_phantom.vessels import Vessels, VesselTraits, made_vessels
from shared.errors import ConfigError

__all__ = ["LABELS", "Phantom", "render"]

LABELS: Mapping[str, int] = {
    "outside": 0, "lung": 1, "vessel": 2, "airway lumen": 3, "airway wall": 4, "nodule": 5, "fissure": 6, "opacity": 7,
}  # fmt: skip

_FINEST_SLICE_MM = 1.3
"""Thicker slices are drawn as several."""
_LEVEL_STEP_MM = 1.9
_TRIES, _LUNG_SHARE = 12, 0.3
"""Places tried for the window, until so much of it is lung."""
_CONTRAST_HU = 90.0
"""A vessel in tissue at most so much darker than blood is not to be seen, and not called vessel."""
_WIDE_AIRWAY_MM = 1.5
_RIM_MM, _HILUM_MM = 4.0, 42.0
"""How far outside the lung vessels are drawn, and how far about the hilum."""


@dataclass(frozen=True)
class Phantom:
    """A made-up scan; arrays are (Z,Y,X): to the head, to the back, to the patient's left."""

    ct: npt.NDArray[np.int16]
    """HU."""
    labels: npt.NDArray[np.uint8]
    """Values of LABELS; vessels and airways outside the lung are drawn but 0."""
    artery_vein: npt.NDArray[np.uint8]
    """1 artery, 2 vein, where the label is vessel."""
    centreline: Float32
    """(N, 5): z, y, x in voxels, radius in mm, kind (1 artery, 2 vein, 3 airway); what is labelled only."""
    spacing: tuple[float, float, float]
    """(z,y,x) in mm."""
    facts: Mapping[str, float | str]
    """Contrast, HU of the blood, section, kernel, noise, calibres."""


def render(
    seed: int,
    shape: tuple[int, int, int] = (128, 256, 256),
    spacing: tuple[float, float, float] = (1.0, 0.75, 0.75),
    *,
    contrast: bool | None = None,
    section_mm: float | None = None,
    noise_hu: float | None = None,
) -> Phantom:
    """Make one phantom; the same arguments give the same voxels.

    Args:
        seed: of the person and of the scan.
        shape: voxels (z,y,x); a grid smaller than the chest shows a part of it with lung.
        spacing: (z,y,x) in mm.
        contrast: blood with contrast agent; None: as it comes.
        section_mm: full width of the slice profile at half maximum; None: 0.8 to 3 mm by the distance of the slices.
        noise_hu: SD of the noise; None: 12 to 60 HU.

    Raises:
        ConfigError: a size or spacing that makes no scan.
    """
    if min(shape) < 8 or min(spacing) <= 0:
        raise ConfigError(f"A phantom of {shape} voxels of {spacing} mm: expected at least 8 voxels, each above 0 mm.")
    rng = np.random.default_rng(seed)
    chest, traits = Chest(rng), VesselTraits.drawn(rng)
    blood = _blood(rng, contrast)
    scanner = Scanner.drawn(rng, section_mm, noise_hu, spacing[0])
    window, sides = _chosen_window(rng, chest, shape, spacing)
    vessels = made_vessels(rng, chest, traits, window, sides)
    return _Rendering(rng, chest, vessels, window, sides, blood, scanner).phantom(traits)


def _blood(rng: np.random.Generator, contrast: bool | None) -> tuple[float, float]:
    """HU of the blood in arteries and in veins."""
    if rng.random() < 0.45 if contrast is None else contrast:
        return rng.uniform(140, 450), rng.uniform(110, 380)
    plain = rng.uniform(28, 58)
    return plain, plain


def _chosen_window(
    rng: np.random.Generator, chest: Chest, shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> tuple[Window, tuple[Side, ...]]:
    """Where the grid lies in the chest, and the lungs in it: one lung, unless there is room for both."""
    extent = (np.array(shape) - 1) * np.array(spacing)
    side: Side = int(rng.choice([-1, 1]))
    both = bool(extent[2] > 1.75 * chest.half_width)
    reach = np.array([0.0, chest.half_width]) * side
    across = np.array([-1.0, 1.0]) * chest.half_width if both else np.sort(reach)
    low, high = np.array([[chest.base, chest.apex], [-chest.half_depth, chest.half_depth], across]).T
    best, most = np.zeros(3), -1.0
    for _ in range(_TRIES):
        slack = 0.5 * np.maximum(high - low - extent, 0.0) + 4.0
        origin = (low + high - extent) / 2 + rng.uniform(-1, 1, 3) * slack
        share = float(np.mean(chest.inside(origin + rng.random((300, 3)) * extent, side, 0.0)))
        if share > most:
            best, most = origin, share
        if most > _LUNG_SHARE:
            break
    window = Window((best[0], best[1], best[2]), spacing, shape)
    return window, tuple(s for s in (-1, 1) if s == side or np.any(s * window.axes[2] > 10.0))


class _Rendering:
    """The steps from shapes to a phantom, on one window."""

    def __init__(
        self, rng: np.random.Generator, chest: Chest, vessels: Vessels, window: Window, sides: tuple[Side, ...],
        blood: tuple[float, float], scanner: Scanner,
    ) -> None:  # fmt: skip
        self.rng, self.chest, self.vessels, self.window, self.sides = rng, chest, vessels, window, sides
        self.blood, self.scanner = blood, scanner
        self.factor = int(np.ceil(window.spacing[0] / _FINEST_SLICE_MM))
        self.fine = window.finer(self.factor)
        self.level = self._lung_level()
        self.near = np.clip(np.maximum(self.level + np.float32(_RIM_MM), self._roots()) / 2.0, 0, 1)

    def phantom(self, traits: VesselTraits) -> Phantom:
        tissue = made_parenchyma(self.rng, self.chest, self.fine, self.level, self.sides)
        edge = np.clip(self.level / np.float32(self.window.spacing[1]) + np.float32(0.5), 0, 1)
        hu = draw_body(self.rng, self.chest, self.fine, self.blood)
        mix(hu, edge, tissue.hu)
        lumen, outer = self._draw_airways(hu)
        visible = self._draw_blood(hu, self._room())
        ct = self.scanner.scan(self.rng, hu, self.fine, self.factor)
        labels, artery_vein = self._labels(tissue, lumen, outer, visible)
        return Phantom(
            ct=np.clip(np.rint(ct), -1024, 3071).astype(np.int16),
            labels=labels,
            artery_vein=artery_vein,
            centreline=self._centreline(labels),
            spacing=self.window.spacing,
            facts=self._facts(traits),
        )

    def _lung_level(self) -> Float32:
        coarse = Grid(self.fine.coarser(_LEVEL_STEP_MM))
        level = np.full(coarse.window.shape, -60.0, np.float32)
        for side in self.sides:
            np.maximum(level, self.chest.lung(coarse, side), out=level, casting="same_kind")
        level = resample_linear(level, coarse.window, self.fine)
        rough = self.rng.uniform(0.05, 0.6)
        level += np.float32(rough) * Field(self.rng, self.rng.uniform(3.5, 8.0), self.fine.box).on(self.fine)
        return level

    def _cover(self, places: Float64, radius: Float64) -> Float32:
        """Coverage of the fine voxels by tubes."""
        cover = np.zeros(self.fine.shape, np.float32)
        stamp(cover, self.fine, places, *tubes(radius, self.fine.spacing))
        return cover

    def _draw_airways(self, hu: Float32) -> tuple[Float32, Float32]:
        """Walls, then lumens, then the mucus in some. Returns the coverage by lumens, and by them and their walls."""
        airways = self.vessels.airways
        outer = self._cover(airways.places, airways.lumen + airways.wall) * self.near
        lumen = self._cover(airways.places, airways.lumen) * self.near
        mix(hu, outer, self.rng.uniform(-40, 45))
        mix(hu, lumen, -990.0)
        plug = airways.plugged
        if plug.any():
            mix(hu, self._cover(airways.places[plug], airways.lumen[plug]) * self.near, self.rng.uniform(0, 40))
        return lumen, outer

    def _room(self) -> Float32:
        """Where vessels may be: about the lung, but not in the wide airways, on which a few of them are led."""
        airways = self.vessels.airways
        wide = airways.lumen > _WIDE_AIRWAY_MM
        return self.near * (1 - self._cover(airways.places[wide], (airways.lumen + airways.wall)[wide]))

    def _draw_blood(self, hu: Float32, room: Float32) -> Bool:
        """Draw both trees. Returns where (fine voxels) blood stands out from what was there."""
        flow = 1.0 + np.float32(0.05) * Field(self.rng, 40.0, self.fine.box).on(self.fine)
        visible = np.zeros(hu.shape, dtype=bool)
        for samples, value in ((self.vessels.veins, self.blood[1]), (self.vessels.arteries, self.blood[0])):
            cover = self._cover(samples.places, samples.radius)
            visible |= (value - hu > _CONTRAST_HU) & (cover > 0) & (room > 0.5)
            mix(hu, cover * room, np.float32(value) * flow)
        return visible

    def _roots(self) -> Float32:
        """Level of the room about the trachea and the roots of the lungs, where tubes are drawn outside the lung."""
        z, y, x = self.fine.mesh
        root = np.float32(_HILUM_MM) - np.sqrt((z + 8.0) ** 2 + (y - 4.0) ** 2 + (np.abs(x) - 20.0) ** 2)
        return np.maximum(root, np.minimum(z, np.float32(35.0) - np.hypot(y - 8.0, x)))

    def _labels(
        self, tissue: Parenchyma, lumen: Float32, outer: Float32, visible: Bool
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        lung = self._thick(self.level) > 0
        labels = lung.astype(np.uint8)
        vein, artery = (self._support(s.places, s.radius) for s in (self.vessels.veins, self.vessels.arteries))
        seen = self._thick(visible.astype(np.float32)) >= 0.5
        vessel = (np.maximum(vein, artery) >= 0.5) & seen & lung
        for name, where in (
            ("opacity", self._thick(tissue.opacity) > 0.5),
            ("fissure", self._thick(tissue.fissure) >= 0.5),
            ("nodule", self._thick(tissue.nodule) > 0.5),
            ("airway wall", self._thick(outer) >= 0.5),
            ("airway lumen", self._thick(lumen) >= 0.5),
            ("vessel", vessel),
        ):
            labels[where & lung] = LABELS[name]
        return labels, np.where(vessel, np.where(artery >= vein, 1, 2), 0).astype(np.uint8)

    def _thick(self, values: Float32) -> Float32:
        """Mean of the fine slices in each slice of the scan."""
        if self.factor == 1:
            return values
        return values.reshape(self.window.shape[0], self.factor, *self.window.shape[1:]).mean(axis=1)

    @property
    def _thinnest(self) -> float:
        """Radius in mm of the thinnest vessel that is labelled."""
        z, y, _ = self.window.spacing
        return visible_radius(max(self.scanner.fwhm_mm, y), max(self.scanner.section_mm, z))

    def _support(self, places: Float64, radius: Float64) -> Float32:
        """Coverage of the scan's voxels by the vessels that can be seen, none thinner than about a voxel."""
        canvas = np.zeros(self.window.shape, np.float32)
        seen = radius >= self._thinnest
        radii = np.maximum(radius[seen, None], LEAST_RADIUS * np.array(self.window.spacing))
        stamp(canvas, self.window, places[seen], radii)
        return canvas

    def _centreline(self, labels: npt.NDArray[np.uint8]) -> Float32:
        """Middle lines of what is labelled, arteries first."""
        lines = []
        parts = (
            (self.vessels.arteries.places, self.vessels.arteries.radius, 1, self._thinnest, "vessel"),
            (self.vessels.veins.places, self.vessels.veins.radius, 2, self._thinnest, "vessel"),
            (self.vessels.airways.places, self.vessels.airways.lumen, 3, 0.0, "airway lumen"),
        )
        for places, radius, kind, thinnest, name in parts:
            chosen = self.window.holds(places) & (radius >= thinnest)
            index = self.window.index(places[chosen])
            labelled = labels[tuple(np.rint(index).astype(np.intp).T)] == LABELS[name]
            line = np.column_stack([index, radius[chosen], np.full(len(index), kind)])[labelled]
            lines.append(line.astype(np.float32))
        return np.concatenate(lines)

    def _facts(self, traits: VesselTraits) -> Mapping[str, float | str]:
        """What a table of phantoms says about one."""
        return {
            "contrast": "contrast" if self.blood[0] > 100 else "plain",
            "artery_hu": round(self.blood[0], 1),
            "vein_hu": round(self.blood[1], 1),
            "section_mm": round(self.scanner.section_mm, 3),
            "fwhm_mm": round(self.scanner.fwhm_mm, 3),
            "edge": round(self.scanner.edge, 3),
            "noise_hu": round(self.scanner.noise_hu, 2),
            "thinnest_mm": round(self._thinnest, 3),
            "tips": float(traits.tips),
        }
