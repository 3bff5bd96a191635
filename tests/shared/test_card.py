"""Cards: what they refuse, that they come back as they were, and that a damaged one is noticed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.card import FORMAT_VERSION, Card
from shared.errors import CheckpointError, ConfigError

INTERVAL = {
    "estimate": 0.965,
    "low": 0.951,
    "high": 0.978,
    "level": 0.95,
    "method": "group bootstrap",
    "n_groups": 48,
    "n_rows": 9000,
}
SOURCE = {
    "name": "vfdb",
    "source": "PhysioNet",
    "licence": "ODC-By 1.0",
    "manifest_hash": "0" * 64,
    "synthetic": False,
    "n_items": 9000,
    "groups": {"patient": 48},
}


def card(**changes: Any) -> Card:
    """A card that may be published."""
    complete = Card(
        app="apps.toy",
        name="paper",
        title="Shock or no shock | from one lead",
        status="published",
        network={"channels": (8, 16), 3: "three", 20: "twenty"},
        classes=["no shock", "shock"],  # type: ignore[arg-type]
        input={"units": "mV", "range": (-5.0, 5.0), "rate": "250 Hz"},
        data=[SOURCE],  # type: ignore[arg-type]
        protocol="patient-wise 5-fold, windows of 5 s, 3 seeds",
        metrics={"bac": INTERVAL},
        limits=("Not a medical device.",),
        licence_weights="Apache-2.0",
    )
    return dataclasses.replace(complete, **changes)


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    card().write(tmp_path / "card.json")
    read = Card.read(tmp_path / "card.json")
    assert dataclasses.replace(read, network=card().network) == card()
    assert read.classes == ("no shock", "shock")
    assert read.network == {"channels": [8, 16], "3": "three", "20": "twenty"}
    assert read.label == "paper 1"


def test_refuses_to_be_written_and_lists_everything_that_is_missing(tmp_path: Path) -> None:
    bare = card(data=(), licence_weights="", protocol="", metrics={}, input={"rate": "250 Hz"})
    with pytest.raises(ConfigError) as refusal:
        bare.write(tmp_path / "card.json")
    for missing in ("data", "licence_weights", "protocol", "metrics with intervals", "input.units", "input.range"):
        assert missing in str(refusal.value)
    assert not (tmp_path / "card.json").exists()


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"data": ({**SOURCE, "licence": ""},)}, "data[0].licence"),
        ({"data": (SOURCE, {k: v for k, v in SOURCE.items() if k != "source"})}, "data[1].source"),
        ({"metrics": {"bac": {"estimate": 0.9}}}, "metrics.bac.low"),
        ({"metrics": {"bac": {**INTERVAL, "low": float("nan")}}}, "metrics.bac: a finite estimate"),
        ({"oof": {"file": "oof.parquet"}}, "oof.sha256"),
        ({"recipe": {"gain": np.float32(1)}}, "recipe as plain JSON"),
    ],
)
def test_names_the_missing_part(change: dict[str, Any], missing: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        card(**change).validate()
    assert missing in str(refusal.value)


def test_a_run_may_lack_metrics_but_not_its_data() -> None:
    run = card(status="run", metrics={}, licence_weights="")
    run.validate()
    with pytest.raises(ConfigError, match="data"):
        dataclasses.replace(run, data=()).validate()


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_every_flipped_bit_is_noticed(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("card") / "card.json"
    card(threshold=0.5).write(path)
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(bytes(content))
    try:
        read = Card.read(path)
    except CheckpointError:
        return
    assert read == Card.read(path)
    assert read.threshold == 0.5, "only white space may change unnoticed"


@pytest.mark.parametrize("length", [0, 1, 200])
def test_a_truncated_card_is_refused(length: int, tmp_path: Path) -> None:
    card().write(tmp_path / "card.json")
    (tmp_path / "card.json").write_bytes((tmp_path / "card.json").read_bytes()[:length])
    with pytest.raises(CheckpointError, match="not a readable card"):
        Card.read(tmp_path / "card.json")


def test_a_number_changed_by_hand_is_refused(tmp_path: Path) -> None:
    card().write(tmp_path / "card.json")
    text = (tmp_path / "card.json").read_text().replace("0.965", "0.985")
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(CheckpointError, match="edited by hand"):
        Card.read(tmp_path / "card.json")


def test_a_newer_format_asks_for_an_update(tmp_path: Path) -> None:
    card(format_version=FORMAT_VERSION + 1).write(tmp_path / "card.json")
    with pytest.raises(CheckpointError, match="update it"):
        Card.read(tmp_path / "card.json")


@pytest.mark.parametrize("content", ["[]", "{}", '{"format_version": "1"}', "3"])
def test_other_json_is_no_card(content: str, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(content)
    with pytest.raises(CheckpointError, match="not a model card"):
        Card.read(tmp_path / "card.json")


def test_markdown_shows_what_a_reader_needs() -> None:
    text = card(threshold=0.43, macs=1234567, half=True).to_markdown()
    assert "| bac | 0.965 | 0.951 to 0.978 (95%) | group bootstrap | 48 | 9000 |" in text
    assert "| vfdb | PhysioNet | ODC-By 1.0 | 9000 | patient 48 |" in text
    assert "range -5.0 to 5.0" in text
    assert "no shock, shock" in text
    assert "1,234,567" in text
    assert "- Not a medical device." in text
    assert "made-up" not in text
    assert json.dumps(card().to_dict())


def test_markdown_says_loudly_that_data_were_made_up() -> None:
    assert "> Trained on made-up data (vfdb)" in card(data=({**SOURCE, "synthetic": True},)).to_markdown()
