"""`eventflow db ...`, and a service with a retention beside emitters."""

import signal
import threading
from pathlib import Path

import pytest
from cli_shell import Shell

from eventflow.errors import DuplicateEventError
from eventflow.runtime.remote import RemoteClient


@pytest.fixture
def ran(shell: Shell) -> Shell:
    """A folder with a store in which a workflow has run, twice."""
    for _ in range(2):
        assert shell("run", "good.py", "--executor", "threads").returncode == 0
    return shell


def test_prune_says_what_would_go_and_deletes_it(ran: Shell) -> None:
    assert ran.json("db", "prune", "--older-than", "1h")["executions"] == 0
    dry = ran.json("db", "prune", "--older-than", "0s", "--dry-run")
    assert (dry["dry_run"], dry["executions"]) == (True, 2)

    done = ran("db", "prune", "--older-than", "0s")

    assert done.stdout.startswith(f"2 executions, {dry['runs']} task executions, {dry['events']} ")
    assert ran.json("execution", "list") == []
    assert ran("replay").returncode == 2
    again = ran("run", "good.py", "--executor", "threads")
    assert again.returncode == 0
    assert [one["id"] for one in ran.json("execution", "list")] == [3]
    missing = ran("execution", "show", "2")
    assert (missing.returncode, "it was pruned" in missing.stderr) == (2, True)
    assert "does not begin at its beginning" in ran("replay").stderr


@pytest.mark.parametrize("age", ["", "30", "d", "-1d", "1 d", "1.5h", "1y", "²d"])
def test_an_age_that_is_none_is_refused(ran: Shell, age: str) -> None:
    done = ran("db", "prune", f"--older-than={age}")
    assert (done.returncode, "no length of time" in done.stderr) == (2, True)


def test_a_backup_is_restored(ran: Shell) -> None:
    made = ran.json("db", "backup", "copy.db")
    assert made["events"] > 20
    assert ran("db", "backup", "copy.db").returncode == 2
    ran("db", "prune", "--older-than", "0s")

    assert ran("db", "restore", "copy.db").returncode == 2
    done = ran.json("db", "restore", "copy.db", "--force")

    assert Path(done["moved_aside"]).is_file()
    assert len(ran.json("execution", "list")) == 2
    assert ran("replay").returncode == 0
    assert ran("db", "restore", "copy.db", "--store", "sqlite:///new.db").returncode == 0
    assert ran("replay", "--store", "sqlite:///new.db").returncode == 0


def test_status_says_what_is_there(ran: Shell) -> None:
    found = ran.json("db", "status")
    assert (found["holder"], found["rows"]["workflow_execution"]) == (None, 2)
    assert found["would_prune"]["executions"] == 0
    assert ran.json("db", "status", "--older-than", "0s")["would_prune"]["executions"] == 2
    assert "held by nobody" in ran("db", "status").stdout


def test_commands_need_a_store(shell: Shell) -> None:
    for command in (["prune", "--older-than", "1d"], ["status"], ["backup", "copy.db"]):
        done = shell("db", *command)
        assert (done.returncode, done.stdout) == (2, ""), command
        assert "Traceback" not in done.stderr
    assert not (shell.folder / "eventflow.db").exists()
    assert not (shell.folder / "copy.db").exists()


@pytest.mark.rule("S2", "S3")
def test_a_service_prunes_beside_emitters_and_nothing_within_the_retention_is_lost(
    shell: Shell,
) -> None:
    store = "sqlite:///live.db"
    url = f"sqlite:///{shell.folder}/live.db"
    sent: dict[str, int] = {}
    with shell.begin("serve", "two.py", "--store", store, "--retention", "1h") as program:
        program.line("ready")
        stopped = threading.Event()

        def emit(name: str) -> None:
            with RemoteClient(url) as remote:
                number = 0
                while not stopped.wait(0.05):
                    number += 1
                    key = f"{name}-{number}"
                    sent[key] = remote.client.emit("noted", number, id=key, sender=name).offset

        emitters = [threading.Thread(target=emit, args=(name,)) for name in ("a", "b")]
        for thread in emitters:
            thread.start()
        gone = 0
        try:
            for _ in range(2):
                shell("execution", "start", "one", "--wait", "--store", store)
                within = shell.json("db", "prune", "--older-than", "1h", "--store", store)
                assert (within["executions"], within["events"]) == (0, 0)
            known = set(sent.values())
            with RemoteClient(url) as remote:
                found = remote.store.read(keys=["noted"], limit=1_000_000)
            assert known <= {one.offset for one in found}
            for _ in range(2):
                shell("execution", "start", "one", "--wait", "--store", store)
                gone += shell.json("db", "prune", "--older-than", "0s", "--store", store)["events"]
        finally:
            stopped.set()
            for thread in emitters:
                thread.join()
        program.signal(signal.SIGTERM)
        code, _, errors = program.end()
    assert (code, "Traceback" in errors) == (0, False)
    assert gone > 0
    with RemoteClient(url) as remote:
        for key, offset in sent.items():
            name, number = key.split("-")
            again = remote.client.emit("noted", int(number), id=key, sender=name)
            assert again.offset == offset
            if int(number) % 10 == 0:
                with pytest.raises(DuplicateEventError):
                    remote.client.emit("noted", "other", id=key, sender=name)


def test_a_service_prunes_when_it_starts_and_goes_on(ran: Shell) -> None:
    with ran.begin("serve", "two.py", "--retention", "0s") as program:
        program.line("ready")
        with RemoteClient(f"sqlite:///{ran.folder}/eventflow.db") as remote:
            gone = remote.until(lambda: None if remote.store.executions() else True, 30)
        assert gone
        assert ran("execution", "start", "one", "--wait").returncode == 0
        program.signal(signal.SIGTERM)
        code, _, errors = program.end()
    assert code == 0
    assert "retention.pruned executions=2" in errors


def test_a_retention_that_is_no_length_of_time_is_refused(shell: Shell) -> None:
    done = shell("serve", "two.py", EVENTFLOW_RETENTION="soon")
    assert (done.returncode, "retention 'soon' is no length of time" in done.stderr) == (2, True)
