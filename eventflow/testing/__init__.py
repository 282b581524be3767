"""For tests, ours and users': the same core and loop under a virtual clock."""

from eventflow.testing.virtual import VirtualScheduler

__all__ = ["VirtualScheduler"]
