"""Which history is to be played: a seed, and what of it is left out to make it smaller."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What names one history.

    Attributes:
        store: `memory`, or `both`: the memory store and a file side by side.
        only: Numbers of the steps that are played; `None` plays all.
        without: Faults that never happen.
    """

    seed: int
    store: str
    only: frozenset[int] | None = None
    without: frozenset[str] = frozenset()

    @classmethod
    def of(cls, seed: int) -> "Course":
        """As the seed itself says: one in four is played on a file too."""
        return cls(seed=seed, store="both" if seed % 4 == 3 else "memory")

    def __str__(self) -> str:
        """The arguments of `python -m tests.simulation` that play it."""
        told = [str(self.seed)]
        if self.store != self.of(self.seed).store:
            told.append(f"--store {self.store}")
        if self.only is not None:
            told.append(f"--only {','.join(map(str, sorted(self.only)))}")
        if self.without:
            told.append(f"--without '{';'.join(sorted(self.without))}'")
        return " ".join(told)
