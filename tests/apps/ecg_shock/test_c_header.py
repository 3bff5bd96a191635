"""The C header, compiled here, against the network it was made from."""

from __future__ import annotations

import contextlib
import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from apps.ecg_shock import ShockAdvisor
from apps.ecg_shock.amplitude import ASYSTOLE_MV, amplitude_mv
from apps.ecg_shock.app import APP
from apps.ecg_shock.c_code.c_header import render_header, write_header
from apps.ecg_shock.c_code.quantise import dequantised, quantised
from apps.ecg_shock.data import preprocess
from apps.ecg_shock.export import export
from apps.ecg_shock.model import ShockNet
from apps.ecg_shock.residual import ResidualNet
from apps.ecg_shock.window import read_window
from shared.abstention import Abstention, Evidence, FarFromTraining, ProbabilityBand, Rule, Unreadable, UnsureClass
from shared.calibrate import Isotonic, Platt
from shared.card import Card
from shared.errors import ConfigError
from shared.verb_config import ExportConfig

SAMPLES = Path(__file__).parents[3] / "apps" / "ecg_shock" / "samples"
LENGTHS = (250, 625, 777, 1250)
COMPILER = shutil.which("cc")
WARNINGS = ("-std=c99", "-O2", "-pedantic", "-Wall", "-Wextra", "-Wdouble-promotion", "-Werror")
WRAPPER = """
#include "shock.h"
int filter(const float *raw, int samples, float *filtered) { return shock_filter(raw, samples, filtered); }
float logit(const float *ecg, int samples, float *scratch, float *noise_logit)
{
    return shock_logit(ecg, samples, scratch, noise_logit);
}
float probability(float logit) { return shock_probability(logit); }
float amplitude(const float *raw, int samples, float *scratch) { return shock_amplitude(raw, samples, scratch); }
int advice(float size, float logit, float noise_logit) { return shock_advice(size, logit, noise_logit); }
int scratch_floats(int samples) { return SHOCK_SCRATCH_FLOATS(samples); }
int weight_bytes(void) { return SHOCK_WEIGHT_BYTES; }
"""
GUARD = 12345.0

FloatArray = npt.NDArray[np.float32]
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler (cc) on this machine")


class CompiledHeader:
    """A header as a C program sees it."""

    def __init__(self, advisor: ShockAdvisor, folder: Path) -> None:
        write_header(advisor, folder / "shock.h")
        (folder / "wrapper.c").write_text(WRAPPER)
        compile_c(folder, "wrapper.c", "-shared", "-fPIC", "-o", "shock.so", "-lm")
        self.library = ctypes.CDLL(str(folder / "shock.so"))
        for name in ("logit", "probability", "amplitude"):
            getattr(self.library, name).restype = ctypes.c_float

    def filter(self, raw: FloatArray) -> tuple[int, FloatArray]:
        filtered = np.zeros_like(raw)
        return self.library.filter(_pointer(raw), len(raw), _pointer(filtered)), filtered

    def logits(self, ecg: FloatArray) -> tuple[float, float]:
        """Of "shock" and of "cannot be read"."""
        noise = ctypes.c_float()
        with self.scratch(len(ecg)) as scratch:
            logit = self.library.logit(_pointer(ecg), len(ecg), _pointer(scratch), ctypes.byref(noise))
        return logit, noise.value

    def amplitude(self, raw: FloatArray) -> float:
        with self.scratch(len(raw)) as scratch:
            return self.library.amplitude(_pointer(raw), len(raw), _pointer(scratch))

    @contextlib.contextmanager
    def scratch(self, samples: int) -> Iterator[FloatArray]:
        """A scratch buffer beyond whose announced size nothing may be written."""
        size = self.library.scratch_floats(samples)
        buffer = np.full(size + 64, GUARD, dtype=np.float32)
        yield buffer
        assert (buffer[size:] == GUARD).all()

    def probability(self, logit: float) -> float:
        return self.library.probability(ctypes.c_float(logit))

    def advice(self, logit: float, noise_logit: float = -20.0, amplitude_mv: float = 1.0) -> int:
        return self.library.advice(*map(ctypes.c_float, (amplitude_mv, logit, noise_logit)))


def _pointer(values: FloatArray) -> ctypes.Array[ctypes.c_float]:
    assert values.dtype == np.float32
    assert values.flags.c_contiguous
    return values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))


def compile_c(folder: Path, *words: str) -> None:
    assert COMPILER is not None
    done = subprocess.run([COMPILER, *WARNINGS, *words], cwd=folder, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr


def untrained(network: nn.Module) -> ShockAdvisor:
    """An advisor around a network whose normalisations are no identities."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            for tensor, low, high in (
                (module.running_mean, -0.5, 0.5), (module.running_var, 0.3, 2.0), (module.weight, -1.5, 1.5),
                (module.bias, -0.5, 0.5),
            ):  # fmt: skip
                nn.init.uniform_(tensor, low, high)
    rules = [ProbabilityBand(0.15, 0.83), *([] if isinstance(network, ShockNet) else [Unreadable(0.6)])]
    title = "*/ words that no comment may end by /* or begin"
    card = Card(
        app="apps.ecg_shock", name='un"trained', title=title, threshold=0.4, abstention=Abstention(rules).to_dict()
    )
    return ShockAdvisor(card, network)


def paper_like() -> nn.Module:
    """Seven blocks with even and odd kernels, the last longer than the signal it reads."""
    return ShockNet(filters=(6, 5, 9, 4, 8, 7, 3), kernels=(10, 7, 5, 6, 12, 9, 100))


ADVISORS: dict[str, Callable[[], ShockAdvisor]] = {
    **{name: lambda name=name: ShockAdvisor.from_pretrained(name) for name in ShockAdvisor.available()},
    "one block": lambda: untrained(ShockNet(filters=(4,), kernels=(11,))),
    "seven blocks": lambda: untrained(paper_like()),
    "residual": lambda: untrained(ResidualNet((16, 24, 32, 36, 40), (15, 7, 7, 5, 5))),
    "deep residual": lambda: untrained(ResidualNet((5, 3, 7, 7, 2, 9, 4), (3, 1, 5, 3, 9, 3, 7))),
}


@pytest.fixture(scope="module", params=ADVISORS)
def advisor(request: pytest.FixtureRequest) -> ShockAdvisor:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ADVISORS[request.param]()


@pytest.fixture(scope="module")
def compiled(advisor: ShockAdvisor, tmp_path_factory: pytest.TempPathFactory) -> CompiledHeader:
    return CompiledHeader(advisor, tmp_path_factory.mktemp("c"))


def sample_windows(samples: int, step: int) -> list[FloatArray]:
    """Preprocessed windows out of every lead of the sample recordings."""
    windows = []
    for path in sorted(SAMPLES.glob("*.hea")):
        for lead in range(int(path.read_text().split()[1])):
            whole = read_window(path, lead=lead)
            cuts = whole.cut(samples / 125, step / 125)
            windows += [preprocess(cut.ecg, cut.sampling_rate) for cut in cuts]
    return windows


def varied_windows(samples: int) -> list[FloatArray]:
    """Real ECG, noise of several sizes, and lines without any rhythm."""
    rng = np.random.default_rng(samples)
    noise = [rng.normal(0, size, samples).astype(np.float32) for size in (0.01, 1.0, 30.0)]
    spike = np.zeros(samples, dtype=np.float32)
    spike[samples // 3] = 40
    return [*sample_windows(samples, 1250), *noise, spike, np.zeros(samples, dtype=np.float32)]


def answers(network: nn.Module, windows: list[FloatArray]) -> npt.NDArray[np.float32]:
    """(windows, 1 or 2) logits of "shock", and of "cannot be read" where the network has it; windows of one length."""
    with torch.inference_mode():
        logit, _, *noise = network.eval()(torch.from_numpy(np.stack(windows))[:, None])
    return torch.stack([logit, *noise], dim=1).numpy()


@needs_compiler
@pytest.mark.parametrize("samples", LENGTHS)
def test_c_answers_as_the_int8_network_does(advisor: ShockAdvisor, compiled: CompiledHeader, samples: int) -> None:
    windows = varied_windows(samples)
    expected = answers(dequantised(advisor.network), windows)
    found = np.array([compiled.logits(ecg) for ecg in windows])[:, : expected.shape[1]]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@needs_compiler
def test_network_without_an_answer_for_noise_gives_none(advisor: ShockAdvisor, compiled: CompiledHeader) -> None:
    noise_logit = compiled.logits(np.ones(625, dtype=np.float32))[1]
    assert np.isnan(noise_logit) == isinstance(advisor.network, ShockNet)


@needs_compiler
@pytest.mark.parametrize("samples", [0, 249, 1251])
def test_other_lengths_are_refused(compiled: CompiledHeader, samples: int) -> None:
    ecg = np.ones(samples, dtype=np.float32)
    assert np.isnan(compiled.logits(ecg)).all()
    assert np.isnan(compiled.amplitude(ecg))
    assert compiled.filter(ecg)[0] == -1


@needs_compiler
@pytest.mark.parametrize("samples", LENGTHS)
def test_filter_is_that_of_the_predictor(compiled: CompiledHeader, samples: int) -> None:
    raw = (5 + np.random.default_rng(0).normal(0, 1, samples).cumsum() / 10).astype(np.float32)
    state, filtered = compiled.filter(raw)
    assert state == 0
    np.testing.assert_allclose(filtered, preprocess(raw, 125), rtol=1e-6, atol=1e-7)


@needs_compiler
def test_filter_may_write_where_it_reads(compiled: CompiledHeader) -> None:
    raw = np.random.default_rng(1).normal(0, 1, 625).astype(np.float32)
    expected = compiled.filter(raw)[1]
    compiled.library.filter(_pointer(raw), len(raw), _pointer(raw))
    np.testing.assert_array_equal(raw, expected)


@needs_compiler
@pytest.mark.parametrize("samples", LENGTHS)
def test_amplitude_is_that_of_the_predictor(compiled: CompiledHeader, samples: int) -> None:
    rng = np.random.default_rng(samples)
    for size in (0.0, 0.02, 0.2, 2.0):
        raw = 3 + np.linspace(0, 1, samples) + size * np.sin(np.arange(samples) / 4) + rng.normal(0, size / 5, samples)
        raw[samples // 2] += 1  # a click
        raw = raw.astype(np.float32)
        assert compiled.amplitude(raw) == pytest.approx(amplitude_mv(raw, 125), abs=1e-5)


@needs_compiler
def test_asystole_gets_no_shock_whatever_the_network_says(compiled: CompiledHeader) -> None:
    for logit in (-20.0, 0.0, 20.0):
        assert compiled.advice(logit, noise_logit=20.0, amplitude_mv=ASYSTOLE_MV * 0.999) == 0
    assert compiled.advice(20.0, amplitude_mv=ASYSTOLE_MV * 1.001) == 1


@needs_compiler
def test_calibration_and_rules_are_those_of_the_card(advisor: ShockAdvisor, compiled: CompiledHeader) -> None:
    logits, noise_logits = (axis.ravel() for axis in np.meshgrid(np.linspace(-12, 12, 49), np.linspace(-5, 5, 11)))
    probability = advisor.calibrator(logits)
    evidence = Evidence(probability, np.zeros(len(logits)), 1 / (1 + np.exp(-noise_logits)))
    reasons = advisor.abstention.reasons(evidence)
    for logit, noise_logit, expected, reason in zip(logits, noise_logits, probability, reasons, strict=True):
        assert compiled.probability(logit) == pytest.approx(expected, abs=1e-6)
        assert compiled.advice(logit, noise_logit) == (-1 if reason else expected >= advisor.threshold)


@needs_compiler
def test_from_the_raw_signal_to_the_advice(advisor: ShockAdvisor, compiled: CompiledHeader) -> None:
    """As the predictor with the same weights, except for the rules that are left to the caller."""
    twin = ShockAdvisor(advisor.card, dequantised(advisor.network), arrays=advisor.arrays)
    for raw in varied_windows(625):
        decision = twin.predict(raw, 125)
        logit, noise_logit = compiled.logits(compiled.filter(raw)[1])
        advice = compiled.advice(logit, noise_logit, compiled.amplitude(raw))
        assert logit == pytest.approx(decision.logit, rel=1e-5, abs=1e-4)
        if decision.reason is None or decision.reason.startswith(("noise", "probability")):
            assert advice == {"shock": 1, "no shock": 0, "undecided": -1}[decision.advice]


@needs_compiler
def test_platt_calibration(tmp_path: Path) -> None:
    advisor = untrained(ShockNet())
    advisor.calibrator = Platt(0.7, -0.3)
    assert CompiledHeader(advisor, tmp_path).probability(1.5) == pytest.approx(1 / (1 + np.exp(0.3 - 0.7 * 1.5)))


def test_staircase_calibration_is_refused() -> None:
    advisor = untrained(ShockNet())
    advisor.calibrator = Isotonic((0.0, 1.0), (0.1, 0.9))
    with pytest.raises(ConfigError, match="isotonic"):
        render_header(advisor)


@pytest.mark.parametrize(
    "rules", [[UnsureClass(0.6)], [Unreadable(0.5), ProbabilityBand(0.3, 0.7), ProbabilityBand(0.2, 0.8)]]
)
def test_a_rule_that_would_vanish_is_refused(rules: list[Rule]) -> None:
    advisor = untrained(ResidualNet((4, 6), (3, 5)))
    advisor.abstention = Abstention([FarFromTraining(9.0), Unreadable(0.5), ProbabilityBand(0.2, 0.8)])
    assert "SHOCK_NOISE_LIMIT" in render_header(advisor)
    advisor.abstention = Abstention(rules)
    with pytest.raises(ConfigError, match=rules[-1].kind):
        render_header(advisor)


@needs_compiler
def test_example_in_the_comment_compiles(advisor: ShockAdvisor, tmp_path: Path) -> None:
    write_header(advisor, tmp_path / "shock.h")
    comment = (tmp_path / "shock.h").read_text().partition("*/\n#ifndef")[0]
    example = re.findall(r"^ \*     (.*)$", comment, re.MULTILINE)
    assert len(example) > 3
    lines = "\n    ".join(example)
    program = f'#include "shock.h"\nint example(const float *millivolts)\n{{\n    {lines}\n    return advice;\n}}\n'
    (tmp_path / "example.c").write_text(program)
    compile_c(tmp_path, "-c", "example.c")


@needs_compiler
def test_header_says_its_size(advisor: ShockAdvisor, compiled: CompiledHeader) -> None:
    layers = quantised(advisor.network)
    weights = sum(layer.weight.size for layer in layers)
    outputs = sum(layer.bias.size for layer in layers)
    assert compiled.library.weight_bytes() == weights + 2 * 4 * outputs
    assert compiled.library.scratch_floats(1250) * 4 < 150_000


def test_header_says_what_it_is(advisor: ShockAdvisor) -> None:
    header = render_header(advisor)
    assert "NOT A MEDICAL DEVICE" in header
    assert advisor.card.label in header
    assert (advisor.card.licence_weights or "none stated").split(";")[0] in header


def test_int8_is_symmetric_and_uses_its_range() -> None:
    for layer in quantised(untrained(ResidualNet((4, 6), (3, 5))).network):
        assert (np.abs(layer.weight.astype(int)).max(axis=(1, 2)) == 127).all()


def test_folding_changes_no_answer() -> None:
    """With weights that int8 holds exactly, only the folded normalisation is left to differ."""
    network = untrained(ResidualNet((3, 4, 5), (3, 5, 3))).network
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Linear):
            with torch.no_grad():
                module.weight.copy_(torch.randint(-9, 10, module.weight.shape))
                module.weight.view(len(module.weight), -1)[:, 0] = 127
                module.weight /= 127
    windows = sample_windows(625, 1250)
    np.testing.assert_allclose(answers(dequantised(network), windows), answers(network, windows), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ShockAdvisor.available())
def test_int8_decides_as_float32_does(name: str) -> None:
    advisor = ShockAdvisor.from_pretrained(name)
    windows = [sample_windows(samples, 125) for samples in (250, 625, 1250)]
    exact, small = (
        np.concatenate([answers(network, alike)[:, 0] for alike in windows])
        for network in (advisor.network, dequantised(advisor.network))
    )
    assert len(exact) > 100
    assert np.abs(exact - small).mean() < 0.1
    shock, small_shock = (advisor.calibrator(logits) >= advisor.threshold for logits in (exact, small))
    assert (shock == small_shock).mean() >= 0.99


def test_verb_writes_a_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(APP, ExportConfig(model="paper", out=tmp_path / "shock.h"))
    assert (tmp_path / "shock.h").read_text() == render_header(ShockAdvisor.from_pretrained("paper"))
    assert "7983 bytes" in capsys.readouterr().out


def test_verb_refuses_other_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.onnx .* or \.h"):
        export(APP, ExportConfig(model="paper", out=tmp_path / "shock.pt"))
    assert not list(tmp_path.iterdir())
