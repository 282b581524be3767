"""How the settings of a process are read."""

from pathlib import Path

import pytest

from eventflow.settings import read_settings


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("shop.db", "sqlite:///shop.db"),
        ("stores/shop", "sqlite:///stores/shop"),
        ("/var/lib/shop.sqlite", "sqlite:////var/lib/shop.sqlite"),
        ("sqlite:///shop.db", "sqlite:///shop.db"),
        ("sqlite://", "sqlite://"),
        ("shop", "shop"),
        ("postgresql://host/shop.db", "postgresql://host/shop.db"),
    ],
)
def test_a_store_may_be_named_by_the_path_of_its_file(said: str, url: str, tmp_path: Path) -> None:
    assert read_settings({}, tmp_path, store=said).store == url
    assert read_settings({"EVENTFLOW_STORE": said}, tmp_path).store == url
