"""What a budget says of a measurement, and that the measurement of a push works at all."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bench import push, result
from bench.result import Result, percentile


@pytest.mark.parametrize(("value", "ok"), [(20.0, True), (20.1, False)])
def test_a_cost_may_be_so_many_times_its_floor(value: float, ok: bool) -> None:
    assert Result.against_floor("push", value, "ms", 10.0, at_most=2.0).ok is ok


@pytest.mark.parametrize(("value", "ok"), [(150.0, True), (149.0, False)])
def test_a_speed_must_be_so_many_times_its_floor(value: float, ok: bool) -> None:
    assert Result.speed("catch-up", value, "messages/s", 100.0, at_least=1.5).ok is ok


@pytest.mark.parametrize(("value", "ok"), [(4, True), (5, False)])
def test_a_number_has_a_bound_of_its_own(value: int, ok: bool) -> None:
    bounded = Result.bounded("actions", value, "actions", at_most=4)
    assert (bounded.ok, bounded.floor, bounded.ratio) == (ok, None, None)


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(n) for n in range(100)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([7.0], 0.99)) == (50.0, 99.0, 7.0)


def test_a_result_replaces_the_one_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result, "RESULTS", tmp_path / "results.json")
    result.write([Result.bounded("a", 1, "s", at_most=2), Result.bounded("b", 1, "s", at_most=2)])
    result.write([Result.bounded("a", 3, "s", at_most=2)])
    lines = json.loads((tmp_path / "results.json").read_text())
    assert [(line["name"], line["value"], line["ok"]) for line in lines] == [("a", 3, False), ("b", 1, True)]
    assert set(lines[0]) == {"name", "value", "unit", "floor", "ratio", "budget", "ok"}


def test_the_table_names_what_is_over_its_budget() -> None:
    shown = Console(file=io.StringIO(), width=120)
    result.show([Result.against_floor("push", 30.0, "ms", 10.0, at_most=2.0)], shown)
    assert isinstance(shown.file, io.StringIO)
    assert "3.00x" in shown.file.getvalue()
    assert "over" in shown.file.getvalue()


@pytest.mark.servers
def test_a_push_is_measured_with_its_floor_beside_it() -> None:
    results = push.latency(samples=5)
    assert [one.unit for one in results] == ["ms", "ms"]
    assert all(one.value > 0 and one.floor and one.ratio for one in results)
