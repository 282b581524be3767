"""Steps that run at a remote service: what they get, and what becomes of their answer."""

from pathlib import Path
from typing import Any

import pytest

from eventflow import AppConnection, AppPolling, AppRun
from eventflow.errors import FlowDefinitionError, FlowFailedError
from eventflow.flow import FlowSpec, app, foreach, join, needs, optional, step

pytestmark = pytest.mark.parametrize("durable", [False, True])


@pytest.fixture
def store(durable: bool, tmp_path: Path) -> str | None:
    return str(tmp_path / "flow.db") if durable else None


def test_an_app_step_gives_its_recorded_answer_to_the_next(store: str | None) -> None:
    class Solving(FlowSpec):
        @app("solver", recorded={"output": {"cost": 7}})
        @step
        def solve(self) -> None:
            raise AssertionError("the body never runs")

        @needs([solve])
        @step
        def cost(self, answer: dict[str, int]) -> int:
            return answer["cost"]

        @app("solver", recorded={"output": 1, "id": "run-1"}, full_result=True)
        @needs([solve])
        @step
        def whole(self) -> None: ...

    run = Solving(input={"orders": [1]}, store=store).run()

    assert run.get_result("cost") == 7
    assert run.get_result("whole")["output"] == 1


def test_a_failed_remote_run_is_a_failed_step(store: str | None) -> None:
    class Solving(FlowSpec):
        @app(
            "solver",
            recorded={"metadata": {"status_v2": "failed", "error": "no solution"}},
        )
        @step
        def solve(self) -> None: ...

        @needs([solve])
        @step
        def behind(self, answer: Any) -> Any:
            return answer

    flow = Solving(store=store)
    with pytest.raises(FlowFailedError, match=r"solve: RemoteRunFailedError.*no solution"):
        flow.run()

    assert flow.node("behind").status is None


def test_an_app_step_may_be_optional_and_have_items(store: str | None) -> None:
    class Solving(FlowSpec):
        @foreach
        @step
        def scenarios(self) -> list[int]:
            return [1, 2, 3]

        @optional(lambda flow: flow.results["scenarios"] != 2)
        @app("solver", recorded={"output": "solved"})
        @needs([scenarios])
        @step(retries=1)
        def solve(self) -> None: ...

        @join
        @needs([solve])
        @step
        def end(self, answers: list[Any]) -> list[Any]:
            return answers

    assert Solving(store=store).run().get_result("end") == ["solved", None, "solved"]


def test_each_item_may_name_options_of_its_own(store: str | None, remote: Any) -> None:
    class Solving(FlowSpec):
        @foreach
        @step
        def scenarios(self, base: int) -> list[Any]:
            made = [AppRun(input={"n": base + n}, options={"gap": n}) for n in range(2)]
            return [run.to_json() for run in made]

        @app(
            "routing",
            options={"gap": 9, "threads": 4},
            connection=AppConnection(allow_http=True),
            polling=AppPolling(first=0.01, ceiling=0.01),
        )
        @needs([scenarios])
        @step
        def solve(self) -> None: ...

        @join
        @needs([solve])
        @step
        def end(self, answers: list[Any]) -> list[Any]:
            return answers

    run = Solving(input=10, store=store).run()

    bodies = sorted((asked.body for asked in remote.of("start")), key=lambda it: it["input"]["n"])
    assert [body["input"] for body in bodies] == [{"n": 10}, {"n": 11}]
    assert [body["options"] for body in bodies] == [
        {"gap": "0", "threads": "4"},
        {"gap": "1", "threads": "4"},
    ]
    assert run.get_result("end") == [remote.output, remote.output]


def test_a_cancelled_flow_cancels_its_remote_run(store: str | None, remote: Any) -> None:
    remote.hold.set()

    class Solving(FlowSpec):
        @app(
            "routing",
            connection=AppConnection(allow_http=True),
            polling=AppPolling(first=0.01, ceiling=0.01),
        )
        @step
        def solve(self) -> None: ...

    run = Solving(input={"n": 1}, store=store).start()
    remote.wait_for("look")
    run.stop()
    run.wait(20)

    assert len(remote.wait_for("cancel")) == 1
    assert [asked.body["input"] for asked in remote.of("start")] == [{"n": 1}]


def test_a_wrong_app_is_refused_when_the_flow_is_defined(store: str | None) -> None:
    with pytest.raises(FlowDefinitionError, match="recorded"):

        class Wrong(FlowSpec):
            @app("solver", recorded={})
            @step
            def solve(self) -> None: ...

    with pytest.raises(FlowDefinitionError, match="application's id"):

        class Bare(FlowSpec):
            @app
            @step
            def solve(self) -> None: ...
