"""What this app is, in one declaration."""

from __future__ import annotations

from shared.contract import App, Verb, training_verbs

__all__ = ["APP"]

_TRAINING = "apps.ecg_shock.config"
_USE = "apps.ecg_shock.verb_config"
_DETECTORS = ("slope_median", "psr", "mav", "hilb", "tcsc", "leakage", "spec_a2", "count2", "sample_entropy", "tci")
"""Features whose threshold alone is measured beside the network: the field's single detectors."""

APP = App(
    package="apps.ecg_shock",
    title="Shock advice from 2-10 s of one-lead ECG, as an automated defibrillator gives it",
    predictor="apps.ecg_shock.predict:ShockAdvisor",
    experiment="apps.ecg_shock.train:ShockExperiment",
    verbs={
        **training_verbs(_TRAINING),
        "search": Verb(
            "apps.ecg_shock.paper_search.search:search",
            f"{_TRAINING}:SearchConfig",
            "the paper's search: architectures, learning rates, durations",
        ),
        "stress": Verb(
            "apps.ecg_shock.robustness.stress:stress",
            f"{_USE}:StressConfig",
            "ask a cross-validation's networks about shortened, lengthened and disturbed windows",
            ("grid",),
        ),
        "tried": Verb(
            "apps.ecg_shock.report.tried:tried",
            f"{_USE}:TriedConfig",
            "put cross-validations of several recipes side by side",
            ("grids",),
        ),
        "predict": Verb("apps.ecg_shock.predict:predict", f"{_USE}:PredictConfig", "advise on recordings", ("files",)),
        "watch": Verb(
            "apps.ecg_shock.watch:watch",
            f"{_USE}:WatchConfig",
            "advise on a recording as it comes in: standing advice and its changes",
            ("file",),
        ),
        "export": Verb(
            "apps.ecg_shock.export:export",
            "shared.verb_config:ExportConfig",
            "write the network as ONNX (.onnx), or the model as an int8 C header (.h)",
        ),
    },
    demo="apps.ecg_shock.demo:demo",
    primary_metric="balanced accuracy",
    scored_unit="window",
    resampling_unit="patient",
    baselines=(
        "XGBoost",
        "random forest",
        "SVM (RBF)",
        "logistic regression",
        "decision tree",
        *(f"threshold on {detector}" for detector in _DETECTORS),
    ),
    batch_tolerance=1e-5,
    presets=("best", "paper", "smoke"),
    onnx_core="ecg (batch, 1, samples) float32, preprocessed, mV at 125 Hz -> logit (batch,), features (batch, F) and, "
    "where the network has it, noise (batch,), float32",
    causal_state="the raw samples from the next window's beginning on, and what the last `confirm` windows said",
)
