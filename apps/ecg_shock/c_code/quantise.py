"""A network's weights as int8: batch normalisation folded away, one scale for each output channel.

Symmetric post-training quantisation (Jacob et al., CVPR 2018, with a scale per channel as Krishnamoorthi,
arXiv:1806.08342, recommends). Activations stay in float32: a window is small, and nothing has to be calibrated.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

__all__ = ["Int8Layer", "dequantised", "quantised"]

LARGEST = 127
"""Weights lie in -127..127: without -128 the range is symmetric, and zero stays zero."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Int8Layer:
    """A convolution, or a dense layer as one of kernel length 1, with its normalisation folded in."""

    name: str
    """Of the module it was made from."""
    weight: npt.NDArray[np.int8]
    """(outputs, inputs, kernel), in units of `scale`."""
    scale: npt.NDArray[np.float32]
    """(outputs,)."""
    bias: npt.NDArray[np.float32]
    """(outputs,)."""
    stride: int
    """In samples."""

    @property
    def dequantised(self) -> npt.NDArray[np.float32]:
        """The weights as they act: (outputs, inputs, kernel)."""
        return self.weight * self.scale[:, None, None]

    @property
    def n_bytes(self) -> int:
        """Of weights, scales and biases."""
        return self.weight.nbytes + self.scale.nbytes + self.bias.nbytes


def quantised(network: nn.Module) -> list[Int8Layer]:
    """The layers of a network with weights, in the order in which they were registered.

    Args:
        network: of 1-D convolutions and dense layers; a batch normalisation belongs to the convolution that is
            registered right before it.
    """
    return [_quantised(name, layer, norm and norm[1]) for name, layer, norm in _layers(network)]


def dequantised(network: nn.Module) -> nn.Module:
    """A copy in eval mode that computes in float32 with the int8 weights: what the exported integers answer."""
    twin = copy.deepcopy(network).cpu().eval()
    for name, layer, norm in list(_layers(twin)):
        small = _quantised(name, layer, norm and norm[1])
        layer.weight = nn.Parameter(torch.from_numpy(small.dequantised).reshape(layer.weight.shape))
        layer.bias = nn.Parameter(torch.from_numpy(small.bias))
        if norm is not None:
            twin.set_submodule(norm[0], nn.Identity())
    return twin


def _layers(network: nn.Module) -> Iterator[tuple[str, nn.Conv1d | nn.Linear, tuple[str, nn.BatchNorm1d] | None]]:
    """Name and module of each layer with weights, and of the batch normalisation that follows it."""
    kinds = (nn.Conv1d, nn.Linear, nn.BatchNorm1d)
    modules = [(name, module) for name, module in network.named_modules() if isinstance(module, kinds)]
    for (name, layer), (next_name, following) in pairwise([*modules, ("", None)]):
        if isinstance(layer, nn.Conv1d | nn.Linear):
            yield name, layer, (next_name, following) if isinstance(following, nn.BatchNorm1d) else None


def _quantised(name: str, layer: nn.Conv1d | nn.Linear, norm: nn.BatchNorm1d | None) -> Int8Layer:
    weight, bias = _folded(layer, norm)
    largest = np.abs(weight).max(axis=(1, 2))
    scale = (np.where(largest > 0, largest, 1.0) / LARGEST).astype(np.float32)
    steps = np.rint(weight / scale[:, None, None]).clip(-LARGEST, LARGEST)
    stride = layer.stride[0] if isinstance(layer, nn.Conv1d) else 1
    return Int8Layer(name, steps.astype(np.int8), scale, bias.astype(np.float32), stride)


def _folded(layer: nn.Conv1d | nn.Linear, norm: nn.BatchNorm1d | None) -> tuple[FloatArray, FloatArray]:
    """Weights (outputs, inputs, kernel) and biases (outputs,) that answer as the layer and its normalisation do."""
    weight = _values(layer.weight).reshape(len(layer.weight), layer.weight.shape[1], -1)
    bias = np.zeros(len(weight)) if layer.bias is None else _values(layer.bias)
    if norm is None:
        return weight, bias
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain = _values(norm.weight) / np.sqrt(_values(norm.running_var) + norm.eps)
    return weight * gain[:, None, None], (bias - _values(norm.running_mean)) * gain + _values(norm.bias)


def _values(tensor: torch.Tensor) -> FloatArray:
    return tensor.detach().cpu().double().numpy()
