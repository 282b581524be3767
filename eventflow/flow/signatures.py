"""What a step's function can take, and whether that is what its predecessors give."""

import inspect
from collections.abc import Sequence
from typing import Any

from eventflow.errors import FlowDefinitionError
from eventflow.flow.marks import Function, place_of
from eventflow.flow.steps import FlowStep, signature_of

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def takes_self(step: FlowStep) -> bool:
    """Whether the function's first parameter is the flow: it is called `self`, and it is no
    static method.
    """
    if isinstance(step.function, staticmethod):
        return False
    if isinstance(step.function, classmethod):
        return True
    signature = step.signature
    first = next(iter(signature.parameters), "") if signature is not None else ""
    return first == "self"


def takes_nothing(step: FlowStep) -> bool:
    """Whether the function has no parameter for a result: it is handed none, whatever it needs."""
    signature = step.signature
    if signature is None:
        return False
    return len(signature.parameters) == int(takes_self(step))


def arguments_of(step: FlowStep) -> tuple[int, tuple[str, ...]]:
    """How many positional arguments the step is handed, and by which names the others."""
    positional = sum(1 for edge in step.data if not edge.keyword)
    named = tuple(edge.keyword for edge in step.data if edge.keyword)
    if step.marks.join is not None:
        positional = min(positional, 1)
    return positional, named


def check_step(step: FlowStep) -> None:
    """Refuse a function that cannot be called with what the step is handed.

    Raises:
        FlowDefinitionError: If it cannot; says what it takes and what it gets.
    """
    signature = step.signature
    if signature is None or takes_nothing(step):
        return
    positional, named = arguments_of(step)
    handed = [None] * (positional + int(takes_self(step)))
    if not step.edges and _takes_one(signature, len(handed)):
        handed.append(None)
    try:
        signature.bind(*handed, **dict.fromkeys(named))
    except TypeError as error:
        given = [edge.source for edge in step.data if not edge.keyword]
        told = (
            ", ".join(
                [*given, *(f"{edge.keyword}={edge.source}" for edge in step.data if edge.keyword)]
            )
            or "the flow's input"
        )
        raise FlowDefinitionError(
            f"step {step.id!r} at {place_of(step.function)}: {step.id}{signature} cannot be called "
            f"with what it needs ({told}): {error}{_hint(step)}"
        ) from error


def _hint(step: FlowStep) -> str:
    given = [edge.source for edge in step.data if not edge.keyword]
    if step.marks.join is None or len(given) < 2:
        return ""
    named = ", ".join(f"{name}={name}" for name in given)
    return (
        f"; a join puts them all into one list, unless they are named: @needs({named}), after the "
        f"names of its parameters"
    )


def takes_input(step: FlowStep) -> bool:
    """Whether a start step has a parameter for the flow's input."""
    signature = step.signature
    return signature is None or _takes_one(signature, int(takes_self(step)))


def has_default(step: FlowStep) -> bool:
    """Whether that parameter has a default of its own."""
    signature = step.signature
    if signature is None:
        return False
    after = list(signature.parameters.values())[int(takes_self(step)) :]
    first = next(iter(after), None)
    if first is None:
        return False
    return first.kind is first.VAR_POSITIONAL or first.default is not first.empty


def needs_input(step: FlowStep) -> bool:
    """Whether a start step has a parameter for the flow's input, and no default for it."""
    return (
        not step.edges
        and step.signature is not None
        and not takes_nothing(step)
        and takes_input(step)
        and not has_default(step)
    )


def _takes_one(signature: inspect.Signature, before: int) -> bool:
    after = list(signature.parameters.values())[before:]
    return any(
        parameter.kind in _POSITIONAL or parameter.kind is parameter.VAR_POSITIONAL
        for parameter in after
    )


def check_callback(step: str, decorator: str, function: Function) -> None:
    """Refuse a condition or a count that can take neither nothing nor one view.

    Raises:
        FlowDefinitionError: If it cannot.
    """
    signature = signature_of(function)
    if signature is None or _binds(signature, ()) or _binds(signature, (None,)):
        return
    raise FlowDefinitionError(
        f"step {step!r}: the function of @{decorator} at {place_of(function)} takes {signature}; "
        f"it is handed the flow's view alone"
    )


def call_with_view(function: Function, view: Any) -> Any:
    """Call a condition or a count, with the view if it takes one."""
    signature = signature_of(function)
    wants = signature is None or _binds(signature, (view,))
    return function(view) if wants else function()


def _binds(signature: inspect.Signature, args: Sequence[Any], **kwargs: Any) -> bool:
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return False
    return True
