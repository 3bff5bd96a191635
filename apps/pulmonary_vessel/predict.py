"""The importable predictor and the `predict` verb."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from apps.pulmonary_vessel import inference
from apps.pulmonary_vessel.cleaning import vessel_mask
from apps.pulmonary_vessel.cleaning_config import CleaningConfig
from apps.pulmonary_vessel.inference_config import InferenceConfig
from apps.pulmonary_vessel.lung_mask import LungMask, find_lungs, number_lungs
from apps.pulmonary_vessel.model import build_network
from apps.pulmonary_vessel.networks.network_config import NetworkConfig
from apps.pulmonary_vessel.results import VesselSegmentation, structures, volumes_ml
from apps.pulmonary_vessel.scan_source import Source, read_mask, read_scan
from apps.pulmonary_vessel.verb_config import PredictConfig
from shared.card import Card
from shared.contract import App
from shared.errors import ConfigError, InputError
from shared.export import DynamicAxes
from shared.formats.volume import SUFFIXES, Volume
from shared.predictor import Predictor
from shared.pretrained import Arrays

__all__ = ["VesselSegmenter", "predict"]

Spacing = tuple[float, float, float]
LUNG_MASK = "The lung mask"
ENDINGS = (*sorted(SUFFIXES, key=len, reverse=True), ".npy", ".dcm")
"""Of files; a dot in the name of a folder is part of it."""


class VesselSegmenter(Predictor):
    """Pulmonary vessels in chest CT, inside the lungs. Not a medical device.

    The lungs are found without weights, or given. The network is led over their box, window by window; what reaches the
    threshold is vessel, without small pieces. A scan in which no lung is found is answered "undecided".
    """

    app: ClassVar[str] = "apps.pulmonary_vessel"
    input_names = ("scan",)
    output_names = ("logits",)
    dynamic_axes: DynamicAxes = MappingProxyType({"scan": {2: "slices", 3: "rows", 4: "columns"}})

    def __init__(self, card: Card, network: nn.Module, *, arrays: Arrays | None = None) -> None:
        super().__init__(card, network, arrays=arrays)
        self.config = _network_config(card)
        self.inference = InferenceConfig(**_tuples(card.input["inference"]))
        self.cleaning = CleaningConfig(**card.output["cleaning"])
        self.threshold = 0.5 if card.threshold is None else card.threshold

    @classmethod
    def build(cls, card: Card) -> nn.Module:
        """The network that the card describes."""
        return build_network(_network_config(card))

    def example(self) -> tuple[Tensor, ...]:
        """One small window: two voxels a side at the coarsest resolution, which instance norms need."""
        return (torch.randn(1, 1, *(max(4, 2 * factor) for factor in self.config.factor)),)

    def predict(
        self,
        scan: Source,
        *,
        spacing: Sequence[float] | None = None,
        lung_mask: Source | None = None,
        threshold: float | None = None,
        return_probability: bool = False,
        return_structures: bool = False,
    ) -> VesselSegmentation:
        """Segment one scan.

        Args:
            scan: folder of DICOM files, any file of a series, NIfTI, MetaImage or NRRD file, image of SimpleITK; or
                array of HU (z, y, x) towards head, back and left, or a .npy file of one.
            spacing: z, y, x in mm; needed for arrays, which do not carry it.
            lung_mask: of the same kinds, on the scan's grid, not 0 in the lungs; by default they are found.
            threshold: probability from which a voxel is vessel, 0 to 1; by default the card's.
            return_probability: keep the probability of each voxel too, four times the memory of the mask.
            return_structures: also tell apart what the model was trained to: airways, arteries, veins.

        Raises:
            ConfigError: structures are asked of a model that knows vessels only.
            InputError: no scan in form: damaged, NaN or infinity, no voxel size, missing slices, several series, a lung
                mask on another grid, or an argument of the wrong kind.
        """
        limit = self._limit(threshold)
        if return_structures:
            self._check_structures()
        volume = read_scan(scan, spacing)
        given = None if lung_mask is None else read_mask(lung_mask, volume, LUNG_MASK)
        return self.segment(volume, given, limit, return_probability, return_structures)

    def segment(
        self,
        volume: Volume,
        lung: npt.NDArray[np.bool_] | None,
        threshold: float,
        return_probability: bool = False,
        return_structures: bool = False,
    ) -> VesselSegmentation:
        """Segment a scan that has been read.

        Args:
            volume: as `read_scan` gives it.
            lung: on its grid, or None to find them.
            threshold: probability from which a voxel is vessel.
            return_probability: keep the probability too.
            return_structures: tell structures apart too.
        """
        grid = volume.geometry
        step = grid.standard_spacing
        hu = np.ascontiguousarray(grid.to_standard(volume.hu))
        lungs = find_lungs(hu, step) if lung is None else number_lungs(grid.to_standard(lung), step)
        shown = self.config.outputs if return_structures else self.config.outputs[:1]
        outputs = self._outputs_in(hu, lungs, step, len(shown))
        voxel_mm3 = float(np.prod(step))
        mask = vessel_mask(outputs[0], lungs.mask, threshold, voxel_mm3, self.cleaning)

        def turned(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.ascontiguousarray(grid.from_standard(array))

        return VesselSegmentation(
            status="ok" if lungs.reason is None else "undecided",
            reason=lungs.reason,
            model=self.card.label,
            mask=turned(mask),
            lung=turned(lungs.mask),
            probability=turned(outputs[0]) if return_probability else None,
            structures=turned(structures(mask, dict(zip(shown, outputs, strict=True)))) if return_structures else None,
            threshold=threshold,
            spacing_mm=grid.spacing_zyx,
            origin_mm=grid.origin,
            direction=grid.direction,
            volumes_ml=volumes_ml(mask, lungs.mask, voxel_mm3 / 1000),
        )

    def probability(self, hu: npt.NDArray[Any], spacing: Spacing, lung: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Probability of vessel.

        Args:
            hu: (z, y, x) HU on axes towards head, back and left.
            spacing: mm along z, y, x.
            lung: the same grid, above 0 in the lung.

        Returns:
            float32 on the same grid, 0 outside the lung.
        """
        return self._outputs(hu, spacing, lung, 1)[0]

    def _outputs(
        self, hu: npt.NDArray[Any], spacing: Spacing, lung: npt.NDArray[Any], count: int
    ) -> npt.NDArray[np.float32]:
        """(count, z, y, x) probability of the first outputs of the network."""
        return inference.probability(
            lambda window: self.network(window)[:, :count],
            hu,
            spacing,
            lung,
            factor=self.config.factor,
            outputs=count,
            config=self.inference,
            device=self.device,
        )

    def _outputs_in(
        self, hu: npt.NDArray[Any], lungs: LungMask, spacing: Spacing, count: int
    ) -> npt.NDArray[np.float32]:
        if lungs.reason is not None:
            return np.zeros((count, *hu.shape), dtype=np.float32)
        return self._outputs(hu, spacing, lungs.mask, count)

    def _check_structures(self) -> None:
        if len(self.config.outputs) == 1:
            raise ConfigError(f"{self.card.label} tells vessels only: no structures can be told apart.")

    def _limit(self, threshold: Any) -> float:
        if threshold is None:
            return self.threshold
        number = isinstance(threshold, int | float | np.floating) and not isinstance(threshold, bool)
        if not number or not 0 <= threshold <= 1:
            raise InputError(f"The threshold is a probability from 0 to 1; found {threshold!r}.")
        return float(threshold)


def _network_config(card: Card) -> NetworkConfig:
    return NetworkConfig(**_tuples(card.network))


def _tuples(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a card holds them, with the tuples that JSON made lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}


def predict(app: App, config: PredictConfig) -> None:
    """The `predict` verb: one line, or one JSON object, for each scan, and masks where they are asked for."""
    del app
    targets = list(_targets(config.files, config.out))
    predictor = VesselSegmenter.from_pretrained(config.model)
    for path, target in zip(config.files, targets, strict=True):
        answer = predictor.predict(
            path,
            spacing=config.spacing,
            lung_mask=config.lung_mask,
            threshold=config.threshold,
            return_structures=config.structures,
        )
        if target is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            answer.save(target)
        written = {} if target is None else {"mask": str(target)}
        if config.json:
            print(json.dumps({"file": str(path), **answer.to_dict(), **written}))
        else:
            print(_as_line(path, answer, target))


def _as_line(path: Path, answer: VesselSegmentation, target: Path | None) -> str:
    volumes = answer.volumes_ml
    told = f"vessels {volumes['vessel']:.1f} mL in {volumes['lung']:.0f} mL of lung"
    doubt = f"undecided: {answer.reason}" if answer.reason else told
    return "  ".join([str(path), doubt, *([f"mask: {target}"] if target else [])])


def _targets(files: Sequence[Path], out: Path | None) -> Iterator[Path | None]:
    """Where the mask of each scan goes. Raises InputError where two would have one name."""
    if out is None or (len(files) == 1 and out.name.lower().endswith(SUFFIXES)):
        yield from [out] * len(files)
        return
    seen: dict[Path, Path] = {}
    for path in files:
        target = out / f"{scan_name(path)}_vessels.nii.gz"
        if target in seen:
            raise InputError(f"The masks of {seen[target]} and {path} would both be {target}: segment them apart.")
        seen[target] = path
        yield target


def scan_name(path: Path) -> str:
    """The name of a scan's file or folder without its ending."""
    name = path.resolve().name
    endings = (end for end in ENDINGS if name.lower().endswith(end))
    return name[: -len(next(endings, "")) or None]
