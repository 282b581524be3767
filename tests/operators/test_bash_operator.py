"""BashOperator: definitions here; it runs in both executors in tests/executors."""

from typing import Any

import pytest

from eventflow.errors import DefinitionError
from eventflow.model.arguments import Output
from eventflow.model.workflow import Workflow
from eventflow.operators.bash import BashOperator


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bash_command": ""}, "bash_command is text"),
        ({"bash_command": "  "}, "bash_command is text"),
        ({"bash_command": ["ls"]}, "bash_command is text"),
        ({"bash_command": "a\0b"}, "bash_command is text"),
        ({"bash_command": Output("day")}, "env={'VALUE': day.output}"),
        ({"bash_command": "ls", "env": ["A"]}, "env is a dict of variables"),
        ({"bash_command": "ls", "env": {"A=B": "1"}}, "no name of an environment variable"),
        ({"bash_command": "ls", "env": {"": "1"}}, "no name of an environment variable"),
    ],
)
def test_a_wrong_definition_is_refused(arguments: dict[str, Any], message: str) -> None:
    with Workflow("w") as workflow, pytest.raises(DefinitionError) as caught:
        BashOperator("list", **arguments)

    assert "operator 'list'" in str(caught.value)
    assert message in str(caught.value)
    assert workflow.tasks == {}


def test_its_definition_has_command_variables_and_folder() -> None:
    with Workflow("w") as workflow:
        BashOperator("day", "date")
        show = BashOperator("show", 'echo "$DAY"', env={"DAY": Output("day"), "N": 1}, cwd="/tmp")

    assert show.takes == ("day",)
    told = workflow.definition()["tasks"][1]
    assert told["bash_command"] == 'echo "$DAY"'
    assert told["env"] == {"DAY": {"output": "day"}, "N": 1}
    assert told["cwd"] == "/tmp"
