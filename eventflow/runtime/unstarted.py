"""What a workflow's own rules wait for, and why the last event started nothing (S42, S17)."""

from eventflow.core.decision import IGNORED_PAUSED
from eventflow.core.explain import kept_by, last_event_of_trigger
from eventflow.core.explanation import LastEvent, RuleExplained, WorkflowExplained
from eventflow.core.waiting import arrived, missing
from eventflow.errors import NotFoundError
from eventflow.model.condition import Condition
from eventflow.model.phrase import phrase
from eventflow.model.sketch import sketch_of
from eventflow.model.suggest import nearest
from eventflow.runtime.failing import asked_again, later_verdicts
from eventflow.store.listed import WorkflowRecord
from eventflow.store.ports import Store


def explain_workflow(store: Store, namespace: str, name: str) -> WorkflowExplained:
    """Explain the rules that start executions of a registered workflow.

    Raises:
        NotFoundError: If it is not registered, or its definition is not in the store.
    """
    known = {one.name: one for one in store.workflows() if one.namespace == namespace}
    record = known.get(name)
    snapshot = store.snapshot(record.snapshot) if record is not None else None
    if record is None or snapshot is None:
        raise NotFoundError(
            f"no workflow {name!r} is registered in namespace {namespace!r} of {store.url}"
            f"{nearest(name, list(known))}"
        )
    triggers = sketch_of(snapshot.definition).triggers
    newest = store.executions(workflow=name, namespace=namespace, limit=1)
    due = [
        one.due_at
        for one in store.timers(["schedule"])
        if (one.namespace, one.workflow) == (namespace, name)
    ]
    return WorkflowExplained(
        namespace=namespace,
        workflow=name,
        paused=record.paused,
        rules=tuple(
            _rule(store, record, number, trigger.condition)
            for number, trigger in enumerate(triggers)
        ),
        due_at=due[0] if due else None,
        newest=newest[0].id if newest else None,
    )


def _rule(store: Store, record: WorkflowRecord, number: int, condition: Condition) -> RuleExplained:
    state = store.state(None, (record.namespace, record.name))
    kept, latches = kept_by(state, f"trigger/{number}")
    wanted = tuple(missing(condition, {}, latches))
    return RuleExplained(
        number=number,
        action="",
        condition=phrase(condition),
        missing=wanted,
        came=tuple(map(phrase, arrived(condition, latches))),
        state=kept,
        last=_last(store, record, number, condition, wanted),
    )


def _last(
    store: Store,
    record: WorkflowRecord,
    number: int,
    condition: Condition,
    wanted: tuple[str, ...],
) -> LastEvent | None:
    keys = condition.wakes(record.name)
    if not keys:
        return None
    events = store.read(keys=keys, namespace=record.namespace, limit=1, newest=True)
    if not events:
        return None
    event = events[0]
    came_to = [
        one
        for one in store.decisions(command_offset=event.offset)
        if (one.workflow, one.action) == (record.name, "trigger")
    ]
    started = [one.workflow_execution_id for one in came_to if one.did == "started"]
    verdicts = [
        verdict
        for verdict in store.verdicts(turn=event.turn)
        if verdict.workflow_execution_id is None
        and (verdict.namespace, verdict.workflow) == (record.namespace, record.name)
        and verdict.rule == number
    ]
    return last_event_of_trigger(
        event,
        condition,
        started=started[0] if started else None,
        paused=any(one.did == IGNORED_PAUSED for one in came_to),
        verdict=verdicts[0] if verdicts else None,
        wanted=wanted,
        again=asked_again(later_verdicts(store, verdicts[0])) if verdicts else "",
    )
