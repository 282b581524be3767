"""The decorators of steps: `step`, `needs`, `optional`, `foreach`, `repeat`, `join`, `app`.

Each may stand with or without parentheses where it has no argument that it needs, and they may
stand in any order. `step` has to be among them.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, overload

from eventflow.errors import FlowDefinitionError
from eventflow.flow.marks import (
    SKIPPED,
    App,
    Combine,
    Function,
    Join,
    Marks,
    Needs,
    Reference,
    Skipped,
    Unfinished,
    name_of,
    plain_function,
)
from eventflow.operators.appvalues import AppConnection, AppPolling

F = TypeVar("F", bound=Callable[..., Any])


class Decorator(Unfinished):
    """What a decorator with arguments gives: called with the function, it returns the function."""

    def __call__(self, function: F) -> F:
        return cast(F, super().__call__(function))


@overload
def step(function: F, /) -> F: ...


@overload
def step(*, name: str = "", **settings: Any) -> Decorator: ...


def step(function: Any = None, /, *, name: str = "", **settings: Any) -> Any:
    """Make a function a step of its flow.

    Args:
        name: The step's id; the function's name by default.
        settings: Of the task: `retries=2, timeout=30, pool="solver", priority=5`, and so on.
    """

    def mark(_: Function, marks: Marks) -> None:
        marks.is_step = True
        marks.name = name or marks.name
        marks.settings.update(settings)

    decorator = Decorator("step", mark)
    return decorator if function is None else decorator(function)


def needs(
    predecessors: Sequence[Reference] | None = None,
    *,
    after: Sequence[Reference] = (),
    combine: Combine = "product",
    skipped: Skipped | Mapping[Any, Skipped] = "none",
    **named: Reference,
) -> Decorator:
    """Say which steps come before this one, as functions or names.

    Args:
        predecessors: Their results are the positional arguments, in this order.
        named: Parameter -> step whose result it is: `@needs(prices=load_prices)`.
        after: Steps that have to be over before; their results are not handed over.
        combine: With several predecessors that have many results each: every one with every other
            (`product`, the leftmost varies slowest), or those that come from the same item of a
            common `foreach` (`align`).
        skipped: What becomes of this step when a predecessor was skipped. `none`: it runs, and the
            argument is `None`. `cascade`: it is skipped too. `any`: it runs if one at least of the
            predecessors marked so was not skipped. For all of them, or by predecessor.

    Raises:
        FlowDefinitionError: If an argument is something else.
    """
    found = Needs(
        predecessors=_references(
            "needs", "predecessors", predecessors if predecessors is not None else ()
        ),
        named=dict(
            zip(named, _references("needs", "each argument", list(named.values())), strict=True)
        ),
        after=_references("needs", "after", after),
        combine=_one_of("combine", combine, get_args(Combine)),
        skipped=_checked_skipped(skipped),
    )

    def mark(function: Function, marks: Marks) -> None:
        _once("needs", function, marks.needs)
        marks.needs = found

    return Decorator("needs", mark)


def optional(condition: Function) -> Decorator:
    """Run the step only if a condition holds; else it ends SKIPPED.

    Args:
        condition: Is asked in each attempt, with a `FlowView`; falsy means skip. One that raises
            fails the step as its own code would. Of a step with many items each is asked.
    """
    if not callable(condition):
        raise FlowDefinitionError(
            f"@optional takes a function of the flow's view, got {condition!r:.200}; write "
            f"@optional(lambda flow: flow.results['check'])"
        )

    def mark(function: Function, marks: Marks) -> None:
        _once("optional", function, marks.condition)
        marks.condition = condition

    return Decorator("optional", mark)


@overload
def foreach(function: F, /) -> F: ...


@overload
def foreach(*, over: Reference | None = None) -> Decorator: ...


def foreach(function: Any = None, /, *, over: Reference | None = None) -> Any:
    """Fan out: one item for each element of a result.

    On the step that makes the elements: its result is any iterable, and every successor that is no
    join runs once for each element. Or with `over` on the step that takes them: it runs once for
    each element of that predecessor's result, which other steps still get as a whole.
    """
    if over is not None:
        _references("foreach", "over", [over])

    def mark(target: Function, marks: Marks) -> None:
        if over is None:
            marks.fan_out = True
        else:
            _once("foreach(over=...)", target, marks.over)
            marks.over = over

    decorator = Decorator("foreach", mark)
    return decorator if function is None else decorator(function)


def repeat(repetitions: int | Function) -> Decorator:
    """Run the step so many times with the same arguments; a successor gets the list of results.

    Which one it is, `current_context().index[-1]` says.

    Args:
        repetitions: A whole number from 0; or a function of the flow's view (see FlowView) that
            gives one, asked once all predecessors are over.

    Raises:
        FlowDefinitionError: If it is something else.
    """
    is_count = isinstance(repetitions, int) and not isinstance(repetitions, bool)
    if not callable(repetitions) and not (is_count and repetitions >= 0):
        raise FlowDefinitionError(
            f"@repeat takes a whole number from 0, or a function that gives one, got "
            f"{repetitions!r:.200}"
        )

    def mark(function: Function, marks: Marks) -> None:
        _once("repeat", function, marks.repetitions)
        marks.repetitions = repetitions

    return Decorator("repeat", mark)


@overload
def join(function: F, /) -> F: ...


@overload
def join(
    *, shape: Literal["flat", "rows"] = "flat", levels: Literal[1, "all"] = 1
) -> Decorator: ...


def join(
    function: Any = None,
    /,
    *,
    shape: Literal["flat", "rows"] = "flat",
    levels: Literal[1, "all"] = 1,
) -> Any:
    """Run the step once for many items, with the list of their results in item order.

    Args:
        shape: `flat` is `[r0, r1, r2]`, of single predecessors `[a, b]`. `rows` has a row for each
            combination, with an entry for each predecessor: `[[r0, b], [r1, b]]`.
        levels: 1 closes the deepest level of `foreach`; `all` closes all of them.
    """
    found = Join(
        _one_of("shape", shape, ("flat", "rows")),
        _one_of("levels", levels, (1, "all")),
    )

    def mark(target: Function, marks: Marks) -> None:
        _once("join", target, marks.join)
        marks.join = found

    decorator = Decorator("join", mark)
    return decorator if function is None else decorator(function)


def app(
    app_id: str,
    instance_id: str = "",
    *,
    options: Mapping[str, Any] | None = None,
    full_result: bool = False,
    connection: AppConnection | None = None,
    polling: AppPolling | None = None,
    recorded: Mapping[str, Any] | str | Path | None = None,
    emit_logs: bool = False,
    told_by_event: str | None = None,
) -> Decorator:
    """Have the step run at a remote service, as an AppOperator does; its body never runs.

    The input of the run is the result of its one predecessor, or the flow's. That result may be an
    AppRun, which names options of its own for this item. Arguments are those of AppOperator.
    """
    if not isinstance(app_id, str):
        raise FlowDefinitionError(
            f"@app takes the application's id, got {app_id!r:.200}: write @app('my-app')"
        )
    arguments = {
        "instance_id": instance_id,
        "options": options,
        "full_result": full_result,
        "connection": connection,
        "polling": polling,
        "recorded": recorded,
        "emit_logs": emit_logs,
        "told_by_event": told_by_event,
    }

    def mark(function: Function, marks: Marks) -> None:
        _once("app", function, marks.app)
        marks.app = App(app_id, arguments)

    return Decorator("app", mark)


def _once(decorator: str, function: Function, before: object) -> None:
    if before is not None:
        raise FlowDefinitionError(
            f"step {name_of(function)!r} has two @{decorator}; write one with all that it says"
        )


def _references(decorator: str, what: str, references: Any) -> tuple[Reference, ...]:
    if not isinstance(references, list | tuple):
        raise FlowDefinitionError(
            f"@{decorator}: {what} is a list of steps, got {references!r:.200}; write {what}=[...]"
        )
    for reference in references:
        if not isinstance(reference, str) and not callable(plain_function(reference)):
            raise FlowDefinitionError(
                f"@{decorator}: {what} names {reference!r:.200}, which is no step; give functions "
                f"or names"
            )
    return tuple(references)


def _checked_skipped(skipped: Any) -> tuple[tuple[Reference | None, Skipped], ...]:
    pairs = tuple(skipped.items()) if isinstance(skipped, Mapping) else ((None, skipped),)
    for _, policy in pairs:
        _one_of("skipped", policy, SKIPPED)
    return pairs


def _one_of(what: str, value: Any, choices: tuple[Any, ...]) -> Any:
    if value not in choices:
        told = ", ".join(map(repr, choices))
        raise FlowDefinitionError(f"{what} is one of {told}, got {value!r:.200}")
    return value
