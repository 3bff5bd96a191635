"""A network as an ONNX file that is known to answer like the network it came from.

The exporter traces one size of input and may quietly bake it in, so a file is kept only after ONNX Runtime has given
the network's own answers at other sizes of every axis that was declared dynamic.
"""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from shared.atomic import atomic_path
from shared.errors import ConfigError
from shared.golden import largest_difference

__all__ = ["DynamicAxes", "as_tuple", "export_onnx"]

DynamicAxes = Mapping[str, Mapping[int, str]]
"""Input name -> axis -> name of its size; axes of one name have one size."""

N_OTHER_SIZES = 3


def export_onnx(
    module: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    *,
    input_names: Sequence[str],
    output_names: Sequence[str],
    dynamic: DynamicAxes,
    tolerance: float = 1e-4,
) -> float:
    """Write `module` as one ONNX file and check its answers.

    Args:
        module: any network; it is copied to the CPU in eval mode, the caller's stays as it is.
        example: inputs of a usual size. The sizes of the check are multiples of it (so that an axis which must be a
            multiple of 16 stays one) and one for a dynamic axis 0; values are repeated from the example.
        path: file to write; left as it was when the export or the check fails.
        input_names: one per tensor of `example`.
        output_names: one per output; they pick and order the values of a network that returns a mapping.
        dynamic: axes whose size may change.
        tolerance: largest absolute difference to accept.

    Returns:
        The largest absolute difference over the example and three other sizes.

    Raises:
        ConfigError: when the packages of the extra `export` are missing, when the network cannot be exported, or when
            the file's answers differ.
    """
    _require_packages()
    core = _Core(copy.deepcopy(module), tuple(output_names)).cpu().eval()
    example = tuple(tensor.cpu() for tensor in example)
    with atomic_path(path) as temporary:
        _write(core, _resized(example, input_names, dynamic, factor=2), temporary, input_names, output_names, dynamic)
        difference = max(_differences(core, temporary, input_names, _sizes(example, input_names, dynamic)))
        if not difference <= tolerance:
            raise ConfigError(
                f"ONNX Runtime and the network differ by {difference:.2g}, at most {tolerance:.2g} was asked for; "
                f"{path} was not written. The network may contain an operation that depends on the size of its input."
            )
    return difference


def as_tuple(outputs: Any, names: Sequence[str]) -> tuple[Tensor, ...]:
    """What a network returned as a tuple: a tensor alone, a sequence as it is, a mapping in the order of `names`."""
    if isinstance(outputs, Tensor):
        return (outputs,)
    if isinstance(outputs, Mapping):
        return tuple(outputs[name] for name in names)
    return tuple(outputs)


class _Core(nn.Module):
    """A network whose output is always a tuple, as the exporter wants it."""

    def __init__(self, network: nn.Module, output_names: tuple[str, ...]) -> None:
        super().__init__()
        self.network = network
        self.output_names = output_names

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return as_tuple(self.network(*inputs), self.output_names)


def _require_packages() -> None:
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"ONNX export needs {', '.join(missing)}; the extra `export` brings it: pip install 'neural-suite[export]'."
        )


def _write(
    core: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    input_names: Sequence[str],
    output_names: Sequence[str],
    dynamic: DynamicAxes,
) -> None:
    shapes = tuple(dict(dynamic.get(name, {})) for name in input_names)
    with _quiet_exporter(), torch.no_grad():
        try:
            torch.onnx.export(
                core,
                example,
                path,
                dynamo=True,
                verbose=False,
                external_data=False,
                input_names=list(input_names),
                output_names=list(output_names),
                dynamic_shapes=(shapes,),
            )
        except Exception as error:  # the exporter has no common error of its own
            raise ConfigError(f"The network cannot be exported to ONNX: {str(error).strip()}") from error


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Hold back what the exporter says about its own internals and about packages that it would also know."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.utils.flop_counter")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _sizes(
    example: tuple[Tensor, ...], input_names: Sequence[str], dynamic: DynamicAxes
) -> Iterator[tuple[Tensor, ...]]:
    """The example itself, then inputs of other sizes: axes of different names grow by different factors."""
    yield example
    for trial in range(N_OTHER_SIZES if any(dynamic.values()) else 0):
        yield _resized(example, input_names, dynamic, factor=2 + trial, batch_of_one=trial == 0)


def _resized(
    example: tuple[Tensor, ...],
    input_names: Sequence[str],
    dynamic: DynamicAxes,
    *,
    factor: int,
    batch_of_one: bool = False,
) -> tuple[Tensor, ...]:
    sizes = sorted({name for axes in dynamic.values() for name in axes.values()})
    inputs = []
    for tensor, name in zip(example, input_names, strict=True):
        resized = tensor
        for axis, size in dynamic.get(name, {}).items():
            length = 1 if batch_of_one and axis == 0 else tensor.shape[axis] * (factor + sizes.index(size) % 2)
            resized = resized.index_select(axis, torch.arange(length) % tensor.shape[axis])
        inputs.append(resized)
    return tuple(inputs)


def _differences(
    core: nn.Module, path: Path, input_names: Sequence[str], trials: Iterator[tuple[Tensor, ...]]
) -> Iterator[float]:
    import onnxruntime  # an optional extra

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    for inputs in trials:
        with torch.inference_mode():
            expected = [np.asarray(tensor) for tensor in core(*inputs)]
        try:
            found = session.run(None, {name: tensor.numpy() for name, tensor in zip(input_names, inputs, strict=True)})
        except Exception as error:  # onnxruntime's errors are private to its extension module
            shapes = ", ".join(f"{name} {tuple(t.shape)}" for name, t in zip(input_names, inputs, strict=True))
            raise ConfigError(f"The ONNX file fails at input of size {shapes}: {str(error).strip()}") from error
        yield largest_difference(expected, found)
