"""Registering many workflows: some commits for all of them, not some for each."""

from collections.abc import Callable, Sequence

from eventflow.core.plan import Plan
from eventflow.runtime.client import Client

_AT_ONCE = 1_000


def announce(client: Client, plans: Sequence[Plan], is_newest: Callable[[Plan], bool]) -> None:
    """Have it decided that each plan is the newest of its workflow (S41).

    Args:
        is_newest: Whether a plan has become that; if not, the decision says why.

    Raises:
        WaitTimeoutError: If nobody decided it in time; it stays in the log.
        ConflictError: If one was refused; says why.
    """
    for first in range(0, len(plans), _AT_ONCE):
        some = plans[first : first + _AT_ONCE]
        asked = client.register_all([(it.namespace, it.name, it.snapshot) for it in some])
        # All that was in the log before it is decided with it.
        client.wait_for(asked[-1])
        for plan, command in zip(some, asked, strict=True):
            if not is_newest(plan):
                client.outcome(command)
