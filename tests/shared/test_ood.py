"""The feature distance: Mahalanobis with shrinkage, robust to odd features, the same after a weights file."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.covariance import LedoitWolf

from shared.errors import CheckpointError, InputError
from shared.ood import FeatureDistance


def made_features(n: int = 2000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)) @ np.array([[2.0, 1, 0], [0, 1, 0.5], [0, 0, 0.1]]) + [5, -2, 0]


def test_scores_are_mahalanobis_distances() -> None:
    features = made_features()
    expected = np.sqrt(LedoitWolf().fit(features).mahalanobis(features))
    np.testing.assert_allclose(FeatureDistance.fit(features).score(features), expected, rtol=1e-3)


def test_the_limit_keeps_the_stated_share_of_new_rows() -> None:
    distance = FeatureDistance.fit(made_features(20_000), quantile=0.99)
    inside = distance.score(made_features(20_000, seed=1)) <= distance.limit
    assert inside.mean() == pytest.approx(0.99, abs=0.003)


def test_far_rows_are_far_along_the_thin_direction_too() -> None:
    distance = FeatureDistance.fit(made_features())
    thin = np.array([[5.0, -2, 1.5]])  # 1.5 is 3 deviations of the widest feature, and many of this one
    assert distance.score(thin)[0] > distance.limit
    assert distance.score(np.array([[5.0, -2, 0]]))[0] < 0.1


def test_a_feature_that_never_moved_is_no_trap() -> None:
    features = np.column_stack([made_features(), np.zeros(2000)])
    distance = FeatureDistance.fit(features)
    assert np.isfinite(distance.score(features)).all()
    assert distance.score(np.array([[5.0, -2, 0, 1.0]]))[0] > distance.limit


def test_rows_that_are_not_finite_are_infinitely_far() -> None:
    distance = FeatureDistance.fit(made_features())
    scores = distance.score(np.array([[np.nan, 0, 0], [0, np.inf, 0], [5, -2, 0]]))
    assert np.isinf(scores).tolist() == [True, True, False]


def test_a_weights_file_gives_the_same_distance_back() -> None:
    features = made_features()
    distance = FeatureDistance.fit(features)
    stored = load(save({name: np.ascontiguousarray(array) for name, array in distance.state().items()}))
    again = FeatureDistance.from_state(stored)
    assert again.limit == distance.limit
    np.testing.assert_array_equal(again.score(features), distance.score(features))


def test_features_that_cannot_be_fitted_are_refused() -> None:
    with pytest.raises(InputError, match=r"found \(5,\)"):
        FeatureDistance.fit(np.zeros(5))
    with pytest.raises(InputError, match=r"found \(1, 3\)"):
        FeatureDistance.fit(np.zeros((1, 3)))
    with pytest.raises(InputError, match="NaN or infinity"):
        FeatureDistance.fit([[0.0, np.nan], [1.0, 2.0]])
    with pytest.raises(InputError, match="all rows have the same features"):
        FeatureDistance.fit(np.ones((10, 3)))
    with pytest.raises(InputError, match=r"shape \(rows, 3\), found \(4, 2\)"):
        FeatureDistance.fit(made_features()).score(np.zeros((4, 2)))


def test_a_damaged_state_is_refused() -> None:
    state = FeatureDistance.fit(made_features()).state()
    with pytest.raises(CheckpointError, match="lacks limit"):
        FeatureDistance.from_state({name: state[name] for name in ("mean", "whitening")})
    with pytest.raises(CheckpointError, match=r"mean \(2,\), whitening \(3, 3\)"):
        FeatureDistance.from_state({**state, "mean": np.zeros(2)})
