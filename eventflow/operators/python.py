"""PythonOperator: a task that calls a function; and `task`, which makes one of a function."""

import asyncio
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

from eventflow.errors import DefinitionError
from eventflow.model.arguments import Element, Output, fill
from eventflow.model.context import TaskContext
from eventflow.model.jsonvalue import JsonValueError, encode
from eventflow.model.operator import Operator


class PythonOperator(Operator):
    """Calls `python_callable(*op_args, **op_kwargs)`; what it returns is the task's result.

    An `async def` callable is run with `asyncio.run`. Inside, `current_context()` is the context.

    Args:
        python_callable: Anything that can be called.
        op_args: Its positional arguments; may hold `other.output`, at any depth.
        op_kwargs: Its keyword arguments, likewise.

    Raises:
        DefinitionError: If it cannot be called, or not with these arguments.
    """

    def __init__(
        self,
        name: str,
        python_callable: Callable[..., Any],
        op_args: Sequence[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **config: Any,
    ) -> None:
        if not callable(python_callable):
            raise DefinitionError(
                f"operator {name!r}: python_callable must be a function, got {python_callable!r}"
            )
        self.python_callable = python_callable
        self.op_args = _checked_args(name, op_args)
        self.op_kwargs = _checked_kwargs(name, op_kwargs)
        check_no_operator(name, [self.op_args, self.op_kwargs])
        if not _fits(python_callable, (None, *self.op_args), self.op_kwargs):
            # Of a task that is mapped in a moment, the item comes first; any other is looked at
            # again when the workflow is complete.
            _check_arity(name, python_callable, self.op_args, self.op_kwargs)
        super().__init__(name, **config)

    @property
    def arguments(self) -> Any:
        return [given for given in (self.op_args, self.op_kwargs) if given]

    @property
    def docs(self) -> str:
        # Of an instance that can be called, Python would give the words about its class.
        function = self.python_callable
        return (inspect.getdoc(function) or "") if inspect.isroutine(function) else ""

    def check_places(self) -> None:
        super().check_places()
        hands_item = self.mapped is not None and self.mapped.item is not None
        args = (None, *self.op_args) if hands_item else self.op_args
        _check_arity(self.name, self.python_callable, args, self.op_kwargs)

    def start(self, context: TaskContext) -> Any:
        args = fill(self.op_args, context.value_of)
        kwargs = fill(self.op_kwargs, context.value_of)
        if self._map is not None and (mapped := self.mapped) and mapped.item is not None:
            args = (context.value_of(mapped.item), *args)
        result = self.python_callable(*args, **kwargs)
        return asyncio.run(result) if inspect.iscoroutine(result) else result

    def describe(self) -> dict[str, Any]:
        return {
            **super().describe(),
            "python_callable": _named(self.python_callable),
            "op_args": plain(self.op_args),
            "op_kwargs": plain(self.op_kwargs),
        }


class TaskFactory:
    """A function that becomes a task when it is called inside `with Workflow(...):`."""

    def __init__(self, function: Callable[..., Any], name: str, config: dict[str, Any]) -> None:
        self.function = function
        self._name = name
        self._config = config
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> PythonOperator:
        """Make the task; the arguments are the function's, and may be outputs of other tasks."""
        return PythonOperator(self._name, self.function, args, kwargs, **self._config)

    def named(self, name: str, **config: Any) -> "TaskFactory":
        """The same function for a task of another name, and with other settings."""
        return TaskFactory(self.function, name, {**self._config, **config})


@overload
def task(function: Callable[..., Any], /) -> TaskFactory: ...


@overload
def task(
    *, name: str | None = None, **config: Any
) -> Callable[[Callable[..., Any]], TaskFactory]: ...


def task(
    function: Callable[..., Any] | None = None, /, *, name: str | None = None, **config: Any
) -> TaskFactory | Callable[[Callable[..., Any]], TaskFactory]:
    """Make tasks of a function: `@task`, or `@task(retries=2)` with settings of an operator.

    Inside `with Workflow(...):` a call makes a PythonOperator named after the function:
    `b = double(a.output)`. A second one needs a name: `double.named("again")(b.output)`.
    """

    def decorate(decorated: Callable[..., Any]) -> TaskFactory:
        if not callable(decorated):
            raise DefinitionError(f"@task is for functions, got {decorated!r}")
        own = name if name is not None else getattr(decorated, "__name__", "")
        return TaskFactory(decorated, own, config)

    return decorate if function is None else decorate(function)


def plain(value: Any) -> Any:
    """A value as JSON for a definition: an output by its task, other things by their type.

    Never by their `repr`, which may hold an address and would make each definition a new one.
    """
    match value:
        case Output(task_name, at):
            return {"output": task_name, "at": list(at)} if at else {"output": task_name}
        case Element(axis):
            return {"element": axis}
        case dict():
            return {str(key): plain(member) for key, member in value.items()}
        case list() | tuple():
            return [plain(member) for member in value]
    try:
        encode(value)
    except JsonValueError:
        return {"type": _named(type(value))}
    return value


def _named(thing: Any) -> str:
    while isinstance(thing, functools.partial):
        thing = thing.func
    if not hasattr(thing, "__qualname__"):
        thing = type(thing)
    # A method of a type in C has no module of its own.
    module = getattr(thing, "__module__", None) or type(thing).__module__
    return f"{module}:{thing.__qualname__}"


def _checked_args(name: str, op_args: Sequence[Any] | None) -> tuple[Any, ...]:
    if op_args is None:
        return ()
    if isinstance(op_args, str | bytes) or not isinstance(op_args, Sequence):
        raise DefinitionError(f"operator {name!r}: op_args is a list, got {op_args!r}")
    return tuple(op_args)


def _checked_kwargs(name: str, op_kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
    if op_kwargs is None:
        return {}
    if not isinstance(op_kwargs, Mapping) or not all(isinstance(key, str) for key in op_kwargs):
        raise DefinitionError(
            f"operator {name!r}: op_kwargs is a dict with names as keys, got {op_kwargs!r}"
        )
    return dict(op_kwargs)


def check_no_operator(name: str, arguments: Any) -> None:
    """Refuse a task itself, at any depth, where its output was meant.

    Raises:
        DefinitionError: If there is one; says how its result is written.
    """
    match arguments:
        case Operator():
            raise DefinitionError(
                f"operator {name!r}: an argument is the task {arguments.name!r} itself; its "
                f"result is {arguments.name}.output"
            )
        case dict():
            for member in arguments.values():
                check_no_operator(name, member)
        case list() | tuple():
            for member in arguments:
                check_no_operator(name, member)


def _fits(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    try:
        _check_arity("", function, args, kwargs)
    except DefinitionError:
        return False
    return True


def _check_arity(
    name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # some builtins do not tell their signature
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise DefinitionError(
            f"operator {name!r}: {_named(function)}{signature} cannot be called so: {error}"
        ) from error
