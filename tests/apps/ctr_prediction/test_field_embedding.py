"""The tables: what ids and bags become, and which ids training hides."""

from __future__ import annotations

import pytest
import torch

from apps.ctr_prediction.networks.field_embedding import FieldEmbedding
from apps.ctr_prediction.networks.id_dropout import IdDropout
from apps.ctr_prediction.networks.input_layout import InputLayout
from apps.ctr_prediction.networks.sparse_lookup import lookup
from tests.apps.ctr_prediction.made_clicks import plain_layout

TWO_COLUMNS = InputLayout(
    n_rows=40,
    columns=((2, "sum"), (0, "sum"), (1, "product"), (0, "sum"), (1, "product")),
    unseen_rows=(1, 9, 17, 25, 33),
    n_bags=1,
)
"""Field 0 is two hashes, field 1 a remainder and a quotient, field 2 one id."""


def embedding(layout: InputLayout, *, wide: bool = True, sparse: bool = True) -> FieldEmbedding:
    torch.manual_seed(0)
    return FieldEmbedding(layout, 3, wide=wide, std=0.5, sparse=sparse)


def test_two_columns_join_by_sum_or_product() -> None:
    made = embedding(TWO_COLUMNS)
    ids, bag = torch.tensor([[2, 10, 18, 26, 34], [3, 11, 19, 27, 35]]), torch.tensor([[5, 6], [7, 0]])
    vectors, _ = made(ids, bag)
    assert made.vectors is not None
    e = made.vectors.weight
    assert vectors is not None
    torch.testing.assert_close(vectors[:, 0], e[ids[:, 1]] + e[ids[:, 3]])
    torch.testing.assert_close(vectors[:, 1], e[ids[:, 2]] * (1 + e[ids[:, 4]]))
    torch.testing.assert_close(vectors[:, 2], e[ids[:, 0]])
    torch.testing.assert_close(vectors[:, 3], torch.stack([e[5] + e[6], e[7]]))


def test_rows_of_padding_and_of_unseen_values_start_at_zero_and_add_nothing() -> None:
    made = embedding(TWO_COLUMNS)
    assert made.vectors is not None
    zero = (made.vectors.weight == 0).all(dim=1).nonzero().squeeze(1)
    assert zero.tolist() == [0, *TWO_COLUMNS.unseen_rows]
    assert made.weights is not None
    assert not made.weights.weight.any()


def test_padding_does_not_matter() -> None:
    made = embedding(TWO_COLUMNS)
    ids = torch.tensor([[2, 10, 18, 26, 34]])
    short, long = (made(ids, torch.tensor([bag])) for bag in ([5, 6], [5, 6, 0, 0, 0]))
    for one, other in zip(short, long, strict=True):
        torch.testing.assert_close(one, other)


def test_a_table_that_is_not_there_answers_none() -> None:
    assert embedding(TWO_COLUMNS, wide=False)(torch.ones(1, 5, dtype=torch.int64), torch.ones(1, 1).long())[1] is None
    only_wide = FieldEmbedding(TWO_COLUMNS, 0, wide=True, std=0.1, sparse=True)
    vectors, weights = only_wide(torch.ones(2, 5, dtype=torch.int64), torch.ones(2, 1).long())
    assert vectors is None
    assert weights is not None
    assert weights.shape == (2,)


def test_gradients_hold_the_touched_rows_once_in_order() -> None:
    table, other = (torch.randn(20, dim, requires_grad=True) for dim in (3, 1))
    ids = torch.tensor([[7, 3, 0], [7, 12, 3]])
    wide, narrow = lookup(ids, (table, other), sparse=True)
    weights = torch.arange(6.0).view(2, 3, 1)
    ((wide * weights).sum() + (narrow * weights).sum()).backward()
    for gradient in (table.grad, other.grad):
        assert gradient is not None
        assert gradient._indices()[0].tolist() == [0, 3, 7, 12]
        assert gradient._values()[:, 0].tolist() == [0.0, 1 + 5, 0 + 3, 4]


def test_gradients_of_two_batches_add_up() -> None:
    """As they do when several batches make one step."""
    table = torch.zeros(20, 2, requires_grad=True)
    for ids in ([[7, 3]], [[12, 3]]):
        lookup(torch.tensor(ids), (table,), sparse=True)[0].sum().backward()
    assert table.grad is not None
    assert table.grad.to_dense()[:, 0].nonzero().squeeze(1).tolist() == [3, 7, 12]
    assert table.grad.to_dense()[3].tolist() == [2, 2]


def many(layout: InputLayout, n: int = 20_000) -> torch.Tensor:
    return (torch.tensor(layout.unseen_rows) + 2).expand(n, -1)


def test_evaluation_hides_nothing() -> None:
    ids = many(TWO_COLUMNS, 50)
    assert torch.equal(IdDropout(TWO_COLUMNS, 0.9, 0.9).eval()(ids), ids)


def test_the_share_of_hidden_ids_and_both_columns_of_a_field_at_once() -> None:
    torch.manual_seed(0)
    ids = many(TWO_COLUMNS)
    hidden = IdDropout(TWO_COLUMNS, 0.3, 0.0).train()(ids) == torch.tensor(TWO_COLUMNS.unseen_rows)
    assert hidden.double().mean(dim=0).tolist() == pytest.approx([0.3] * 5, abs=0.02)
    assert torch.equal(hidden[:, 1], hidden[:, 3])
    assert torch.equal(hidden[:, 2], hidden[:, 4])
    assert not torch.equal(hidden[:, 0], hidden[:, 1])


def test_all_that_names_the_campaign_is_hidden_together() -> None:
    layout = InputLayout(**{**plain_layout(5, 6).__dict__, "group_columns": (1, 3)})
    torch.manual_seed(0)
    hidden = IdDropout(layout, 0.0, 0.25).train()(many(layout)) == torch.tensor(layout.unseen_rows)
    assert hidden[:, 1].double().mean().item() == pytest.approx(0.25, abs=0.02)
    assert torch.equal(hidden[:, 1], hidden[:, 3])
    assert not hidden[:, [0, 2, 4]].any()


def test_training_reaches_the_unseen_rows() -> None:
    layout = plain_layout(4, 5)
    made, dropout = embedding(layout), IdDropout(layout, 0.5, 0.0).train()
    torch.manual_seed(0)
    vectors, _ = made(dropout(many(layout, 64)))
    assert vectors is not None
    vectors.sum().backward()
    assert made.vectors is not None
    assert made.vectors.weight.grad is not None
    assert made.vectors.weight.grad.to_dense()[list(layout.unseen_rows)].abs().min() > 0
