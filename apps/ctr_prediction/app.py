"""What this app is, in one declaration."""

from __future__ import annotations

from shared.contract import App, Verb, training_verbs

__all__ = ["APP"]

_USE = "apps.ctr_prediction.verb_config"

APP = App(
    package="apps.ctr_prediction",
    title="Click probability of an ad impression",
    predictor="apps.ctr_prediction.predict:ClickPredictor",
    experiment="apps.ctr_prediction.train:ClickExperiment",
    verbs={
        **training_verbs("apps.ctr_prediction.config"),
        "compare": Verb(
            "apps.ctr_prediction.comparison.compare:compare",
            f"{_USE}:CompareConfig",
            "train several recipes and score them, and the classical models, on the same held-out rows",
        ),
        "predict": Verb(
            "apps.ctr_prediction.predict:predict", f"{_USE}:PredictConfig", "answer for the rows of logs", ("files",)
        ),
        "score": Verb(
            "apps.ctr_prediction.scoring_ray:score",
            f"{_USE}:ScoreConfig",
            "answer for parquet logs of any size on Ray Data (extra `scale`)",
            ("files",),
        ),
        "update": Verb(
            "apps.ctr_prediction.update:update",
            f"{_USE}:UpdateConfig",
            "learn on from logs whose clicks are known, in one pass",
            ("files",),
        ),
    },
    primary_metric="AUC",
    scored_unit="impression",
    resampling_unit="block",
    baselines=("XGBoost on target rates", "GBDT + LR", "LR-FTRL", "LR-FTRL with crosses", "constant rate by group"),
    onnx_core="ids (batch, columns) int64, dense (batch, numbers) float32, for each multi-valued field a bag (batch, "
    "longest) int64 -> logit of a click (batch,)",
    causal_state=None,
    presets=("best", "best_notags", "paper", "smoke"),
    demo="apps.ctr_prediction.demo:demo",
)
