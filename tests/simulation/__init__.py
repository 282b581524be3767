"""Deterministic simulation: the real core and loop under a seeded scheduler of faults.

One thread and a virtual clock: a seed is a history, and gives the same one every time.
"""

import sys
from pathlib import Path

# The judges of a store's file are those of the tests of the store.
sys.path.append(str(Path(__file__).parent.parent / "store"))
