"""An online-learning service: it learns from a stream, and answers with its best model so far.

    eventflow run examples/online_learning.py          (needs: pip install 'eventflow[examples]')

The data are real: the 1,797 handwritten digits that come with scikit-learn (see digits.py).

- `prepare`, endless, cuts the stream into batches and emits `data.prepared` for each.
- `train` starts on that and goes on learning where the last model stood.
- `validate` starts after `train` and emits `model.validated` with the accuracy on held-out digits.
- `deploy` starts on that event, but only if the model beats the best one so far.
- `predict`, endless, is RESTARTed when `deploy` succeeds, and answers requests over TCP.
- `ask`, endless, is its customer: it asks for 297 digits that no other task has seen, and emits
  `service.examined` for each model that has answered.
- When the stream has ended and no model is under way, a rule STOPs the endless tasks. `report`
  then prints: `the model of 11 batches reads 96.6% of the unseen digits`.

Batches and models are kept in a new temporary folder, or in the one of `--param folder=PATH`; a
batch comes every second, or every `--param pace=SECONDS`.
"""

import tempfile
from pathlib import Path
from typing import Any

import digits

from eventflow import (
    AnyOf,
    Condition,
    Event,
    EventCondition,
    Operator,
    PythonOperator,
    RuleContext,
    TaskAction,
    TaskStatus,
    TaskStatusCondition,
    ValueStateDescriptor,
    Workflow,
    current_context,
)

BUSY = {TaskStatus.INIT, TaskStatus.QUEUED, TaskStatus.RUNNING}


def prepare() -> None:
    context = current_context()
    folder = context.params.get("folder") or context.deterministic.call("folder", tempfile.mkdtemp)
    Path(folder).mkdir(parents=True, exist_ok=True)
    context.data.set("folder", folder)
    for number in range(1, digits.BATCHES + 1):
        path = digits.write_batch(Path(folder), number)
        context.emit("data.prepared", {"path": str(path)})
        if context.wait(context.params.get("pace", 1.0)):
            return
    context.emit("stream.ended", {"batches": digits.BATCHES})
    while not context.wait(3600):
        pass


def train() -> dict[str, Any]:
    """Learn from every new batch that is there, also from those that came during the last run."""
    data = current_context().data
    folder, last = Path(data.get("folder")), data.get("model", {"batches": 0, "path": None})
    batches = sorted(folder.glob("batch-*.npz"))
    path = folder / f"model-{len(batches):02}.joblib"
    digits.learn(last["path"], batches[last["batches"] :], path)
    model = {"batches": len(batches), "path": str(path)}
    data.set("model", model)
    return model


def validate(model: dict[str, Any]) -> float:
    accuracy = digits.accuracy(model["path"])
    current_context().emit("model.validated", {**model, "accuracy": accuracy})
    return accuracy


def deploy() -> dict[str, Any]:
    """Name the model to be served: the one whose event has started this task."""
    return current_context().trigger_event.value


def predict(model: dict[str, Any]) -> None:
    context = current_context()
    with digits.serving(model["path"], name=model["batches"]) as address:
        context.data.set("address", address)
        while not context.wait(3600):
            pass


def ask() -> None:
    context, known = current_context(), None
    while not context.wait(0.1):
        address = context.data.get("address")
        exam = digits.examine(tuple(address)) if address else None
        if exam and exam[0] != known:
            known, share = exam
            context.data.set("exam", {"batches": known, "accuracy": share})
            context.emit("service.examined", {"batches": known, "accuracy": share})


def report() -> dict[str, Any]:
    exam = current_context().data.get("exam")
    share = f"{exam['accuracy']:.1%}"
    print(f"the model of {exam['batches']} batches reads {share} of the unseen digits")
    return exam


class BeatsTheBest(Condition):
    """Met by a validated model that is more accurate than every one before it."""

    def __init__(self) -> None:
        super().__init__(["model.validated"])
        self._best = ValueStateDescriptor("best", default=0.0)

    def is_met(self, event: Event, context: RuleContext) -> bool:
        best = context.get_state(self._best)
        if event.value["accuracy"] <= best.value():
            return False
        best.update(event.value["accuracy"])
        return True


class NothingUnderWay(Condition):
    """Met when the whole stream is learned and the best of its models has passed its exam."""

    def __init__(self) -> None:
        super().__init__(["stream.ended", "model.validated", "service.examined"])
        self._seen = ValueStateDescriptor("seen", default={"best": {"accuracy": 0.0}})

    def is_met(self, event: Event, context: RuleContext) -> bool:
        state = context.get_state(self._seen)
        seen = {**state.value(), event.key: event.value["batches"]}
        if event.key == "model.validated" and event.value["accuracy"] > seen["best"]["accuracy"]:
            seen["best"] = event.value
        state.update(seen)
        learned = seen.get("model.validated") == seen.get("stream.ended")
        return learned and seen.get("service.examined") == seen["best"].get("batches")


def when_free(event_key: str, *tasks: Operator) -> Condition:
    """Met by the event, or later: as soon as none of the tasks is busy. Nothing is missed.

    A START of a task that runs is ignored; without this, the last batch might not be learned and
    the last model not be judged, when they come at the wrong moment.
    """
    return EventCondition(event_key) & ~AnyOf(*(TaskStatusCondition(task, BUSY) for task in tasks))


with Workflow("online_learning", timeout=300) as workflow:
    preparing = PythonOperator("prepare", prepare)
    training = PythonOperator("train", train)
    validating = PythonOperator("validate", validate, [training.output])
    deploying = PythonOperator("deploy", deploy)
    predicting = PythonOperator("predict", predict, [deploying.output], autostart=False)
    asking = PythonOperator("ask", ask)
    reporting = PythonOperator("report", report)

training.action_on_condition(TaskAction.START, when_free("data.prepared", training))
validating.action_on_condition(
    TaskAction.START,
    when_free("eventflow.task.online_learning.train.success", validating, deploying),
)
deploying.action_on_condition(TaskAction.START, BeatsTheBest())
predicting.action_on_task_status(TaskAction.RESTART, {deploying: TaskStatus.SUCCESS})
for endless in (preparing, predicting, asking):
    endless.action_on_condition(TaskAction.STOP, NothingUnderWay())
reporting.action_on_task_status(
    TaskAction.START, dict.fromkeys((preparing, predicting, asking), TaskStatus.STOPPED)
)
