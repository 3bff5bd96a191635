"""Every predictor answers alike alone and in company, names what is no input, and never changes one."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import InputError
from tests.contract.answers import assert_alike, assert_sound, unchanged
from tests.contract.subject import Subject

MADE = settings(
    max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
"""The same made inputs in every run: a failure here is the change's fault, not the dice's."""


def test_valid_inputs_are_answered_soundly(subject: Subject) -> None:
    for item in subject.case.inputs():
        with unchanged(item):
            assert_sound(subject.predictor.predict(item, **subject.case.keywords), subject.predictor.classes)


def test_alone_and_in_a_batch(subject: Subject) -> None:
    items, keywords = list(subject.case.inputs()), subject.case.keywords
    assert len(items) >= 3
    predictor, tolerance = subject.predictor, subject.app.batch_tolerance
    alone = [predictor.predict(item, **keywords) for item in items]
    for answer, expected in zip(predictor.predict_batch(items, **keywords), alone, strict=True):
        assert_alike(answer, expected, tolerance)
    for answer, expected in zip(predictor.predict_batch(items[::-1] * 2, **keywords), alone[::-1] * 2, strict=True):
        assert_alike(answer, expected, tolerance)


def test_an_empty_batch_has_no_answers(subject: Subject) -> None:
    assert list(subject.predictor.predict_batch([], **subject.case.keywords)) == []


def test_a_batch_names_the_item_that_is_none(subject: Subject) -> None:
    item = subject.case.inputs()[0]
    with pytest.raises(InputError, match="1"):
        subject.predictor.predict_batch([item, None], **subject.case.keywords)


@MADE
@given(data=st.data())
def test_what_is_no_input_is_named(subject: Subject, data: st.DataObject) -> None:
    item, keywords = data.draw(subject.case.broken)
    with unchanged(item), pytest.raises(InputError) as caught:
        subject.predictor.predict(item, **keywords)
    assert str(caught.value).strip()


@MADE
@given(data=st.data())
def test_what_makes_no_sense_is_answered_soundly_or_withheld(subject: Subject, data: st.DataObject) -> None:
    item, keywords = data.draw(subject.case.odd)
    with unchanged(item):
        result = subject.predictor.predict(item, **keywords)
    assert_sound(result, subject.predictor.classes)


def test_an_unknown_keyword_is_not_swallowed(subject: Subject) -> None:
    item = subject.case.inputs()[0]
    for ask in (subject.predictor.predict, lambda one, **more: subject.predictor.predict_batch([one], **more)):
        with pytest.raises(TypeError, match="tresshold"):
            ask(item, **subject.case.keywords, tresshold=0.5)
