"""`eventflow run --uplink` and `eventflow serve --uplink`: real processes, a real platform."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import programs
import pytest
from platform_here import LocalPlatform, hangs

EVENTFLOW = Path(sys.executable).with_name("eventflow")
DEADLINE_S = 60
FLOW = '''
from eventflow import PythonOperator, Workflow

def count():
    """Count to three."""
    return 3

with Workflow("counting") as counting:
    PythonOperator("count", count)
counting.trigger_on_event("go")
'''


@pytest.fixture
def shell(tmp_path: Path) -> Any:
    (tmp_path / "flow.py").write_text(FLOW)
    kept = {name: text for name, text in os.environ.items() if not name.startswith("EVENTFLOW_")}

    def begin(*command: str, **environment: str) -> programs.Running:
        return programs.begin([EVENTFLOW, *command], cwd=tmp_path, env={**kept, **environment})

    return begin


def test_run_reports_its_execution_with_the_words_of_its_author(
    platform: LocalPlatform, shell: Any
) -> None:
    with shell("run", "flow.py", "--uplink", platform.url, EVENTFLOW_UPLINK_TOKEN="t-1") as run:
        output, errors = run.communicate(timeout=DEADLINE_S)

    assert (run.returncode, errors) == (0, ""), output
    last = platform.posts[-1]
    assert (last.told["final"], last.told["execution"]["status"]) == (True, "SUCCESS")
    assert [task["docs"] for task in last.told["tasks"]] == ["Count to three."]
    assert last.headers["Authorization"] == "Bearer t-1"


def test_serve_reports_where_the_environment_says(platform: LocalPlatform, shell: Any) -> None:
    with shell(
        "serve",
        "flow.py",
        EVENTFLOW_UPLINK_URL=platform.url,
        EVENTFLOW_UPLINK_INTERVAL="0.1",
        EVENTFLOW_UPLINK_RUN_ID="{workflow}.{execution_id}",
    ) as serve:
        try:
            assert "ready" in serve.stdout.readline()
            with shell("emit", "go") as emit:
                emit.communicate(timeout=DEADLINE_S)
            platform.until_final()
            serve.send_signal(signal.SIGTERM)
            serve.communicate(timeout=DEADLINE_S)
        finally:
            serve.kill()

    assert serve.returncode == 0
    assert platform.posts[-1].told["run_id"] == "counting.1"


def test_a_platform_that_hangs_does_not_keep_run_from_ending(
    platform: LocalPlatform, shell: Any
) -> None:
    platform.behaves(hangs)

    with shell("run", "flow.py", "--uplink", platform.url, EVENTFLOW_UPLINK_GRACE="0.5") as run:
        output, errors = run.communicate(timeout=DEADLINE_S)

    assert run.returncode == 0
    assert "SUCCESS" in output
    assert "uplink.left_behind" in errors


def test_a_url_that_is_none_is_wrong_input(shell: Any) -> None:
    with shell("run", "flow.py", "--uplink", "platform.example") as run:
        _, errors = run.communicate(timeout=DEADLINE_S)

    assert run.returncode == 2
    assert errors == "eventflow: uplink: url is not http(s)://host[:port]/path\n"
