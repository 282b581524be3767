"""The same inputs give the same decisions, in any process (S9)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from long_play import flow, play

from eventflow.model.workflow import content_hash

HERE = Path(__file__).parent


def told_by_a_program_with_hash_seed(seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "long_play.py"],
        cwd=HERE,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.mark.rule("S9")
def test_the_same_story_is_decided_alike_twice_in_one_process() -> None:
    first = play(seed=3)

    assert play(seed=3) == first
    assert len(first) > 1_000


@pytest.mark.rule("S9")
def test_the_same_story_is_decided_alike_whatever_the_hash_seed() -> None:
    stories = {told_by_a_program_with_hash_seed(seed) for seed in ("0", "1", "2")}

    assert len(stories) == 1
    story = stories.pop()
    # It is a story in which much happens, with the snapshot's hash in it.
    assert story.count("RunMoved") > 200
    assert story.count("ItemsOpened") > 10
    assert story.count("ItemsClosed") > 2
    assert content_hash(flow("three", key="p").definition()) in story or (
        content_hash(flow("three", key="q").definition()) in story
    )
