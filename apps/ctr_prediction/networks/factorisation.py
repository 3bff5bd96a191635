"""The second-order term of a factorisation machine (Rendle, ICDM 2010)."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["FactorisationPart"]


class FactorisationPart(nn.Module):
    """What the pairs of fields add to the logit: the sum of v_i . v_j over i < j.

    By equation 7 of the paper that is 1/2 sum_k ((sum_i v_ik)^2 - sum_i v_ik^2), linear in the number of fields. The
    term has no parameters of its own; DeepFM (Guo et al., IJCAI 2017) shares the vectors with its hidden layers.
    """

    def forward(self, vectors: Tensor, x0: Tensor) -> Tensor:
        """Vectors (batch, fields, dim) and x0 (batch, d), of which nothing is needed -> (batch,)."""
        of_sum = vectors.sum(dim=1).square().sum(dim=1)
        return (of_sum - vectors.square().sum(dim=(1, 2))) / 2
