"""The settings of a task: every one, right and wrong.

A refusal names the thing that is wrong and the way out.
"""

from datetime import timedelta
from typing import Any

import pytest
from model_kit import Step, refused

from eventflow import (
    Cron,
    OperatorConfigItem,
    TaskAction,
    TaskStatus,
    Workflow,
)
from eventflow.model.settings import TaskSettings

START, STOP, RESTART = TaskAction.START, TaskAction.STOP, TaskAction.RESTART
SUCCESS = TaskStatus.SUCCESS


@pytest.mark.parametrize(
    ("key", "meant"),
    [("retires", "retries"), ("time_out", "timeout"), ("alow_failure", "allow_failure")],
)
def test_an_unknown_setting_is_refused_with_the_nearest_that_there_is(key: str, meant: str) -> None:
    with Workflow("w"), refused(f"operator 'a' has no setting '{key}'", f"did you mean '{meant}'"):
        Step("a", **{key: 1})


def test_an_unknown_setting_like_no_other_is_refused_without_a_guess() -> None:
    with Workflow("w"), refused("operator 'a' has no setting 'zzz'$"):
        Step("a", zzz=1)


BAD_SETTINGS: dict[str, list[Any]] = {
    "periodic_expression": ["* * *", "61 * * * *", 5, "30 2 30 2 *"],
    "overlap": ["sometimes", True, 1],
    "retries": [-1, 1.5, "2", True, 1_000_001],
    "retry_delay": [-1, "5", True, float("nan"), float("inf"), timedelta(seconds=-1)],
    "retry_backoff": [0.5, "2", True, float("nan"), float("inf"), 1001],
    "retry_jitter": [-0.1, 1.1, True, float("nan"), "1"],
    "retry_on": [5, "ValueError", [ValueError, "KeyError"], int, [ValueError()]],
    "timeout": [0, -1, True, "60", float("inf"), timedelta(0)],
    "autostart": [1, "yes", 0],
    "allow_failure": [1, "no"],
    "on_lost": ["ignore", False],
    "max_lost": [-1, 2.0, True],
    "heartbeat_timeout": [0, -1, "60", True],
    "stop_grace": [-1, "10", True, float("nan")],
    "pool": ["", "a b", "a.b", 5, True, "x" * 129],
    "priority": [1001, -1001, 1.0, "1", True],
    "max_items": [0, -1, 10_000_001, 1.0, "1", True],
    "max_active_items": [0, -1, 10_000_001, 1.0, "1", True],
    "on_item_failure": ["fail", "", 1, True],
}
GOOD_SETTINGS: dict[str, tuple[Any, Any]] = {
    "periodic_expression": ("*/5 * * * *", Cron("*/5 * * * *")),
    "overlap": ("restart", "restart"),
    "retries": (3, 3),
    "retry_delay": (timedelta(minutes=1), 60.0),
    "retry_backoff": (2, 2.0),
    "retry_jitter": (0.5, 0.5),
    "retry_on": (ValueError, (ValueError,)),
    "timeout": (timedelta(hours=1), 3600.0),
    "autostart": (False, False),
    "allow_failure": (True, True),
    "on_lost": ("fail", "fail"),
    "max_lost": (0, 0),
    "heartbeat_timeout": (5, 5.0),
    "stop_grace": (0, 0.0),
    "pool": ("gpu", "gpu"),
    "priority": (-5, -5),
    "max_items": (10, 10),
    "max_active_items": (10_000_000, 10_000_000),
    "on_item_failure": ("stop", "stop"),
}


def test_every_setting_is_tried_here() -> None:
    keys = {item.value for item in OperatorConfigItem}

    assert set(BAD_SETTINGS) == set(GOOD_SETTINGS) == keys


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, bad in BAD_SETTINGS.items() for value in bad]
)
def test_a_setting_with_a_bad_value_is_refused_by_name(key: str, value: Any) -> None:
    with Workflow("w") as workflow, refused(f"operator 'a': {key}"):
        Step("a", **{key: value})

    assert workflow.tasks == {}


@pytest.mark.parametrize("key", sorted(GOOD_SETTINGS))
def test_a_setting_is_kept_described_and_left_out_when_it_is_none(key: str) -> None:
    value, kept = GOOD_SETTINGS[key]
    with Workflow("w"):
        given, left_out = Step("a", **{key: value}), Step("b", **{key: None})

    assert getattr(given.settings, key) == kept
    assert list(given.settings.describe()) == [key]
    assert left_out.settings == TaskSettings()
    assert left_out.settings.describe() == {}


@pytest.mark.rule("S27")
@pytest.mark.parametrize(
    ("failures", "chance", "seconds"), [(1, 0, 10), (2, 0, 30), (3, 0, 90), (2, 0.5, 37.5)]
)
def test_the_wait_before_a_retry_grows_and_is_spread(
    failures: int, chance: float, seconds: float
) -> None:
    settings = TaskSettings(retry_delay=10, retry_backoff=3, retry_jitter=0.5)

    assert settings.retry_wait(failures, chance) == timedelta(seconds=seconds)


@pytest.mark.rule("S27")
@pytest.mark.parametrize("failures", [103, 5_000, 1_000_000])
def test_the_wait_before_a_retry_has_a_bound_however_often_it_has_failed(failures: int) -> None:
    longest = TaskSettings(retry_delay=1.0, retry_backoff=1000.0).retry_wait(failures, 0.9)
    none = TaskSettings(retry_delay=0.0, retry_backoff=1000.0).retry_wait(failures, 0.9)

    assert (longest, none) == (timedelta(days=7), timedelta(0))
