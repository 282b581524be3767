"""A store's file that is linked, replaced, or on a disk of several machines (F14, F45)."""

import os
import threading
from pathlib import Path

import pytest

from eventflow import Scheduler
from eventflow.clock import SystemClock
from eventflow.errors import StoreBusyError, StoreError, StoreGoneError
from eventflow.runtime import timers
from eventflow.store import disks
from eventflow.store.opening import open_store

SOON_S = 20
MOUNTS = r"""21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
25 21 0:22 / /proc rw,nosuid shared:5 - proc proc rw
40 21 0:45 / /srv/two\040words rw,relatime shared:9 - nfs4 nas:/export rw,vers=4.2
41 40 0:46 / /srv/two\040words/local rw shared:10 - xfs /dev/sdb1 rw
42 21 0:47 / /mnt/over rw - ext4 /dev/sdc1 rw
43 42 0:48 / /mnt/over rw - fuse.sshfs host: rw
cut off
"""


def made(folder: Path, name: str = "store.db") -> Path:
    open_store(f"sqlite:///{folder / name}", clock=SystemClock()).close()
    return folder / name


@pytest.mark.spoils
@pytest.mark.fault("F14")
def test_f14_a_file_with_a_second_name_is_refused_by_either(tmp_path: Path) -> None:
    path = made(tmp_path)
    second = tmp_path / "second.db"
    second.hardlink_to(path)
    content = path.read_bytes()

    for name in (path, second):
        with pytest.raises(StoreError, match=r"has 2 names .* -samefile"):
            open_store(f"sqlite:///{name}", clock=SystemClock())

    assert path.read_bytes() == content
    second.unlink()
    open_store(f"sqlite:///{path}", clock=SystemClock()).close()


@pytest.mark.fault("F14", "F45")
def test_f14_a_link_to_a_store_is_that_store_with_its_one_lock(tmp_path: Path) -> None:
    path = made(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(path)

    with Scheduler(f"sqlite:///{path}") as scheduler:
        with pytest.raises(StoreBusyError, match=f"held by python \\(pid {os.getpid()} on "):
            Scheduler(f"sqlite:///{link}").start()
        store = open_store(f"sqlite:///{link}", clock=SystemClock())
        assert store.files == path.with_name("store.db-files")
        store.close()
        assert scheduler.failure is None

    assert list((tmp_path / "elsewhere").iterdir()) == [link]


@pytest.mark.fault("F14")
def test_f14_a_link_to_nothing_makes_the_store_where_it_points(tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to("real.db")

    made(tmp_path, "link.db")

    assert link.is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"link.db", "real.db", "real.db-files"}


@pytest.mark.fault("F14")
@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/home/me/store.db", None),
        ("/srv/two words/store.db", "nfs4"),
        ("/srv/two words/local/store.db", None),
        ("/srv/two wordsmiths/store.db", None),
        ("/mnt/over/deep/store.db", "fuse.sshfs"),
    ],
)
def test_f14_the_disk_of_a_file_is_the_innermost_and_last_that_was_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, kind: str | None
) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)
    monkeypatch.setattr(disks, "MOUNTS", tmp_path / "mountinfo")

    found = disks.network_disk(Path(place))

    assert (found.kind if found is not None else None) == kind


@pytest.mark.fault("F14")
def test_f14_a_store_on_a_network_disk_is_refused_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mountinfo").write_text(f"40 21 0:45 / {tmp_path}/nas rw - cifs //nas/x rw\n")
    (tmp_path / "nas").mkdir()
    monkeypatch.setattr(disks, "MOUNTS", tmp_path / "mountinfo")

    with pytest.raises(StoreError, match=r"lies on a network disk \(cifs at .* on a local disk"):
        open_store(f"sqlite:///{tmp_path}/nas/store.db", clock=SystemClock())

    assert list((tmp_path / "nas").iterdir()) == []
    monkeypatch.setattr(disks, "MOUNTS", tmp_path / "no such file")
    made(tmp_path / "nas")


@pytest.mark.spoils
@pytest.mark.fault("F14")
@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_f14_a_scheduler_with_nothing_to_do_sees_that_its_file_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    assert timers.SAFETY_NET_S <= 60
    monkeypatch.setattr(timers, "SAFETY_NET_S", 0.05)
    path, other = made(tmp_path), made(tmp_path, "other.db")
    scheduler = Scheduler(f"sqlite:///{path}")
    scheduler.start()
    try:
        if replaced:
            other.rename(path)
        else:
            path.unlink()

        tick = threading.Event()
        for _ in range(SOON_S * 100):
            if scheduler.failure is not None:
                break
            tick.wait(0.01)
        assert isinstance(scheduler.failure, StoreGoneError)
        with pytest.raises(StoreGoneError):
            scheduler.emit("k")
    finally:
        scheduler.stop()
    assert not replaced or open_store(f"sqlite:///{path}", clock=SystemClock()).read() == []
