"""What `online_learning.py` works with: scikit-learn's handwritten digits, and a service for them.

No eventflow here: pictures as arrays of 64 shades, batches as files, models as files, and requests
of one line of JSON each over TCP on this machine.
"""

import json
import socket
import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

BATCH, BATCHES, ROUNDS = 100, 12, 20
Address = tuple[str, int]

_digits = load_digits()
_mixed = np.random.default_rng(0).permutation(len(_digits.target))
PICTURES, LABELS = _digits.data[_mixed] / 16, _digits.target[_mixed]
VALIDATION, EXAM = slice(BATCH * BATCHES, 1500), slice(1500, None)


def write_batch(folder: Path, number: int) -> Path:
    """Put the next part of the stream into a file; whoever looks sees all of it or nothing."""
    part = slice((number - 1) * BATCH, number * BATCH)
    draft, path = folder / "draft.npz", folder / f"batch-{number:02}.npz"
    np.savez(draft, pictures=PICTURES[part], labels=LABELS[part])
    return draft.replace(path)


def learn(model_path: str | None, batches: Sequence[Path], made_path: Path) -> None:
    """Go on with a model, or begin one, on batches that it has not seen."""
    if model_path is None:
        model = MLPClassifier((64,), learning_rate_init=0.005, random_state=0)
    else:
        model = joblib.load(model_path)
    for path in batches:
        with np.load(path) as batch:
            pictures, labels = batch["pictures"], batch["labels"]
        for _ in range(ROUNDS):
            model.partial_fit(pictures, labels, classes=range(10))
    draft = made_path.with_suffix(".draft")
    joblib.dump(model, draft)
    draft.replace(made_path)


def accuracy(model_path: str) -> float:
    """The share of the digits held out for validation that a model reads rightly."""
    model = joblib.load(model_path)
    return round(float(model.score(PICTURES[VALIDATION], LABELS[VALIDATION])), 4)


@contextmanager
def serving(model_path: str, name: Any) -> Iterator[Address]:
    """Answer each request, a picture, with the digit on it and the name of the model."""
    model = joblib.load(model_path)

    class Request(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            picture = json.loads(self.rfile.readline())
            self.wfile.write(json.dumps([int(model.predict([picture])[0]), name]).encode())

    with socketserver.TCPServer(("127.0.0.1", 0), Request) as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield server.server_address
        server.shutdown()


def examine(address: Address) -> tuple[Any, float] | None:
    """Ask a service for every digit of the exam.

    Returns:
        The name of the model that answered and its share of right answers; `None` when the service
        was away, or changed its model in between.
    """
    try:
        answers = [_ask(address, picture) for picture in PICTURES[EXAM]]
    except OSError:
        return None
    (name, *others) = {name for _, name in answers}
    if others:
        return None
    right = [digit for digit, _ in answers] == LABELS[EXAM]
    return name, round(float(right.mean()), 4)


def _ask(address: Address, picture: Any) -> list[Any]:
    with socket.create_connection(address, timeout=5) as connection:
        connection.sendall(json.dumps(picture.tolist()).encode() + b"\n")
        answer = connection.makefile().readline()
    if not answer:
        raise ConnectionError(f"{address} hung up")
    return json.loads(answer)
