"""Retry with real threads and real files: results, data and code of the old execution (S31)."""

from pathlib import Path
from typing import Any

import pytest

from eventflow import PythonOperator, Scheduler, Workflow, current_context
from eventflow.errors import ConflictError

pytestmark = pytest.mark.rule("S31")
SOON_S = 20


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


class Pipeline:
    """Three tasks that count how often they ran; the second fails while `broken`."""

    def __init__(self) -> None:
        self.broken = True
        self.ran: list[str] = []
        with Workflow("pipeline") as workflow:
            load = PythonOperator("load", self.load)
            train = PythonOperator("train", self.train, op_args=[load.output])
            PythonOperator("report", self.report, op_args=[train.output])
        self.workflow = workflow

    def load(self) -> dict[str, int]:
        self.ran.append("load")
        context = current_context()
        context.data.set("rows", [1, 2, 3])
        return {"count": 3}

    def train(self, loaded: dict[str, int]) -> int:
        self.ran.append("train")
        if self.broken:
            raise RuntimeError("no memory left")
        return loaded["count"] + len(current_context().data.get("rows"))

    def report(self, trained: int) -> list[Any]:
        self.ran.append("report")
        return [trained, current_context().result("load")["count"], current_context().params["day"]]


def test_a_retry_takes_results_and_data_over_and_runs_the_rest(tmp_path: Path) -> None:
    pipeline = Pipeline()
    with Scheduler(url(tmp_path)) as scheduler:
        old = scheduler.run(pipeline.workflow, {"day": "monday"}).wait(SOON_S)
        assert old.status == "FAILED"
        pipeline.broken = False

        new = scheduler.retry(old)

        assert new.wait(SOON_S).status == "SUCCESS"
        assert pipeline.ran == ["load", "train", "train", "report"]
        assert new.record.retry_of == old.id
        results = [new.result(name) for name in ("load", "train", "report")]
        assert results == [{"count": 3}, 6, [6, 3, "monday"]]
        with pytest.raises(ConflictError, match="nothing to run again"):
            scheduler.retry(new.id)


def test_a_program_that_begins_anew_must_have_the_same_definition_at_hand(tmp_path: Path) -> None:
    with Scheduler(url(tmp_path)) as scheduler:
        old = scheduler.run(Pipeline().workflow, {"day": "monday"}).wait(SOON_S)
    pipeline = Pipeline()
    pipeline.broken = False

    with Scheduler(url(tmp_path)) as scheduler:
        with pytest.raises(ConflictError, match="not at hand; register the same definition again"):
            scheduler.retry(old)
        scheduler.register(pipeline.workflow)

        assert scheduler.retry(old).wait(SOON_S).status == "SUCCESS"
    assert pipeline.ran == ["train", "report"]
