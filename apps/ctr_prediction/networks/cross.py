"""Cross layers: Wang et al., "Deep & Cross Network for Ad Click Predictions", 2017, and "DCN V2", 2021.

With x0 the input of d numbers, each layer multiplies x0 with something linear in the x before it, so that L layers
hold products of up to L + 1 inputs. All layers keep the shape (batch, d).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from apps.ctr_prediction.networks.network_config import NetworkConfig

__all__ = ["CrossMixture", "CrossPart", "CrossV1", "CrossV2", "cross_network"]


class CrossV1(nn.Module):
    """x_{l+1} = x0 (x_l . w_l) + b_l + x_l (2017, equation 3); 2 d L parameters.

    All that the layers make of x0 is a x0 + c with one number a for each row and one vector c for all:
    a_{l+1} = a_l (1 + x0 . w_l) + c_l . w_l and c_{l+1} = c_l + b_l. So the L products x0 . w_l are one
    multiplication of matrices, and x_l itself is never made.

    Args:
        width: d.
        layers: L.
    """

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(layers, width) / width**0.5)
        self.biases = nn.Parameter(torch.zeros(layers, width))

    def forward(self, x0: Tensor) -> Tensor:
        """(batch, d) -> (batch, d)."""
        offset = self.biases.cumsum(dim=0)
        shifts = (offset[:-1] * self.weights[1:]).sum(dim=1)
        products = 1 + x0 @ self.weights.T
        scale = products[:, 0]
        for layer, shift in enumerate(shifts, start=1):
            scale = scale * products[:, layer] + shift
        return torch.addcmul(offset[-1], scale.unsqueeze(1), x0)


class CrossV2(nn.Module):
    """x_{l+1} = x0 * (W_l x_l + b_l) + x_l, elementwise (2021, equation 1); L (d^2 + d) parameters.

    Args:
        width: d.
        layers: L.
    """

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(linear(width, width) for _ in range(layers))

    def forward(self, x0: Tensor) -> Tensor:
        """(batch, d) -> (batch, d)."""
        x = x0
        for layer in self.layers:
            x = torch.addcmul(x, x0, layer(x))
        return x


class MixtureLayer(nn.Module):
    """x0 * (sum_e G_e(x) U_e tanh(C_e tanh(V_e^T x)) + b) + x (2021, equations 3 and 4), with G the softmax of a line.

    As the gates add up to one, the bias of each expert is one bias. One expert is one matrix of low rank.
    """

    def __init__(self, width: int, rank: int, experts: int) -> None:
        super().__init__()
        self.down = linear(width, experts * rank, bias=False)
        self.cores = nn.Parameter(torch.randn(experts, rank, rank) / rank**0.5)
        self.gates = linear(width, experts, bias=False)
        self.up = linear(experts * rank, width)

    def forward(self, x0: Tensor, x: Tensor) -> Tensor:
        """Input of the first layer and of this one, (batch, d) each -> (batch, d)."""
        low = torch.tanh(self.down(x)).view(-1, *self.cores.shape[:2])
        low = torch.tanh(torch.einsum("ber,ers->bes", low, self.cores))
        gated = low * torch.softmax(self.gates(x), dim=1).unsqueeze(2)
        return torch.addcmul(x, x0, self.up(gated.flatten(1)))


class CrossMixture(nn.Module):
    """Cross layers whose matrices are mixtures of experts of low rank; L (2 d r E + r^2 E + d E + d) parameters.

    Args:
        width: d.
        layers: L.
        rank: r of each expert.
        experts: E in each layer.
    """

    def __init__(self, width: int, layers: int, rank: int, experts: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(MixtureLayer(width, rank, experts) for _ in range(layers))

    def forward(self, x0: Tensor) -> Tensor:
        """(batch, d) -> (batch, d)."""
        x = x0
        for layer in self.layers:
            x = layer(x0, x)
        return x


class CrossPart(nn.Module):
    """What the cross layers add to the logit: w . x_L."""

    def __init__(self, width: int, config: NetworkConfig) -> None:
        super().__init__()
        self.cross = cross_network(width, config)
        self.output = linear(width, 1, bias=False)

    def forward(self, vectors: Tensor, x0: Tensor) -> Tensor:
        """Vectors (batch, fields, dim), of which nothing is needed, and x0 (batch, d) -> (batch,)."""
        return self.output(self.cross(x0)).squeeze(1)


def cross_network(width: int, config: NetworkConfig) -> nn.Module:
    """The cross layers that `config` names, over x0 of `width` numbers; with "none" they change nothing."""
    if config.cross == "v1":
        return CrossV1(width, config.cross_layers)
    if config.cross == "v2":
        return CrossV2(width, config.cross_layers)
    if config.cross == "mixture":
        return CrossMixture(width, config.cross_layers, config.rank, config.experts)
    return nn.Identity()


def linear(n_in: int, n_out: int, *, bias: bool = True) -> nn.Linear:
    """A linear layer that starts as wide as its input (variance 1 / n_in) and without a bias."""
    made = nn.Linear(n_in, n_out, bias=bias)
    nn.init.normal_(made.weight, std=n_in**-0.5)
    if bias:
        nn.init.zeros_(made.bias)
    return made
