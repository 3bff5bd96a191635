"""The `export` verb: the network as ONNX, or the model as a C header; the suffix of the file chooses."""

from __future__ import annotations

from pathlib import Path

import torch

from apps.ecg_shock.c_code.c_header import write_header
from apps.ecg_shock.c_code.quantise import dequantised, quantised
from apps.ecg_shock.data import preprocess
from apps.ecg_shock.predict import WINDOW_S, ShockAdvisor
from apps.ecg_shock.window import read_window
from shared import verbs
from shared.contract import App
from shared.errors import ConfigError
from shared.verb_config import ExportConfig

__all__ = ["export"]


def export(app: App, config: ExportConfig) -> None:
    """Write `config.out`.

    Raises:
        ConfigError: its suffix is neither .onnx nor .h, or the model cannot be written in that form.
    """
    suffix = config.out.suffix.lower()
    if suffix == ".onnx":
        verbs.export(app, config)
    elif suffix == ".h":
        _export_header(config)
    else:
        raise ConfigError(f"--out {config.out}: give a file that ends in .onnx (ONNX) or .h (int8 C header).")


def _export_header(config: ExportConfig) -> None:
    advisor = ShockAdvisor.from_pretrained(config.model)
    write_header(advisor, config.out)
    n_bytes = sum(layer.n_bytes for layer in quantised(advisor.network))
    print(
        f"{config.out}: {advisor.card.label} in C99, {n_bytes} bytes of int8 weights with their scales; largest "
        f"difference to torch {_loss(advisor):.2g} in the logits of the sample recordings"
    )


def _loss(advisor: ShockAdvisor) -> float:
    """The largest difference that int8 makes to a logit, on windows of the recordings that come with the app."""
    recordings = [read_window(path) for path in sorted((Path(__file__).parent / "samples").glob("*.hea"))]
    windows = [window for recording in recordings for window in recording.cut(WINDOW_S, WINDOW_S)]
    ecg = torch.stack([torch.from_numpy(preprocess(window.ecg, window.sampling_rate))[None] for window in windows])
    with torch.inference_mode():
        logit, small = (network(ecg)[0] for network in (advisor.network, dequantised(advisor.network)))
    return float((logit - small).abs().max())
