"""`eventflow pool`, and the hints of what would wait for a pool."""

import signal
from pathlib import Path

import pytest
from cli_shell import Shell

TRAINING = """
from eventflow import BashOperator, Workflow

with Workflow("training", namespace="ml") as w:
    BashOperator("train", bash_command="echo $$ > journal", pool="gpu")
"""
HINT = (
    "task 'train' of training waits for a slot of pool 'gpu' until that is set, as: "
    "eventflow pool set gpu 2 --namespace ml"
)


@pytest.fixture
def file(shell: Shell) -> Path:
    path = shell.folder / "training.py"
    path.write_text(TRAINING)
    return path


@pytest.mark.rule("S44")
def test_a_pool_is_set_while_serve_holds_the_store_and_what_waited_goes_on(
    shell: Shell, file: Path
) -> None:
    with shell.begin("serve", file.name) as serving:
        serving.line("ready")
        journal = shell.fifo("journal")
        started = shell.json("execution", "start", "training", "--namespace", "ml")
        (waiting,) = shell.json("pool", "list")
        assert (waiting["slots"], waiting["is_set"], waiting["waiting"]) == (0, False, 1)
        shown = shell("execution", "show", started["execution"])
        assert "QUEUED: waits for a slot of pool 'gpu', which has not been set" in shown.stdout
        explained = shell("execution", "explain", started["execution"], "train")
        assert explained.stdout.count("pool gpu: nobody has set it, 0 held, 1 waiting") == 1
        assert "0 (not set)" in shell("pool", "list").stdout

        told = shell.json("pool", "set", "gpu", "2", "--namespace", "ml")
        assert (told["pool"], told["slots"], told["did"]) == ("gpu", 2, "set")
        journal.line()
        again = shell("pool", "set", "gpu", "2", "--namespace", "ml")
        assert again.stdout == "pool gpu, 2 slots: ignored: set so already\n"
        shell("pool", "set", "default", "unlimited")
        assert {pool["name"]: pool["slots"] for pool in shell.json("pool", "list")} == {
            "default": None,
            "gpu": 2,
        }
        serving.signal(signal.SIGTERM)
        assert HINT in serving.end()[2]


@pytest.mark.rule("S44")
def test_check_and_run_say_which_pool_is_to_be_set(shell: Shell, file: Path) -> None:
    assert f"hint: {HINT}" in shell("check", file.name).stdout
    (checked,) = shell.json("check", file.name)
    assert (checked["hints"], checked["warnings"]) == ([HINT], [])

    unset = shell("run", file.name, "--timeout", "1")
    assert HINT in unset.stderr
    shell("pool", "set", "gpu", "1", "--namespace", "ml")
    assert "no scheduler runs" in shell("pool", "set", "gpu", "1", "--namespace", "ml").stdout


WRONG = {
    ("gpu", "many"): "SLOTS 'many' is neither a number from 0 nor 'unlimited'",
    ("gpu", "1000001"): "whole number from 0 to 1000000",
    ("g pu", "1"): "pool name 'g pu' is not one token",
    ("gpu", "1", "--namespace", "a.b"): "namespace name 'a.b' is not one token",
}


def test_a_pool_that_cannot_be_is_refused_in_one_line(shell: Shell) -> None:
    shell("run", "good.py", "--executor", "threads")

    for arguments, told in WRONG.items():
        done = shell("pool", "set", *arguments)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert told in done.stderr
    assert shell.json("pool", "list") == []
