"""Following an execution to its end, for `run` and `execution start --wait`."""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass

from eventflow.cli.hints import command
from eventflow.cli.interrupts import Interrupts
from eventflow.cli.overview import failed_item_lines, failure_lines, headline, tasks_table
from eventflow.cli.printing import plain, say, say_json
from eventflow.cli.screens import screen
from eventflow.cli.views import LineView, LiveView, View
from eventflow.cli.watch import Sight, Watch
from eventflow.clock import Clock
from eventflow.errors import ConflictError
from eventflow.model.records import WorkflowExecution
from eventflow.model.status import TaskStatus, WorkflowStatus
from eventflow.runtime.client import Client
from eventflow.store.ports import Store

LOOK_S = 0.2
# A long execution takes long to look at; looking may cost a part of the time, not all of it.
_SHARE = 5


class Killed(Exception):  # noqa: N818  what happened, and no error
    """A second Ctrl-C: the command ends at once."""


@dataclass(slots=True)
class Follower:
    """Shows executions until they are over.

    Attributes:
        timeout: Seconds after which it stops the execution; `None` for ever.
        alive: Raises when who decides has died and nothing can come any more.
    """

    client: Client
    clock: Clock
    view: View
    timeout: float | None
    alive: Callable[[], None]

    def follow(self, watch: Watch, interrupts: Interrupts) -> list[WorkflowExecution]:
        """Watch to the end; a first Ctrl-C stops the execution, as does the time-out (S29).

        Raises:
            Killed: At the second Ctrl-C.
        """
        begin = self.clock.monotonic()
        asked, late = 0, False
        with self.view:
            while True:
                looked_at = self.clock.monotonic()
                sight = watch.look()
                self.view.show(sight)
                if sight.over:
                    return sight.executions
                if interrupts.count > asked:
                    asked = interrupts.count
                    if asked > 1:
                        raise Killed
                    self.view.tell("stopping; once more Ctrl-C ends it at once")
                    self._stop(sight, "interrupted")
                now = self.clock.monotonic()
                if self.timeout is not None and now - begin > self.timeout and not late:
                    late = True
                    self.view.tell(f"stopping: not done within {self.timeout:g} s")
                    self._stop(sight, f"not done within {self.timeout:g} s")
                self.alive()
                self._wait(sight, interrupts, max(LOOK_S, (now - looked_at) * _SHARE))

    def _wait(self, sight: Sight, interrupts: Interrupts, seconds: float) -> None:
        """Until the next look: a moment, or the end of the execution that was asked for."""
        first = sight.executions[0] if sight.executions else None
        if first is None or first.ended:
            interrupts.wait(seconds)
            return

        def ended() -> bool | None:
            status = self.client.store.execution_status(first.id)
            return True if status is not None and status.ended else None

        self.client.until(ended, seconds)

    def _stop(self, sight: Sight, reason: str) -> None:
        for execution in sight.executions:
            if not execution.ended:
                with contextlib.suppress(ConflictError):  # it has ended since that look
                    self.client.stop(execution.id, reason)


def view_for(*, silent: bool) -> View:
    """How to show what goes on, on this standard output."""
    if silent:
        return View()
    return LiveView() if sys.stdout.isatty() else LineView()


def show_end(
    store: Store,
    clock: Clock,
    executions: list[WorkflowExecution],
    *,
    as_json: bool,
    brief: bool,
    option: str | None,
) -> bool:
    """Print what came of executions, and how to look further; whether all were a success.

    Args:
        option: What `--store` was given.
    """
    first, triggered = executions[0], executions[1:]
    if as_json:
        say_json({**plain(first), "triggered": plain(triggered)})
    elif brief:
        say(*[headline(one, clock.now()) for one in executions])
    else:
        for execution in executions:
            _show(store, clock, execution, option)
    # What a task ran counts as its task does: it may have been retried, or be allowed to fail.
    counted = [one for one in executions if one.parent is None]
    return all(one.status is WorkflowStatus.SUCCESS for one in counted)


def _show(store: Store, clock: Clock, execution: WorkflowExecution, option: str | None) -> None:
    console = screen()
    console.print()
    console.print(headline(execution, clock.now()), style="bold")
    console.print(tasks_table(execution.tasks, clock.now()))
    for run in execution.tasks:
        failed = failed_item_lines(store, run, option)
        if failed:
            console.print(f"\n{run.label}, items that failed:", style="bold red")
            console.print("\n".join(failed))
        elif run.status is TaskStatus.FAILED:
            for failure in store.failures(run.id)[-1:]:
                console.print(f"\n{run.label} failed:", style="bold red")
                console.print("\n".join(failure_lines(failure, run.log_path)))
    if store.files is not None:
        console.print(
            f"\nlook further: {command(f'execution show {execution.id} --history', option)}, "
            f"{command(f'execution logs {execution.id}', option)}"
        )
