"""The log of a remote run in the task's own."""

import itertools
from typing import Any

from app_kit import Runner
from remote_platform import Platform, drop, status

from eventflow import (
    AppPolling,
)
from eventflow.runtime.handle import ExecutionHandle


def relayed(runner: Runner, handle: ExecutionHandle) -> list[str]:
    return [line for line in runner.log(handle) if not line.startswith("remote run ")]


def test_each_line_of_the_log_is_relayed_once(runner: Runner, platform: Platform) -> None:
    platform.statuses = ["running"] * 8 + ["succeeded"]
    lines = [f"line {number}" for number in range(7)]

    def page(since: str | None) -> dict[str, Any]:
        begin = int(since or 0)
        items = [{"timestamp": "t", "log": line} for line in lines[begin : begin + 3]]
        end = begin + len(items)
        return {"items": items, "next_page_token": str(end), "next_available_in_seconds": 0}

    platform.log = page
    handle = runner.run(emit_logs=True)

    assert relayed(runner, handle) == lines


def test_a_log_without_tokens_is_relayed_once_too(runner: Runner, platform: Platform) -> None:
    platform.statuses = ["running"] * 8 + ["succeeded"]
    seen: list[dict[str, Any]] = []

    def whole(since: str | None) -> dict[str, Any]:
        assert since is None
        seen.append({"log": f"line {len(seen)}\nand more"})
        return {"items": seen[:4]}

    platform.log = whole
    handle = runner.run(emit_logs=True)

    assert relayed(runner, handle)[:4] == ["line 0", "and more", "line 1", "and more"]
    assert len(relayed(runner, handle)) == len(set(relayed(runner, handle))) + 3


def test_a_service_that_says_look_again_at_once_is_not_looked_at_without_a_pause(
    runner: Runner, platform: Platform
) -> None:
    platform.statuses = ["running"] * 20 + ["succeeded"]
    platform.log = lambda since: {"items": [], "next_available_in_seconds": 0}
    polling = AppPolling(first=0.05, factor=1, jitter=0, log_wait=0.2, request_timeout=5)

    assert runner.run(emit_logs=True, polling=polling).status == "SUCCESS"

    looks = platform.of("logs")[:-1]  # the last one comes with the end of the run
    pauses = [later.at - earlier.at for earlier, later in itertools.pairwise(looks)]
    assert pauses
    assert min(pauses) >= 0.19


def test_trouble_with_the_log_is_noted_and_never_costs_the_run(
    runner: Runner, platform: Platform
) -> None:
    platform.statuses = ["running"] * 5 + ["succeeded"]
    platform.fault("logs", status(500), drop, status(403, b"no logs for you"))

    handle = runner.run(emit_logs=True)

    assert handle.status == "SUCCESS"
    assert any(
        "is not relayed" in line and "no logs for you" in line for line in runner.log(handle)
    )


def test_what_the_log_has_at_the_end_of_the_run_is_relayed_too(
    runner: Runner, platform: Platform
) -> None:
    late = ["bye", "and thanks"]

    def page(since: str | None) -> dict[str, Any]:
        # Nothing until the run has ended, and then a page for each line.
        place = int(since or 0) if platform.of("look") else len(late)
        items = [{"log": line} for line in late[place : place + 1]]
        return {"items": items, "next_page_token": str(place + 1) if items else since}

    platform.log = page
    handle = runner.run(emit_logs=True)

    assert relayed(runner, handle) == late
