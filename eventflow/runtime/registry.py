"""What is known now: workflows and their plans by snapshot, and where their code is (S41)."""

import logging
import threading
from collections.abc import Callable, Collection, Iterable
from functools import cache
from pathlib import Path

from eventflow.clock import Clock
from eventflow.core.circles import circles_among, in_words
from eventflow.core.decide import COMMAND
from eventflow.core.plan import Plan, plan_of
from eventflow.core.world import World
from eventflow.errors import EventflowError, LoadError, NotFoundError
from eventflow.executors.code import copy_sources, load_workflows
from eventflow.executors.port import Code, Job
from eventflow.model.event import Event
from eventflow.model.family import with_sub_workflows
from eventflow.model.keys import RESERVED
from eventflow.model.operator import Operator
from eventflow.model.sketch import sketch_of
from eventflow.model.workflow import Workflow, content_hash
from eventflow.store.listed import SnapshotRecord
from eventflow.store.ports import Store

log = logging.getLogger("eventflow")
REGISTER, RETRY = COMMAND + "register", COMMAND + "retry"


class Registry:
    """Plans by snapshot hash. Thread-safe: entries are added, never changed."""

    def __init__(self, store: Store, clock: Clock, snapshots: Path | None) -> None:
        self._store = store
        self._clock = clock
        self._snapshots = snapshots
        self._plans: dict[str, Plan] = {}
        self._codes: dict[str, Code] = {}
        self._lock = threading.Lock()

    def take(self, workflow: Workflow) -> Plan:
        """Know a workflow of this program. Its tasks run in threads of this process.

        Raises:
            DefinitionError: If the workflow cannot work as written.
        """
        return self.take_all([workflow])[0]

    def take_all(self, workflows: Iterable[Workflow]) -> list[Plan]:
        """The same of several; nothing of them is known when one cannot work."""
        return self._keep(workflows, folder=None, entry="", code_hash="")

    def take_file(self, path: Path, names: Iterable[str] = ()) -> list[Plan]:
        """Know the workflows of a file: its sources are copied, and the copy is what runs (S41).

        Args:
            names: Only these and what they run (S40); all when empty.

        Raises:
            LoadError: If the file is missing, does not import or has no such workflow.
        """
        if self._snapshots is None:
            return self.take_all(_chosen(load_workflows(path), names, path))
        code_hash, folder = copy_sources(path, self._snapshots)
        chosen = _chosen(_load_copy(folder, path, code_hash), names, path)
        return self._keep(chosen, folder=folder, entry=path.name, code_hash=code_hash)

    def plan(self, snapshot: str) -> Plan:
        """The plan of a snapshot, its code loaded from the snapshot folder when need be.

        Raises:
            NotFoundError: If the snapshot is unknown, or lived in a program that has ended.
            LoadError: If its code does not import any more.
        """
        with self._lock:
            if snapshot in self._plans:
                return self._plans[snapshot]
        record = self._store.snapshot(snapshot)
        if record is None:
            raise NotFoundError(f"snapshot {snapshot[:12]} is not in this store")
        workflow = workflow_of(record)
        return self._remember(workflow, snapshot, Path(record.folder), record.entry)

    def find(self, snapshot: str) -> Plan | None:
        """The plan of a snapshot if it is loaded; never loads."""
        with self._lock:
            return self._plans.get(snapshot)

    def workflow(self, snapshot: str) -> Workflow | None:
        """The workflow of a snapshot, to look at: a sketch unless it is loaded; never loads."""
        plan = self.find(snapshot)
        if plan is not None:
            return plan.workflow
        record = self._store.snapshot(snapshot)
        return sketch_of(record.definition) if record is not None else None

    def teach(self, world: World, events: Iterable[Event]) -> None:
        """Have in the world the plan of each snapshot that a command registers or retries."""
        for event in events:
            # One that no program of ours wrote may hold anything: the loop sets it aside.
            if event.key not in (REGISTER, RETRY) or not isinstance(event.value, dict):
                continue
            snapshot = str(event.value.get("snapshot"))
            plan = self.find(snapshot)
            if plan is None and event.key == RETRY:
                plan = self._loaded(snapshot)
            if plan is not None:
                world.learn(plan)

    def _loaded(self, snapshot: str) -> Plan | None:
        """The plan of an older snapshot, of which no execution may be left; a fault is logged."""
        try:
            return self.plan(snapshot)
        except EventflowError as error:
            log.warning("snapshot.not_at_hand snapshot=%s reason=%r", snapshot[:12], str(error))
            return None

    def code(self, snapshot: str) -> Code:
        """Where a worker finds a snapshot's code."""
        with self._lock:
            return self._codes[snapshot]

    def operator(self, job: Job) -> Operator:
        """The operator of a job, for executors in this process."""
        plan = self.plan(job.code.snapshot)
        operator = plan.workflow.tasks.get(job.task_execution.task_name)
        if not isinstance(operator, Operator):
            raise NotFoundError(
                f"workflow {plan.name!r} has no operator {job.task_execution.task_name!r}"
            )
        return operator

    def _keep(
        self, workflows: Iterable[Workflow], *, folder: Path | None, entry: str, code_hash: str
    ) -> list[Plan]:
        records = [self._record(one, folder, entry, code_hash) for one in workflows]
        with self._lock:
            new = [one for one in records if one[1].hash not in self._plans]
        for _, record in new:
            self._store.keep_snapshot(record)
        for workflow, record in new:
            self._remember(workflow, record.hash, folder, entry)
        self._warn_of_circles({workflow for workflow, _ in new})
        with self._lock:
            return [self._plans[record.hash] for _, record in records]

    def _record(
        self, workflow: Workflow, folder: Path | None, entry: str, code_hash: str
    ) -> tuple[Workflow, SnapshotRecord]:
        workflow.validate()
        definition = workflow.definition()
        return workflow, SnapshotRecord(
            hash=content_hash({"definition": definition, "code": code_hash}),
            namespace=workflow.namespace,
            workflow=workflow.name,
            folder=str(folder) if folder is not None else "",
            entry=entry,
            definition=definition,
            created_at=self._clock.now(),
        )

    def _warn_of_circles(self, new: Collection[Workflow]) -> None:
        """Say it when the rules of new workflows close a circle (S45)."""
        # One that no fact can start closes none; to look for circles goes over all that is known.
        if not any(map(_is_started_by_facts, new)):
            return
        with self._lock:
            known = {(plan.namespace, plan.name): plan.workflow for plan in self._plans.values()}
        for circle in circles_among(known.values()):
            if closing := [workflow for workflow in circle if workflow in new]:
                name = closing[-1].name
                log.warning("workflow.circle name=%s reason=%r", name, in_words(circle))

    def _remember(self, workflow: Workflow, snapshot: str, folder: Path | None, entry: str) -> Plan:
        plan = plan_of(workflow, snapshot)
        with self._lock:
            self._plans[snapshot] = plan
            self._codes[snapshot] = Code(snapshot=snapshot, folder=folder, entry=entry)
        return plan


def _is_started_by_facts(workflow: Workflow) -> bool:
    patterns = (
        pattern
        for trigger in workflow.triggers
        for pattern in trigger.condition.wakes(workflow.name)
    )
    return any(pattern.startswith(RESERVED) for pattern in patterns)


def workflow_of(record: SnapshotRecord) -> Workflow:
    """The workflow of a snapshot, from its copy of the code (S41).

    Raises:
        NotFoundError: If it has none: the workflow lived in a program that has ended.
        LoadError: If the code does not import any more.
    """
    if not record.folder:
        raise NotFoundError(
            f"workflow {record.workflow!r} was defined in a program that has ended; register "
            f"the same definition again and its executions go on"
        )
    folder = Path(record.folder)
    for workflow in _load_copy(folder, folder / record.entry, folder.name):
        if (workflow.namespace, workflow.name) == (record.namespace, record.workflow):
            return workflow
    raise LoadError(f"{folder / record.entry} does not define {record.workflow!r} any more")


def plans_of(records: Iterable[SnapshotRecord]) -> Callable[[str], Plan]:
    """Finds the plan of each of these snapshots; its code is loaded when it is first asked for.

    The plan of a snapshot raises what `Registry.plan` raises.
    """
    known = {record.hash: record for record in records}

    @cache
    def find(snapshot: str) -> Plan:
        if snapshot not in known:
            raise NotFoundError(f"snapshot {snapshot[:12]} is not in this store")
        return plan_of(workflow_of(known[snapshot]), snapshot)

    return find


def _load_copy(folder: Path, original: Path, code_hash: str) -> list[Workflow]:
    """Import from the snapshot folder; faults name the file that the user knows."""
    try:
        return load_workflows(
            folder / original.name,
            module_name=f"eventflow_snapshot_{code_hash[:16]}_{original.stem}",
        )
    except LoadError as error:
        raise LoadError(str(error).replace(str(folder), str(original.parent))) from error


def _chosen(workflows: list[Workflow], names: Iterable[str], path: Path) -> list[Workflow]:
    wanted = set(names)
    found = [workflow for workflow in workflows if not wanted or workflow.name in wanted]
    missing = wanted - {workflow.name for workflow in found}
    if missing:
        there = ", ".join(sorted(workflow.name for workflow in workflows))
        raise LoadError(f"{path} has no workflow {sorted(missing)[0]!r}; it defines: {there}")
    return with_sub_workflows(found)
