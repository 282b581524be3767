"""Users' code: import the workflows of a file, and keep its sources as a snapshot (S41).

Importing is running: a file does at its top what it likes, in this process. Whatever goes wrong
there becomes one line that names the place in the user's file.
"""

import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from eventflow.crashpoints import reach
from eventflow.errors import LoadError
from eventflow.executors.failure import message_of
from eventflow.executors.places import make_private
from eventflow.model.family import with_sub_workflows
from eventflow.model.workflow import Workflow

MAX_FILES = 2_000
MAX_BYTES = 50 * 1024 * 1024
_MAX_FOLDERS = 20_000
# Lies in every folder of snapshots, so that one beside the sources is not taken for sources.
_MARKER = ".eventflow-snapshots"

# Imports change `sys.path` and `sys.modules`, which the whole process shares.
_IMPORTING = threading.RLock()


def load_workflows(
    path: Path, *, module_name: str | None = None, alone: bool = False
) -> list[Workflow]:
    """Import a file and return its top-level workflows, each once, in order of definition, and
    those that their tasks run, each before the one that runs it (S40).

    Its folder is importable while it imports. Modules that come from there are taken out of
    `sys.modules` again, so that several snapshots of one file can live side by side.

    Args:
        module_name: Key in `sys.modules` under which the module stays; none by default. The
            module's `__name__` depends on the file's name alone, since it is in the definitions.
        alone: This process is for this file only: its folder and modules stay importable, so an
            import inside a task finds them.

    Raises:
        LoadError: If there is no such file, it does not import, or holds no workflow.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100  resolve() would leave a snapshot's folder
    if path.suffix != ".py":
        raise LoadError(f"{path}: a file of workflows is Python and ends in .py")
    if not path.is_file():
        raise LoadError(f"{path}: there is no such file")
    with _IMPORTING:
        module = _import_alone(path) if alone else _import_apart(path, module_name)
    found: dict[int, Workflow] = {}
    for value in vars(module).values():
        if isinstance(value, Workflow):
            found.setdefault(id(value), value)
    if not found:
        raise LoadError(
            f"{path}: holds no workflow; define one at the top level: 'with Workflow(\"name\"):', "
            f"or of a flow: 'workflow = MyFlow().to_workflow()'"
        )
    return with_sub_workflows(found.values())


class _Loader(SourceFileLoader):
    """Compiles the source as it is now: a cached compile is told apart by whole seconds only."""

    def path_stats(self, path: str) -> "dict[str, float]":
        raise OSError(f"{path}: always compiled anew")


def _import_alone(path: Path) -> ModuleType:
    sys.path.insert(0, str(path.parent))
    return _run(path)


def _import_apart(path: Path, module_name: str | None) -> ModuleType:
    with _apart(path):
        module = _run(path)
    if module_name is not None:
        sys.modules[module_name] = module
    return module


@contextmanager
def _apart(path: Path) -> Iterator[None]:
    """The folder is importable inside, and nothing from it is known outside."""
    folder = str(path.parent)
    names = {_module_name(path), *_importable(path.parent)}
    names -= sys.stdlib_module_names | {"eventflow"}
    hidden = {name: module for name, module in sys.modules.items() if name.split(".")[0] in names}
    for name in hidden:
        del sys.modules[name]
    known = set(sys.modules)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        for name in set(sys.modules) - known:
            if name.split(".")[0] in names or _lies_in(sys.modules[name], folder):
                del sys.modules[name]
        sys.modules.update(hidden)


def _importable(folder: Path) -> Iterator[str]:
    """What the folder would take over from modules of other places that have the same name."""
    for entry in folder.iterdir():
        if entry.suffix == ".py" or (entry / "__init__.py").is_file():
            yield entry.stem


def _run(path: Path) -> ModuleType:
    name = _module_name(path)
    loader = _Loader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    if spec is None:
        raise LoadError(f"{path}: cannot be imported as a module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except SyntaxError as error:
        place = f"{error.filename or path}:{error.lineno}"
        raise LoadError(f"{place}: SyntaxError: {_one_line(str(error.msg))}") from error
    except (Exception, SystemExit) as error:
        what = f"{type(error).__name__}: {_one_line(message_of(error))}"
        raise LoadError(f"{_place(error, path)}: {what}") from error
    return module


def _module_name(path: Path) -> str:
    taken = path.stem in sys.stdlib_module_names or path.stem == "eventflow"
    return f"{path.stem}_workflows" if taken else path.stem


def _place(error: BaseException, path: Path) -> str:
    """The last line of the user's own files on the way to `error`."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path) or frame.filename.startswith(f"{path.parent}{os.sep}")
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else str(path)


def _lies_in(module: ModuleType, folder: str) -> bool:
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return any(isinstance(at, str) and at.startswith(folder + os.sep) for at in places)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]


class Sources(NamedTuple):
    """Where a file's folder is kept: `folder / entry.name` is the file."""

    hash: str
    folder: Path


def copy_sources(entry: Path, into: Path) -> Sources:
    """Copy the `*.py` files of the folder of `entry`, with its sub-folders, to `into / hash`.

    The hash is of paths and contents, so equal sources are one folder, written once; two processes
    may do it at once. Hidden folders, virtual environments and caches are left out.

    Raises:
        LoadError: If there are over 2,000 files or 50 MB, or a file cannot be read.
    """
    entry = Path(os.path.abspath(entry))  # noqa: PTH100  a link is kept under the name it has
    try:
        contents = _read_all(entry.parent)
    except OSError as error:
        raise LoadError(f"{error.filename}: cannot be read: {error.strerror}") from error
    if entry.name not in contents:
        raise LoadError(f"{entry}: there is no such Python file")
    name = _hash(contents)
    folder = into / name
    try:
        make_folder_of_copies(into)
        if not folder.is_dir():
            _write_all(contents, folder)
    except OSError as error:
        raise LoadError(f"snapshot {folder}: cannot be written: {error}") from error
    return Sources(name, folder)


def _read_all(folder: Path) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    total = 0
    for path in _python_files(folder):
        data = path.read_bytes()
        total += len(data)
        contents[path.relative_to(folder).as_posix()] = data
        if len(contents) > MAX_FILES or total > MAX_BYTES:
            raise LoadError(
                f"{folder}: over {MAX_FILES:,} Python files or {MAX_BYTES // 2**20} MB lie in the "
                f"folder of the workflow's file, all of which a snapshot keeps; give the workflow "
                f"a folder of its own"
            )
    return contents


def _python_files(folder: Path) -> Iterator[Path]:
    for seen, (place, folders, files) in enumerate(os.walk(folder)):
        if seen > _MAX_FOLDERS:
            raise LoadError(
                f"{folder}: has over {_MAX_FOLDERS:,} sub-folders; give the workflow's file a "
                f"folder of its own"
            )
        folders[:] = sorted(name for name in folders if _is_source_folder(Path(place, name)))
        for name in sorted(files):
            path = Path(place, name)
            if path.suffix == ".py" and path.is_file():
                yield path


def _is_source_folder(folder: Path) -> bool:
    name = folder.name
    if name.startswith(".") or name in ("__pycache__", "node_modules", "site-packages"):
        return False
    return not any((folder / marker).exists() for marker in ("pyvenv.cfg", _MARKER))


def _hash(contents: dict[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name in sorted(contents):
        whole.update(f"{name}\0{hashlib.sha256(contents[name]).hexdigest()}\n".encode())
    return whole.hexdigest()


def make_folder_of_copies(folder: Path) -> None:
    """Make a folder for the owner only, in which no sources are looked for: it holds copies."""
    make_private(folder)
    (folder / _MARKER).touch(mode=0o600)


def _write_all(contents: dict[str, bytes], folder: Path) -> None:
    """Write beside, then rename: the folder is whole from its first moment."""
    beside = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        for name, data in contents.items():
            path = beside / name
            make_private(path.parent)
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "wb") as opened:
                opened.write(data)
        reach("sources.copied")
        try:
            beside.rename(folder)
            reach("sources.renamed")
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        # Nothing is there any more after the rename, unless another process was first.
        shutil.rmtree(beside, ignore_errors=True)
