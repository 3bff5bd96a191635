"""From a configuration to a network: volume in, logits out, whatever the family and its dimensions.

Every network maps (batch, 1, z, y, x) of scaled HU (`grid.scale_hu`) to (batch, outputs, z, y, x) logits, one channel
for each of `NetworkConfig.outputs`; sizes are multiples of `NetworkConfig.factor`. Those of two dimensions go through
the volume slice by slice (`SliceWise`), so that training and inference are the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from monai.networks.nets import AttentionUnet, BasicUNet, DynUNet, SegResNet
from monai.networks.nets.basic_unet import UpCat
from torch import nn

from apps.pulmonary_vessel.adversarial import AdversarialNetwork
from apps.pulmonary_vessel.networks.network_config import NetworkConfig
from apps.pulmonary_vessel.networks.residual_unet import ResidualUNet
from apps.pulmonary_vessel.networks.slice_wise import SliceWise

__all__ = ["build_network"]

BLOCKS_OF_SEGRESNET = 2
"""Residual blocks at each resolution of a SegResNet's way down but the first, which has one."""


def build_network(config: NetworkConfig) -> nn.Module:
    """The network that a configuration or a card describes, with fresh weights from torch's generator."""
    dimensions = 3 if config.dimensions == "3d" else 2
    network = FAMILIES[config.kind](config, dimensions)
    if dimensions == 2:
        network = SliceWise(network, config.seen_slices)
    return AdversarialNetwork(network) if config.adversarial else network


def _unet(config: NetworkConfig, dimensions: int) -> nn.Module:
    """Two convolutions at each resolution, concatenated skips; Ronneberger et al. 2015, Falk et al. 2019."""
    features = (*config.filters, config.filters[0])
    network = BasicUNet(dimensions, config.seen_slices, len(config.outputs), features)
    for module in network.modules():
        if isinstance(module, UpCat):
            module.is_pad = False  # sizes are multiples of the factor; the padding of others cannot be exported
    return network


def _attention(config: NetworkConfig, dimensions: int) -> nn.Module:
    """Skips weighed by attention gates; Oktay et al. 2018."""
    strides = [2] * (len(config.filters) - 1)
    return AttentionUnet(dimensions, config.seen_slices, len(config.outputs), config.filters, strides)


def _dynunet(config: NetworkConfig, dimensions: int) -> nn.Module:
    """The U-Net of nnU-Net, without deep supervision; Isensee et al. 2021."""
    levels = len(config.filters)
    halved = [2] * (levels - 1)
    return DynUNet(
        dimensions,
        config.seen_slices,
        len(config.outputs),
        kernel_size=[3] * levels,
        strides=[1, *halved],
        upsample_kernel_size=halved,
        filters=config.filters,
    )


def _segresnet(config: NetworkConfig, dimensions: int) -> nn.Module:
    """Residual encoder, light decoder; Myronenko 2018, without the autoencoder branch."""
    down = [1] + [BLOCKS_OF_SEGRESNET] * (len(config.filters) - 1)
    return SegResNet(
        dimensions,
        config.filters[0],
        config.seen_slices,
        len(config.outputs),
        blocks_down=down,
        blocks_up=[1] * (len(config.filters) - 1),
    )


def _residual(config: NetworkConfig, dimensions: int) -> nn.Module:
    fused = config.kind == "multiscale"
    return ResidualUNet(dimensions, config.seen_slices, len(config.outputs), config.filters, fused=fused)


FAMILIES: Mapping[str, Callable[[NetworkConfig, int], nn.Module]] = {
    "unet": _unet,
    "attention": _attention,
    "dynunet": _dynunet,
    "segresnet": _segresnet,
    "residual": _residual,
    "multiscale": _residual,
}
