"""Flows beside FlowSpec.run: on the command line, in processes, with a platform told of them."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from eventflow import Cron, Scheduler, WorkflowStatus
from eventflow.flow import FlowSpec, foreach, needs, step
from eventflow.reporters import UplinkConfig

SOON_S = 60
FOLDERS = Path(__file__).parents[1]


class Fan(FlowSpec):
    @foreach
    @step
    def fan(self) -> list[int]:
        """The items."""
        return [1, 2]

    @needs([fan])
    @step
    def work(self, x: int) -> int:
        return x


def test_a_flow_in_a_file_runs_in_processes(tmp_path: Path) -> None:
    with Scheduler(f"sqlite:///{tmp_path / 'store.db'}", executor="processes") as scheduler:
        (workflow,) = scheduler.register_file(Path(__file__).with_name("flow_file.py"))
        handle = scheduler.run(workflow.name)
        ended = handle.wait(SOON_S)

        assert ended.status is WorkflowStatus.SUCCESS
        assert handle.result("end") == [[0, None, 2]] * 3
        pids = {one[1] for one in handle.result("work") if one is not None}
        given = scheduler.run(workflow.name, params={"flow_input": 1})
        given.wait(SOON_S)
        assert given.result("end") == [[0]]

    assert os.getpid() not in pids


def test_a_flow_takes_the_settings_of_a_workflow() -> None:
    workflow = Fan().to_workflow(schedule=Cron("0 2 * * *"), tags=["nightly"], timeout=60)

    assert (str(workflow.schedule), workflow.tags, workflow.timeout) == (
        str(Cron("0 2 * * *")),
        ("nightly",),
        60,
    )


@pytest.fixture
def platform() -> Any:
    folder = str(FOLDERS / "reporters")
    if folder not in sys.path:
        sys.path.append(folder)
    from platform_here import LocalPlatform

    with LocalPlatform() as platform:
        yield platform


def test_a_flow_reports_to_the_platform_of_its_configuration_or_environment(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTFLOW_UPLINK_TOKEN", "secret")
    Fan(uplink=UplinkConfig(url=platform.url, interval=0)).run()

    first = len(platform.posts)
    assert first > 0
    assert platform.posts[-1].told["final"]

    monkeypatch.setenv("EVENTFLOW_UPLINK_URL", platform.url)
    Fan(uplink=False).run()
    assert len(platform.posts) == first
    Fan().run()
    assert len(platform.posts) > first
