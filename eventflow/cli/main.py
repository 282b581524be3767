"""`eventflow`: the table of commands, and what becomes of errors.

Exit status: 0 done, 1 the work failed, 2 wrong usage or input. A mistake of the user's is one line
on standard error; a traceback is a bug of ours.

This is the lazy loader: the module of the one command that was named is imported, and no other, so
that `eventflow --help` loads neither SQLAlchemy nor the timers.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import typer

from eventflow import __version__
from eventflow.cli.printing import forget_reader
from eventflow.errors import EventflowError

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130
_COMPLETION = "_EVENTFLOW_COMPLETE"


class Command(NamedTuple):
    """Where a command is: a function, or an app with commands of its own."""

    module: str
    name: str
    help: str


COMMANDS = {
    "run": Command("run", "run", "Run a workflow of a file, show it live, and wait for its end."),
    "serve": Command("serve", "serve", "Run the scheduler for the workflows of files or folders."),
    "emit": Command("emit", "emit", "Emit an event."),
    "workflow": Command(
        "workflows", "app", "List, show, draw, explain, pause and resume workflows."
    ),
    "execution": Command(
        "executions", "app", "Start, retry, list, show, explain and stop executions; logs."
    ),
    "task": Command("tasks", "app", "Start, stop and restart tasks of a running execution."),
    "event": Command(
        "events", "app", "List, count and follow the events of the log; failed conditions."
    ),
    "schedule": Command("schedules", "app", "List schedules and the times at which they are due."),
    "pool": Command("pools", "app", "List pools, and set how many of their tasks run at once."),
    "db": Command("db", "app", "Prune, back up, restore and measure the store."),
    "replay": Command("replay", "replay", "Decide a log again, and compare what comes out."),
    "fsck": Command("fsck", "check_store", "Check that a store is whole, and say what to do."),
    "check": Command("check", "check", "Check the workflows of a file without running them."),
}


def main() -> None:
    """The console script."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: Sequence[str]) -> int:
    """Do what the command line says; return the exit status."""
    if _COMPLETION in os.environ:
        _app(set(COMMANDS))()
    named = next((one for one in arguments if not one.startswith("-")), "")
    try:
        command = typer.main.get_command(_app({named}))
        with command.make_context("eventflow", list(arguments) or ["--help"]) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as end:
        return end.exit_code if arguments else WRONG
    except typer.Abort:
        return INTERRUPTED
    except typer.TyperException as error:
        return _refuse(error.format_message())
    except EventflowError as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        forget_reader()  # or Python would complain at its exit
        return FAILED
    return DONE


def _app(named: set[str]) -> typer.Typer:
    """The commands; those that are named with their modules, the others by their help only."""
    app = typer.Typer(
        help="Event-driven, rule-based scheduler: workflows, rules and one durable event log.",
        epilog="Exit status: 0 done, 1 the work failed, 2 wrong usage or input.",
        no_args_is_help=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    for name, entry in COMMANDS.items():
        if name not in named:
            app.command(name, help=entry.help)(_not_loaded)
            continue
        found = getattr(importlib.import_module(f"eventflow.cli.{entry.module}"), entry.name)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, help=entry.help)
        else:
            app.command(name)(found)
    return app


def _not_loaded() -> None:
    raise typer.Exit(WRONG)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"eventflow {__version__}")
        raise typer.Exit(DONE)


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options of `eventflow` itself; `--version` has ended it by now."""


def _refuse(message: str) -> int:
    """One line on standard error, or a page of help where a group was called without a command."""
    text = message.rstrip()
    if text.startswith("Usage:"):
        sys.stderr.write(f"{text}\n")
    else:
        sys.stderr.write(f"eventflow: {' '.join(text.split())}\n")
    return WRONG


if __name__ == "__main__":
    main()
