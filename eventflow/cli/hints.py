"""Commands that are printed to be copied: they name the store that `--store` has named."""

import re
import shlex

# What sentences from below the command line say to do.
_COMMANDS = re.compile(r"eventflow (?:serve|pool set \S+ \d+(?: --namespace [\w.-]*\w)?)\b")


def command(words: str, store: str | None) -> str:
    """A command to copy; without the option whoever copies it has the store in their settings.

    Args:
        words: What follows `eventflow`.
        store: What `--store` was given; `None` without it.
    """
    return f"eventflow {words}{_option(store)}"


def on_store(sentence: str, store: str | None) -> str:
    """A sentence in which a command to copy is quoted, with that command on the same store."""
    return _COMMANDS.sub(lambda found: found[0] + _option(store), sentence)


def _option(store: str | None) -> str:
    return f" --store {shlex.quote(store)}" if store is not None else ""
