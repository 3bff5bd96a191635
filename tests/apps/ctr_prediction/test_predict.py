"""Whatever form rows come in, they get the same answers; nothing in them raises, and nothing in them is changed."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apps.ctr_prediction.predict import ClickPredictor
from apps.ctr_prediction.report.rates import undo_sampling
from apps.ctr_prediction.results import NOTHING_KNOWN, ClickResult, ClickResults
from data_prep.synth import ctr_prediction as synth
from shared.errors import InputError
from shared.formats import log_files
from shared.prepared import PreparedSet
from tests.apps.ctr_prediction.contract_case import IMPRESSION, impression

ROWS = 300


@pytest.fixture(scope="module")
def log() -> pa.Table:
    """Raw rows that the model was not trained on."""
    return pa.concat_tables(synth.rows(ROWS, seed=7))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same rows as files."""
    folder = tmp_path_factory.mktemp("rows")
    for name in ("log.parquet", "log.csv", "log.csv.gz"):
        synth.write_log(folder / name, ROWS, seed=7)
    return folder


@pytest.fixture(scope="module")
def answers(predictor: ClickPredictor, log: pa.Table) -> ClickResults:
    return predictor.predict_batch(log)


def same(found: ClickResults, expected: ClickResults) -> None:
    np.testing.assert_array_equal(found.probability, expected.probability)
    np.testing.assert_array_equal(found.sampled_probability, expected.sampled_probability)
    np.testing.assert_array_equal(found.unseen, expected.unseen)
    np.testing.assert_array_equal(found.nothing_known, expected.nothing_known)


def test_every_form_of_the_rows_has_the_same_answers(
    predictor: ClickPredictor, log: pa.Table, files: Path, answers: ClickResults
) -> None:
    assert len(set(answers.probability.tolist())) > ROWS / 2
    frame = log.to_pandas()
    for rows in (log.to_pylist(), frame, frame.astype({"advertiser": "category", "device": "category"})):
        same(predictor.predict_batch(rows), answers)
    (batch,) = log.combine_chunks().to_batches()
    same(predictor.predict_batch(batch), answers)
    for path in (files / "log.parquet", str(files / "log.csv"), files / "log.csv.gz"):
        same(predictor.predict_batch(path), answers)


VIEWS = (pa.string_view(), pa.list_(pa.string_view())), (pa.string_view(), pa.large_list(pa.string_view()))
LARGE = ((pa.large_string(), pa.large_list(pa.large_string())),)


@pytest.mark.parametrize(("text", "texts"), [*VIEWS, *LARGE], ids=str)
def test_text_of_any_arrow_type(
    text: pa.DataType, texts: pa.DataType, predictor: ClickPredictor, log: pa.Table, answers: ClickResults
) -> None:
    kinds = {pa.string(): text, pa.list_(pa.string()): texts}
    table = log.cast(pa.schema([(field.name, kinds.get(field.type, field.type)) for field in log.schema]))
    found = predictor.predict_batch(table, keys=["id"])
    same(found, answers)
    assert found.to_arrow()["id"].to_pylist() == log["id"].to_pylist()


def test_polars_too(predictor: ClickPredictor, log: pa.Table, answers: ClickResults) -> None:
    polars = pytest.importorskip("polars")
    same(predictor.predict_batch(polars.from_arrow(log)), answers)


def test_prepared_rows_have_the_answers_of_the_raw_ones(
    predictor: ClickPredictor, log: pa.Table, answers: ClickResults, made_set: Path
) -> None:
    hours = [f"{time.hour:02d}" for time in log["time"].to_pylist()]
    same(predictor.predict_batch(log.append_column("hour_of_day", pa.array(hours)).drop_columns(["time"])), answers)
    prepared = pa.concat_tables(PreparedSet(made_set).table("impressions").arrow_batches(500))
    same(predictor.predict_batch(prepared), predictor.predict_batch(pa.concat_tables(synth.rows(2000, seed=0))))


def test_keys_are_handed_through(predictor: ClickPredictor, log: pa.Table, files: Path, tmp_path: Path) -> None:
    keys = ("id", "time")
    for rows in (log, log.to_pylist(), log.to_pandas(), files / "log.parquet"):
        found = predictor.predict_batch(rows, keys=keys).to_arrow()
        assert found.column_names == ["id", "time", "probability", "sampled_probability", "status", "unseen"]
        assert found["id"].to_pylist() == log["id"].to_pylist()
        assert found["time"].cast(pa.timestamp("us")).equals(log["time"])
    with pytest.raises(InputError, match="Did you mean 'id'"):
        predictor.predict_batch(log, keys=("ids",))
    with pytest.raises(InputError, match="no column 'ids'"):
        predictor.predict_batch(log.to_pylist(), keys=("ids",))
    with pytest.raises(InputError, match="'status'"):
        predictor.predict_batch(log.append_column("status", log["id"]), keys=("status",)).to_arrow()


@pytest.mark.parametrize("name", ["log.parquet", "log.csv"])
def test_a_file_is_answered_piece_by_piece(
    name: str, predictor: ClickPredictor, files: Path, answers: ClickResults, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(log_files, "_BATCH_ROWS", 64)
    monkeypatch.setattr(log_files, "_BLOCK_BYTES", 8192)
    pieces = [len(piece) for piece in predictor.answers(files / name)]
    assert len(pieces) > 2
    assert sum(pieces) == ROWS
    assert predictor.predict_file(files / name, tmp_path / "answers.parquet", keys=("id",)) == ROWS
    found = pq.read_table(tmp_path / "answers.parquet")
    np.testing.assert_allclose(found["probability"].to_numpy(), answers.probability, rtol=0, atol=1e-7)
    assert found["unseen"].to_pylist() == [list(answer.unseen) for answer in answers]
    assert found["id"].to_pylist() == [f"i{row}" for row in range(ROWS)]


def test_files_that_cannot_be_answered_leave_nothing(predictor: ClickPredictor, files: Path, tmp_path: Path) -> None:
    (tmp_path / "header.csv").write_text("domain,device\n")
    (tmp_path / "other.csv").write_text("colour\nred\n")
    for name, reason in (("header.csv", "no rows"), ("other.csv", "none of the features"), ("gone.csv", "no file")):
        with pytest.raises(InputError, match=f"{name}.*{reason}|{reason}.*{name}"):
            predictor.predict_file(tmp_path / name, tmp_path / "answers.parquet")
        with pytest.raises(InputError):
            predictor.predict_batch(tmp_path / name)
    assert not (tmp_path / "answers.parquet").exists()


def test_json_files_hold_one_row_or_several(predictor: ClickPredictor, tmp_path: Path) -> None:
    rows = [impression(), impression(domain="d7", tags="t1,t2")]
    for name, stored in (("one", rows[0]), ("several", rows)):
        (tmp_path / f"{name}.json").write_text(json.dumps(stored))
    same(predictor.predict_batch(tmp_path / "several.json"), predictor.predict_batch(rows))
    same(predictor.predict_batch(tmp_path / "one.json"), predictor.predict_batch(rows[:1]))
    (tmp_path / "none.json").write_text("[3]")
    with pytest.raises(InputError, match=r"none\.json.*mapping"):
        predictor.predict_batch(tmp_path / "none.json")


def test_mappings_need_not_have_the_same_columns(predictor: ClickPredictor) -> None:
    rows = [
        impression(),
        {**impression(), "hour_of_day": "09"},
        {name: value for name, value in impression(hour_of_day="09").items() if name != "time"},
        impression(time=datetime.datetime(2024, 3, 7, 9)),
        impression(time=1709803800, hour_of_day=None),
    ]
    together = predictor.predict_batch(rows)
    np.testing.assert_allclose(together.probability, together.probability[0], atol=1e-7)
    for row, answer in zip(rows, together, strict=True):
        assert predictor.predict(row).unseen == answer.unseen == ("user",)


def test_a_fault_of_form_is_one_in_company_too(predictor: ClickPredictor) -> None:
    with pytest.raises(InputError, match="advertiser"):
        predictor.predict_batch([impression(), impression(advertiser=["adv1"])])


def test_missing_columns_and_values_of_any_kind_are_answered(predictor: ClickPredictor, log: pa.Table) -> None:
    for name in IMPRESSION:
        lacking = predictor.predict_batch(log.drop_columns([name]))
        place = log.column_names.index(name)
        null = predictor.predict_batch(log.set_column(place, name, pa.nulls(ROWS)))
        np.testing.assert_array_equal(lacking.probability, null.probability)
        assert np.isfinite(lacking.probability).all()
    frame = log.to_pandas()
    frame.loc[::2, "tags"] = None
    frame.loc[::3, "domain"] = np.nan
    frame.loc[::5, "time"] = pd.NaT
    frame["user"] = frame["user"].where(frame.index % 2 == 0, 17)  # several types in one column
    assert np.isfinite(predictor.predict_batch(frame).probability).all()
    strange = log.set_column(log.column_names.index("time"), "time", pa.array(["soon"] * ROWS))
    assert all("hour_of_day" in answer.unseen for answer in predictor.predict_batch(strange))
    assert len(predictor.predict_batch(frame.iloc[:0])) == 0


def test_a_column_twice_is_named(predictor: ClickPredictor, log: pa.Table) -> None:
    twice = pa.Table.from_arrays([log["domain"], log["domain"]], names=["domain", "domain"])
    for rows in (twice, twice.rename_columns(["domain", "x"]).to_pandas().rename(columns={"x": "domain"})):
        with pytest.raises(InputError, match=r"domain|Duplicate"):
            predictor.predict_batch(rows)


def test_where_nothing_is_known_the_answer_is_undecided(predictor: ClickPredictor) -> None:
    nothing = {"domain": "new", "advertiser": None, "tags": ["new"], "time": "never"}
    for row in (nothing, {**nothing, "tags": []}, {"tags": []}, {"region": None}):
        answer = predictor.predict(row)
        assert (answer.status, answer.reason) == ("undecided", NOTHING_KNOWN)
        assert 0 < answer.probability < 1
    for known in ({"floor_price": 5}, {"tags": ["new", "t0"]}, {"region": "r1"}):
        assert predictor.predict({**nothing, **known}).status == "ok"
    assert set(predictor.predict(nothing).unseen) >= {"domain", "tags"}


def test_the_thinning_of_the_training_rows_is_undone(predictor: ClickPredictor, answers: ClickResults) -> None:
    rate = 1 / synth.KEPT
    assert predictor.card.output["non-clicks for each one kept"] == pytest.approx(rate)
    p = answers.sampled_probability
    np.testing.assert_allclose(answers.probability, p / (p + (1 - p) * rate), rtol=1e-9)
    np.testing.assert_allclose(answers.probability, undo_sampling(p, rate), rtol=1e-9)
    assert predictor.card.calibration["kind"] == "platt"


def test_answers_are_a_sequence(answers: ClickResults) -> None:
    assert len(answers) == len(list(answers)) == ROWS
    first, last = answers[0], answers[-1]
    assert isinstance(first, ClickResult)
    assert last.probability == answers.probability[ROWS - 1]
    assert [one.probability for one in answers[10:2:-3]] == answers.probability[10:2:-3].tolist()
    assert next(reversed(answers)).to_dict() == last.to_dict()
    with pytest.raises(IndexError):
        _ = answers[ROWS]
    with pytest.raises(ValueError, match="read-only"):
        answers.probability[0] = 0.5
    columns = answers.to_dict()
    assert columns["probability"] == answers.probability.tolist()
    assert columns["status"] == [one.status for one in answers]
    json.dumps(columns)


def test_inputs_stay_as_they_are(predictor: ClickPredictor, log: pa.Table) -> None:
    frame, rows = log.to_pandas(), log.to_pylist()
    kept, kept_rows = frame.copy(deep=True), log.to_pylist()
    predictor.predict_batch(frame, keys=("id",))
    predictor.predict_batch(rows, keys=("id",))
    pd.testing.assert_frame_equal(frame, kept)
    assert rows == kept_rows


def test_a_predictor_holds_no_memory_of_what_it_answered(predictor: ClickPredictor) -> None:
    before = predictor.predict(impression()).to_dict()
    predictor.predict_batch([impression(domain=f"d{number}") for number in range(50)])
    assert predictor.predict(impression()).to_dict() == before


def test_an_hour_is_one_value_however_it_is_written(predictor: ClickPredictor) -> None:
    answers = predictor.predict_batch([{"hour_of_day": hour} for hour in ("09", "9", 9)])
    assert np.ptp(answers.probability) < 1e-9
    assert not answers.unseen[:, answers.features.index("hour_of_day")].any()


def test_what_is_asked_wrongly_is_told_how_to_ask(predictor: ClickPredictor, files: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found the columns advertizer, .*Did you mean 'advertiser'"):
        predictor.predict({"advertizer": "adv1"})
    with pytest.raises(InputError, match="use predict_batch"):
        predictor.predict([IMPRESSION])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="is a folder"):
        predictor.predict_batch(files)
    with pytest.raises(InputError, match=r"end .* with \.parquet"):
        predictor.predict_file(files / "log.csv", tmp_path / "answers.csv")
    assert list(predictor.predict_batch(files / "log.csv", keys="id").keys) == ["id"]


def test_nothing_to_learn_from_is_no_fault(predictor: ClickPredictor) -> None:
    before = predictor.predict(IMPRESSION).probability
    predictor.update([], [])
    assert predictor.predict(IMPRESSION).probability == before
