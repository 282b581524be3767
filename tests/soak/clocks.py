"""A wall clock of `serve`'s own that can be stepped while it runs; the machine's is left alone.

To step the machine's would need rights that few have, and everybody on it would feel it.
"""

import shutil
import struct
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")


class WallClock:
    """The wall clock of the processes that are started with `variables`.

    Attributes:
        variables: What goes into their environment; empty where no clock can be stepped.
        refused: Why none can be stepped here; empty where one can.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._file.write_bytes(struct.pack("q", 0))
        self.variables: dict[str, str] = {}
        self.refused = _build(folder / "clock.so")
        if not self.refused:
            self.variables = {
                "LD_PRELOAD": str(folder / "clock.so"),
                "SOAK_CLOCK": str(self._file),
            }

    def set_ahead(self, seconds: float) -> None:
        """From now on they see the wall clock so far ahead of the machine's."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("q", int(seconds * 1e9)))


def _build(library: Path) -> str:
    """Compile the library that steps; why not, where it cannot be done."""
    if sys.platform != "linux":
        return f"not allowed here: no way to do it on {sys.platform}"
    compiler = shutil.which("cc")
    if compiler is None:
        return "not allowed here: there is no C compiler, by which serve would get its own clock"
    done = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"not allowed here: {done.stderr.strip()[:200]}" if done.returncode else ""
