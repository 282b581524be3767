"""The Python that `programs.py` forks: it has imported eventflow and waits for what is to be run.

Arguments: the descriptor of a socket. Each message on it is a program, with the descriptors of its
standard input, output and error and of a socket on which its pid and its end are told.
"""

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import tempfile
import time
import types
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from eventflow import crashpoints
from eventflow.cli.main import COMMANDS
from eventflow.cli.main import main as run_command

MODULES = ("eventflow.flow", "eventflow.testing", "eventflow.reporters")
LENGTH = 4
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Program:
    """What a fork is to be: `kind` says what `target` is.

    Attributes:
        kind: `command` for the console script, `code` for a text, `file` for a path.
    """

    kind: str
    target: str
    arguments: list[str]
    cwd: str
    environment: dict[str, str]
    new_session: bool


def main() -> None:
    """Fork until nobody is there who could ask; in a fork, become the program."""
    for name in (*(f"eventflow.cli.{one.module}" for one in COMMANDS.values()), *MODULES):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    program = _serve(socket.socket(fileno=int(sys.argv[1])))
    if program is not None:
        _become(program)


def _serve(asked: socket.socket) -> Program | None:
    wakes, waker = os.pipe()
    os.set_blocking(wakes, False)
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    running: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(asked, selectors.EVENT_READ)
        selector.register(wakes, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if wakes in ready:
                os.read(wakes, _CHUNK)
                _tell_ends(running)
            if asked not in ready:
                continue
            read = _read(asked)
            if read is None:
                _end_with(running)
                return None
            program, files, told = read
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for number, file in enumerate(files):
                    os.dup2(file, number)
                for end in (asked, told, *running.values()):
                    end.close()
                for file in (*files, wakes, waker):
                    os.close(file)
                return program
            for file in files:
                os.close(file)
            told.sendall(f"{pid}\n".encode())
            running[pid] = told


def _read(asked: socket.socket) -> tuple[Program, list[int], socket.socket] | None:
    data, files, _, _ = socket.recv_fds(asked, LENGTH, 4)
    if not data:
        return None
    for file in files:
        os.set_inheritable(file, False)
    text = b""
    length = int.from_bytes(data, "big")
    while len(text) < length:
        text += asked.recv(length - len(text))
    return Program(**json.loads(text)), files[:3], socket.socket(fileno=files[3])


def _tell_ends(running: dict[int, socket.socket]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        told = running.pop(pid)
        with contextlib.suppress(OSError):  # whoever wanted to know is gone
            told.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        told.close()


def _end_with(running: dict[int, socket.socket]) -> None:
    """Nobody could end them any more."""
    for pid in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in running:
        os.waitpid(pid, 0)


def _become(program: Program) -> None:
    """Run the program as a Python that was started for it would."""
    if program.new_session:
        os.setsid()
    os.chdir(program.cwd)
    os.environ.clear()
    os.environ.update(program.environment)
    time.tzset()
    tempfile.tempdir = None
    importlib.reload(crashpoints)  # which of them does what was read from the environment
    sys.excepthook = _print_from_there
    here: Any = types.ModuleType("__main__")
    here.__builtins__ = __builtins__
    sys.modules["__main__"] = here
    match program.kind:
        case "command":
            sys.argv = [program.target, *program.arguments]
            sys.path[0] = str(Path(program.target).parent)
            run_command()
        case "code":
            sys.argv = ["-c", *program.arguments]
            sys.path[0] = ""
            exec(compile(program.target, "<string>", "exec"), here.__dict__)  # noqa: S102  as `-c`
        case _:
            path = Path(program.target)
            sys.argv = [program.target, *program.arguments]
            sys.path[0] = str(path.absolute().parent)
            here.__file__ = program.target
            exec(compile(path.read_bytes(), program.target, "exec"), here.__dict__)  # noqa: S102


def _print_from_there(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """A traceback begins in the program, not here."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    sys.__excepthook__(kind, error.with_traceback(trace), trace)


if __name__ == "__main__":
    main()
