"""What this app is, in one declaration."""

from __future__ import annotations

from shared.contract import App, Verb, training_verbs

__all__ = ["APP"]

_USE = "apps.pulmonary_vessel.verb_config"

APP = App(
    package="apps.pulmonary_vessel",
    title="Pulmonary vessels in chest CT",
    predictor="apps.pulmonary_vessel.predict:VesselSegmenter",
    experiment="apps.pulmonary_vessel.train:VesselExperiment",
    verbs={
        **training_verbs("apps.pulmonary_vessel.config"),
        "compare": Verb(
            "apps.pulmonary_vessel.compare:compare",
            f"{_USE}:CompareConfig",
            "put runs of several recipes, scored on the same scans, side by side",
            ("runs",),
        ),
        "predict": Verb(
            "apps.pulmonary_vessel.predict:predict",
            f"{_USE}:PredictConfig",
            "segment scans: DICOM folders, NIfTI, MetaImage, NRRD",
            ("files",),
        ),
        "report": Verb(
            "apps.pulmonary_vessel.scan_report:report",
            f"{_USE}:ReportConfig",
            "vessel volumes by calibre, picture, surface and slices of one scan",
            ("scan",),
        ),
        "score": Verb(
            "apps.pulmonary_vessel.score:score",
            f"{_USE}:ScoreConfig",
            "measure any mask file, whoever made it, against a reference",
            ("mask", "reference"),
        ),
    },
    demo="apps.pulmonary_vessel.demo:demo",
    primary_metric="mean Dice",
    scored_unit="scan, in counts of voxels inside the lung at the model's own threshold",
    resampling_unit="patient",
    baselines=("xgboost", "random_forest", "logistic_regression", "jerman", "sato", "frangi", "threshold"),
    onnx_core="scan (1, 1, z, y, x) float32, HU cut to -1024 .. 600, plus 400, over 600, voxels of about "
    "1.0 x 0.75 x 0.75 mm, sizes as the network's strides need them -> logits (1, outputs, z, y, x), vessel first",
    causal_state=None,
    presets=("best", "paper", "smoke"),
)
