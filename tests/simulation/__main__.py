"""`python -m tests.simulation SEED` plays one seed and prints what happened."""

import argparse
import sys

from tests.simulation.runner import corpus_seeds, play_many, play_one, store_of


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", help="play this one and print its trace")
    parser.add_argument("--store", choices=["memory", "sqlite"], help="by default the seed says")
    parser.add_argument("--seeds", type=int, default=0, help="play so many, and the corpus first")
    parser.add_argument("--first", type=int, default=0, help="from this one on")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--stop", action="store_true", help="at the first that fails")
    parser.add_argument("--no-corpus", action="store_true")
    parser.add_argument("--once", action="store_true", help="play none twice to compare")
    options = parser.parse_args()
    if options.seed is not None:
        told = play_one(options.seed, options.store or store_of(options.seed), trace=True)
        print("\n".join(told.trace))
        print(told.wrong or f"seed {told.seed} on {told.store}: {told.hash}")
        return 1 if told.wrong else 0
    corpus = [] if options.no_corpus else corpus_seeds()
    seeds = [*corpus, *range(options.first, options.first + options.seeds)]
    return min(play_many(seeds, options.processes, stop=options.stop, twice=not options.once), 1)


if __name__ == "__main__":
    sys.exit(main())
