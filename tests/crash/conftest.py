"""The judges of stores are those of the tests of the store."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "store"))
