"""BashOperator: a task that runs a command with bash.

Values of other tasks reach the command through environment variables only, never by putting text
into the command: what a variable holds is not read as shell by bash (C15).
"""

import errno
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from eventflow.errors import DefinitionError, TaskError
from eventflow.model.arguments import Output, fill
from eventflow.model.context import TaskContext
from eventflow.model.itemname import index_text
from eventflow.model.jsonvalue import encode
from eventflow.model.operator import Operator
from eventflow.operators.python import plain

ITEM, INDEX = "EVENTFLOW_ITEM", "EVENTFLOW_ITEM_INDEX"
_DRAIN_S = 1.0


class CommandError(TaskError):
    """A command left with another exit code than 0, was killed, or could not be started."""


class BashOperator(Operator):
    """Runs `bash -c bash_command`; exit code 0 is success. Its output goes into the task's log.

    The command also gets `EVENTFLOW_STORE` and `EVENTFLOW_TASK_EXECUTION`, so that `eventflow emit`
    in it is scoped to this execution. In an item of a mapped task (S43) `EVENTFLOW_ITEM` is what
    the item is about, as `env` has it: text as it is, so that `"$EVENTFLOW_ITEM"` may be a path or
    a name, and any other value as JSON. `EVENTFLOW_ITEM_INDEX` is its index: `17`, or `3,1` where
    maps nest.

    Args:
        bash_command: The command, as it stands. Values come by `env`: `bash_command='echo "$DAY"',
            env={"DAY": other.output}`.
        env: More environment variables; text as it is, other values as JSON; may be outputs.
        cwd: Folder to run in; the scheduler's own by default.

    Raises:
        DefinitionError: If the command, a variable or the folder is not well formed.
    """

    def __init__(
        self,
        name: str,
        bash_command: str,
        env: Mapping[str, Any] | None = None,
        cwd: str | Path | None = None,
        **config: Any,
    ) -> None:
        self.bash_command = _checked_command(name, bash_command)
        self.env = _checked_env(name, env)
        self.cwd = str(cwd) if cwd is not None else None
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        super().__init__(name, **config)

    @property
    def arguments(self) -> Any:
        return self.env

    def describe(self) -> dict[str, Any]:
        own = {"bash_command": self.bash_command, "env": plain(self.env), "cwd": self.cwd}
        return {**super().describe(), **own}

    def start(self, context: TaskContext) -> None:
        run = context.task_execution.id
        # In a thread there is no group yet that would end with the attempt.
        own_group = not context.own_group
        process = self._launch(context, own_group=own_group)
        self._running[run] = process
        try:
            if context.should_stop():  # the stop may have come before there was a process
                self.stop(context)
            code = _output_to_log(process, context) if own_group else _wait(process, context)
        finally:
            del self._running[run]
            if own_group:
                _signal_group(process.pid, signal.SIGKILL)
            process.wait()
        if code != 0:
            raise CommandError(_how_it_ended(code))

    def stop(self, context: TaskContext) -> None:
        process = self._running.get(context.task_execution.id)
        if process is None:
            return
        if context.own_group:
            # The rest is the executor's: it kills the group when the grace is over.
            _signal_group(os.getpgrp(), signal.SIGTERM)
            return
        _signal_group(process.pid, signal.SIGTERM)
        try:
            process.wait(self.settings.stop_grace / 2)
        except subprocess.TimeoutExpired:
            _signal_group(process.pid, signal.SIGKILL)

    def _launch(self, context: TaskContext, *, own_group: bool) -> subprocess.Popen[bytes]:
        bash = shutil.which("bash")
        if bash is None:
            raise CommandError("there is no 'bash' on the PATH of the scheduler; install it")
        output = subprocess.PIPE if own_group else None
        try:
            return subprocess.Popen(
                [bash, "-c", self.bash_command],
                env=self._environment(context),
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if own_group else None,
                start_new_session=own_group,
            )
        except OSError as error:
            if error.errno == errno.E2BIG:
                raise CommandError(
                    "the command and its variables are too long for the system; hand over large "
                    "values as a file"
                ) from error
            raise CommandError(f"bash cannot be started: {error}") from error

    def _environment(self, context: TaskContext) -> dict[str, str]:
        # Those of an item would be of another one, when the scheduler itself runs in an item.
        variables = {name: text for name, text in os.environ.items() if name not in (ITEM, INDEX)}
        variables.update(context.environment)
        values = {**self._of_item(context), **fill(self.env, context.value_of)}
        for name, value in values.items():
            text = value if isinstance(value, str) else encode(value)
            if "\0" in text:
                raise CommandError(f"variable {name!r} holds a NUL, which no variable can")
            variables[name] = text
        return variables

    def _of_item(self, context: TaskContext) -> dict[str, Any]:
        """What an item of a mapped task is told beside `env`; nothing in any other task (S43)."""
        mapped = self.mapped
        if not context.index or mapped is None:
            return {}
        about = {ITEM: context.item} if mapped.item is not None else {}
        return {**about, INDEX: index_text(context.index)}


def _wait(process: "subprocess.Popen[bytes]", context: TaskContext) -> int:
    """The exit code. A SIGTERM to the group, which is a stop, leaves bash the time to clean up."""
    while True:
        try:
            return process.wait()
        except SystemExit:
            if not context.should_stop():
                raise


def _output_to_log(process: "subprocess.Popen[bytes]", context: TaskContext) -> int:
    """Copy the output to the log, line by line, until bash has ended; return its exit code."""
    assert process.stdout is not None  # noqa: S101  it was made with a pipe
    reader = threading.Thread(target=_copy, args=(process.stdout, context), daemon=True)
    reader.start()
    code = process.wait()
    # What bash left running in its group would hold the pipe open; a process that has left the
    # group may hold it for ever, and is not waited for.
    _signal_group(process.pid, signal.SIGKILL)
    reader.join(_DRAIN_S)
    return code


def _copy(output: IO[bytes], context: TaskContext) -> None:
    with output:
        while line := output.readline(64 * 1024):
            context.log.info("%s", line.decode("utf-8", "replace").rstrip("\n"))


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return  # it has ended


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"bash was killed by {_signal_name(-code)}"
    name = _signal_name(code - 128)
    killed = f"; its command was killed by {name}" if name.startswith("SIG") else ""
    return f"bash left with exit code {code}{killed}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _checked_command(name: str, command: Any) -> str:
    if isinstance(command, Output):
        raise DefinitionError(
            f"operator {name!r}: an output cannot be the command; hand it over by "
            f"env={{'VALUE': {command.task_name}.output}} and read \"$VALUE\" in the command"
        )
    if not isinstance(command, str) or not command.strip() or "\0" in command:
        raise DefinitionError(
            f"operator {name!r}: bash_command is text such as 'python prepare.py', got {command!r}"
        )
    return command


def _checked_env(name: str, env: Any) -> dict[str, Any]:
    if env is None:
        return {}
    if not isinstance(env, Mapping):
        raise DefinitionError(f"operator {name!r}: env is a dict of variables, got {env!r}")
    for variable in env:
        if not isinstance(variable, str) or not variable or set(variable) & {"=", "\0"}:
            raise DefinitionError(
                f"operator {name!r}: {variable!r} is no name of an environment variable"
            )
    return dict(env)
