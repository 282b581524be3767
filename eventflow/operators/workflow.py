"""WorkflowOperator: a task that runs another workflow (S40)."""

from collections.abc import Mapping
from typing import Any

from eventflow.errors import DefinitionError, TaskError
from eventflow.model.arguments import Output
from eventflow.model.context import TaskContext
from eventflow.model.keys import check_name
from eventflow.model.operator import Operator
from eventflow.model.workflow import Workflow
from eventflow.operators.python import check_no_operator, plain


class WorkflowOperator(Operator):
    """Runs a workflow as a sub-execution: its status is the task's, and it is stopped with it.

    The newest snapshot of the workflow runs. The task's result names the sub-execution:
    `{"workflow_execution_id": 7, "workflow": "prepare"}`. A retry makes a new sub-execution.

    Args:
        workflow: A workflow, which is registered with this one; or the name of a registered one of
            the same namespace, or `"namespace/name"`.
        params: The params of the sub-execution; may hold `other.output`, at any depth.

    Raises:
        DefinitionError: If `workflow` or `params` is something else, or a pool is given (S44).
    """

    def __init__(
        self,
        name: str,
        workflow: Workflow | str,
        params: Mapping[str, Any] | Output | None = None,
        **config: Any,
    ) -> None:
        if not isinstance(workflow, Workflow) and not _is_name(workflow):
            raise DefinitionError(
                f"operator {name!r}: workflow is a Workflow, or a name as 'child' or "
                f"'namespace/child', got {workflow!r}"
            )
        if "pool" in config:
            raise DefinitionError(
                f"operator {name!r} runs a workflow and takes no slot of a pool while it waits; "
                f"give the pool to the tasks of that workflow"
            )
        self._target = workflow
        self.params = _checked(name, params)
        super().__init__(name, **config)

    @property
    def runs_workflow(self) -> tuple[str, str]:
        if isinstance(self._target, Workflow):
            return self._target.namespace, self._target.name
        namespace, _, name = self._target.rpartition("/")
        return namespace or self.workflow.namespace, name

    @property
    def sub_workflow(self) -> Workflow | None:
        return self._target if isinstance(self._target, Workflow) else None

    @property
    def arguments(self) -> Any:
        return self.params

    def start(self, context: TaskContext) -> Any:
        """Never called: the scheduler starts the sub-execution itself, and no executor is asked.

        Raises:
            TaskError: Always; a subclass that overrides `runs_workflow` gets here.
        """
        raise TaskError(
            f"task {self.name!r} runs workflow {self.runs_workflow[1]!r}, which a scheduler does; "
            f"there is nothing to start in an executor"
        )

    def describe(self) -> dict[str, Any]:
        namespace, name = self.runs_workflow
        return {
            **super().describe(),
            "workflow": {"namespace": namespace, "name": name},
            "params": plain(self.params),
        }


def _is_name(workflow: object) -> bool:
    if not isinstance(workflow, str):
        return False
    namespace, slash, name = workflow.rpartition("/")
    try:
        check_name("workflow", name)
        if slash:
            check_name("namespace", namespace)
    except DefinitionError:
        return False
    return True


def _checked(name: str, params: Mapping[str, Any] | Output | None) -> dict[str, Any] | Output:
    if params is None:
        return {}
    if isinstance(params, Output):
        return params
    if not isinstance(params, Mapping) or not all(isinstance(key, str) for key in params):
        raise DefinitionError(
            f"operator {name!r}: params is a dict with names as keys, or an output, got {params!r}"
        )
    check_no_operator(name, params)
    return dict(params)
