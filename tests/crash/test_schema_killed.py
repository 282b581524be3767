"""Ten processes make one store, of which one is killed; another version is refused (F44)."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from place import DEADLINE_S, EVENTFLOW

from eventflow.crashpoints import VARIABLE, Action
from eventflow.store.schema import APPLICATION_ID, SCHEMA_VERSION, prepare

TEN = 10
MAKE = """
import sys
from pathlib import Path
from eventflow.errors import StoreError
from eventflow.store.schema import prepare

sys.stdin.readline()
try:
    prepare(Path(sys.argv[1]), create=True)
except StoreError as error:
    sys.exit(str(error))
"""


def start(path: Path, wrong: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", MAKE, str(path)],
        env={**os.environ, VARIABLE: wrong},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def tables(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("SELECT COUNT(*) FROM cursor").fetchone() == (1,)
        return [sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master ORDER BY name")]


@pytest.mark.long
@pytest.mark.fault("F44")
@pytest.mark.parametrize("action", [Action.KILL, Action.RAISE])
@pytest.mark.parametrize("point", ["file", "begun", "written", "committed"])
def test_f44_ten_processes_make_one_store_though_one_does_not_get_to_the_end(
    tmp_path: Path, point: str, action: Action
) -> None:
    path, clean = tmp_path / "s.db", tmp_path / "clean.db"
    # Whoever is armed reaches the point only when it is the one that makes the file or the tables.
    alone = start(path, f"schema.{point}:{action}")
    alone.communicate("\n", DEADLINE_S)
    assert alone.returncode == (-signal.SIGKILL if action is Action.KILL else 1)
    others = [start(path, "") for _ in range(TEN)]

    for other in others:
        assert other.stdin is not None
        other.stdin.write("\n")
        other.stdin.flush()
    told = [other.communicate(timeout=DEADLINE_S)[1] for other in others]

    assert [other.returncode for other in others] == [0] * TEN, told
    prepare(clean, create=True)
    assert tables(path) == tables(clean)


@pytest.mark.long
@pytest.mark.spoils
@pytest.mark.fault("F44")
@pytest.mark.parametrize("version", [SCHEMA_VERSION - 1, SCHEMA_VERSION + 1])
def test_f44_a_store_of_another_version_is_refused_by_ten_at_once_and_left_as_it_is(
    tmp_path: Path, version: int
) -> None:
    path = tmp_path / "s.db"
    prepare(path, create=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    before, names = path.read_bytes(), sorted(tmp_path.iterdir())
    words = ["execution", "list"], ["emit", "k"], ["serve"], ["fsck"], ["db", "status"]
    asked = [
        subprocess.Popen(
            [EVENTFLOW, *some, "--store", f"sqlite:///{path}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for some in words * 2
    ]

    told = [one.communicate(timeout=DEADLINE_S)[1] for one in asked]

    for one, said in zip(asked, told, strict=True):
        assert one.returncode > 0, said
        assert f"has schema version {version}, this eventflow knows {SCHEMA_VERSION}" in said
        assert "Traceback" not in said
    assert path.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == names
