"""The example of a platform: started as a user starts it, told by a real `eventflow run`."""

import ast
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
EVENTFLOW = Path(sys.executable).with_name("eventflow")
DEADLINE_S = 60


def test_the_page_shows_what_was_reported(tmp_path: Path) -> None:
    text = ast.get_docstring(ast.parse((EXAMPLES / "local_platform.py").read_text())) or ""
    promised = text.strip().splitlines()[-1].strip()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EVENTFLOW_")}

    with subprocess.Popen(
        [sys.executable, EXAMPLES / "local_platform.py", "0"],
        stdout=subprocess.PIPE,
        text=True,
    ) as platform:
        try:
            assert platform.stdout is not None
            url = platform.stdout.readline().split()[0]
            run = subprocess.run(
                [EVENTFLOW, "run", EXAMPLES / "failure_handler.py", "--uplink", url],
                cwd=tmp_path,
                env=kept,
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
            )
            assert (run.returncode, run.stderr) == (0, "")
            assert platform.stdout.readline().strip() == promised
            with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:  # noqa: S310  # ours
                page = answer.read().decode()
            half = b'{"time": "2026-01-01T00:00:00Z", "data": {"execution": 5}}'
            nonsense = urllib.request.Request(url, data=half, method="POST")  # noqa: S310  # ours
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(nonsense, timeout=DEADLINE_S)  # noqa: S310  # ours
            refused.value.close()
            assert refused.value.code == 400
        finally:
            platform.kill()

    assert "<h2>failure_handler 1: SUCCESS</h2>" in page
    assert page.count("<svg") == 1
    assert re.search(r"<td>1_download_1</td><td>SUCCESS</td><td>3</td>", page)
    assert "<td>1_parse_1</td>" in page.partition("<td>1_quarantine_1</td>")[0]
    assert "<script" not in page
