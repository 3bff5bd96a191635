from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.numbers import NumberScale, ScaleFit, in_bins, in_steps
from apps.ctr_prediction.features.row_encoder import RowEncoder
from tests.apps.ctr_prediction.made_log import SCHEMA, made_log

NUMBERS = st.lists(st.floats(allow_infinity=False), max_size=30)


def _fitted(*parts: list[float]) -> NumberScale:
    fit = ScaleFit()
    for part in parts:
        fit.add(np.array(part, dtype=np.float64))
    return fit.scale()


@settings(deadline=None, max_examples=60)
@given(NUMBERS, NUMBERS)
def test_moments_are_those_of_all_numbers(first: list[float], second: list[float]) -> None:
    scale, numbers = _fitted(first, second), np.array([*first, *second])
    there = numbers[~np.isnan(numbers)]
    z = np.sign(there) * np.log1p(np.abs(there))
    assert scale.has_missing == (len(there) < len(numbers))
    if len(z):
        assert scale.mean == pytest.approx(z.mean(), rel=1e-9, abs=1e-9)
        assert (scale.low, scale.high) == (z.min(), z.max())
    if len(z) and np.ptp(z) > 1e-3:
        assert scale.deviation == pytest.approx(z.std(), rel=1e-6)
    assert np.isfinite(scale(np.array([*numbers, 1e300, -1e300, np.nan]))).all()


def test_training_numbers_are_standardised() -> None:
    numbers = np.random.default_rng(0).lognormal(3, 2, 1000)
    scaled = _fitted(numbers.tolist())(numbers)
    assert scaled.dtype == np.float32
    assert scaled[:, 0].mean() == pytest.approx(0, abs=1e-5)
    assert scaled[:, 0].std() == pytest.approx(1, abs=1e-5)
    assert not scaled[:, 1].any()


def test_a_number_beyond_the_training_rows_counts_as_their_largest() -> None:
    scale = _fitted([0.0, 1.0, 5.0])
    np.testing.assert_array_equal(scale(np.array([1e12, -1e12])), scale(np.array([5.0, 0.0])))


def test_missing_is_flagged_where_training_knew_it() -> None:
    missing = np.array([np.nan])
    np.testing.assert_array_equal(_fitted([1.0, 2.0, np.nan])(missing), [[0, 1]])
    np.testing.assert_array_equal(_fitted([1.0, 2.0])(missing), [[0, 0]])


def test_a_number_that_never_moved_is_zero() -> None:
    assert _fitted([7.0] * 3)(np.array([7.0, 8.0]))[:, 0].tolist() == [0, 0]
    assert _fitted()(np.array([7.0]))[0].tolist() == [0, 0]


def test_bins_hold_their_lower_edge() -> None:
    texts = in_bins(np.array([0, 1, 10, 11, 50.5, 51, 1e9, -5, np.nan]), (1, 11, 51))
    assert texts.values.take(texts.codes).to_pylist() == ["0", "1", "1", "2", "2", "3", "3", "0", None]


def test_steps_keep_small_whole_numbers_apart_and_large_ones_within_a_tenth() -> None:
    def steps(*numbers: float) -> list[str | None]:
        texts = in_steps(np.array(numbers, dtype=np.float64))
        return texts.values.take(texts.codes).to_pylist()

    assert len(set(steps(*range(-5, 6)))) == 11
    assert steps(1000) == steps(1090) != steps(1250)
    assert steps(0, 1e-9, np.nan, 1e300, 1e12) == ["0", "0", None, "193", "193"]
    assert steps(7.0) == steps(3.0, 7.0)[1:], "a step does not depend on the numbers beside it"


def test_numbers_in_steps_are_one_more_category_each() -> None:
    log = made_log(400)
    plain, stepped = (RowEncoder.fit(SCHEMA, [log], FeatureConfig(number_steps=steps)) for steps in (False, True))
    more = [field for field in stepped.fields if field.name not in {field.name for field in plain.fields}]
    assert [(field.name, field.kind) for field in more] == [("age in steps", "id")]
    assert stepped.n_dense == plain.n_dense
    assert "age in steps" not in log.column_names
    assert len(np.unique(stepped.encode(log).ids[:, -1])) > 3
