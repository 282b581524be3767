"""UplinkConfig: what it takes, from the program and from the environment."""

import pytest

from eventflow import Scheduler, reporters
from eventflow.errors import EventflowError
from eventflow.reporters import UplinkConfig

URL = "https://platform.example/api"


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"url": "platform.example"}, "url is not http"),
        ({"url": "ftp://platform.example"}, "url is not http"),
        ({"url": "https://"}, "url is not http"),
        ({"url": "https://platform.example:99999/"}, "url is not http"),
        ({"url": "https://platform.example/a b"}, "url is not http"),
        ({"url": "https://platform.example/\r\nX: 1"}, "url is not http"),
        ({"url": "https://me:hush@platform.example/"}, "holds a user or password"),
        ({"url": "https://platform.example/?token=hush"}, "end with its path"),
        ({"url": None}, "url must be text"),
        ({"url": URL, "run_id": "{execution}"}, "run_id is text in which"),
        ({"url": URL, "run_id": "{workflow.__class__}"}, "run_id is text in which"),
        ({"url": URL, "run_id": "{execution_id!r}"}, "run_id is text in which"),
        ({"url": URL, "run_id": "{"}, "run_id is text in which"),
        ({"url": URL, "run_id": ""}, "run_id must not be empty"),
        ({"url": URL, "wire": "soap"}, "wire is 'cloudevents' or 'flow', got 'soap'"),
        ({"url": URL, "timeout": 0}, "timeout is seconds from 0.001 to 86400, got 0"),
        ({"url": URL, "grace": float("nan")}, "grace is seconds"),
        ({"url": URL, "interval": -1}, "interval is seconds"),
    ],
)
def test_what_cannot_be_used_is_refused_and_no_secret_repeated(
    settings: dict[str, object], fault: str
) -> None:
    with pytest.raises(EventflowError, match=fault) as refused:
        UplinkConfig(**settings)  # type: ignore[arg-type]
    assert "hush" not in str(refused.value)


def test_run_ids_name_executions() -> None:
    config = UplinkConfig(url=URL, run_id="{namespace}.{workflow}-{execution_id}")

    assert config.run_id_of(7, "train", "ml") == "ml.train-7"
    assert not config.names_one_execution
    assert UplinkConfig(url=URL, run_id="one").names_one_execution


def test_the_environment_says_where_to_report() -> None:
    config = UplinkConfig.from_environment(
        {
            "EVENTFLOW_UPLINK_URL": URL,
            "EVENTFLOW_UPLINK_WIRE": "flow",
            "EVENTFLOW_UPLINK_INTERVAL": "2.5",
            "EVENTFLOW_UPLINK_ALLOW_HTTP": "yes",
            "EVENTFLOW_UPLINK_TOKEN": "hush",
        }
    )

    assert config == UplinkConfig(url=URL, wire="flow", interval=2.5, allow_http=True)  # type: ignore[arg-type]
    assert "hush" not in repr(config)


def test_a_url_of_the_caller_stands_in_for_that_of_the_environment() -> None:
    config = UplinkConfig.from_environment({"EVENTFLOW_UPLINK_URL": "https://other/"}, url=URL)

    assert config is not None
    assert config.url == URL


def test_a_program_that_the_platform_started_finds_it_by_the_names_of_that_platform() -> None:
    config = UplinkConfig.from_environment(
        {"NEXTMV_APP_ID": "app", "NEXTMV_RUN_ID": "run-{1}", "NEXTMV_ENDPOINT": URL}
    )

    assert config is not None
    assert (config.url, config.application_id, config.wire) == (URL, "app", "flow")
    assert config.token_env == "NEXTMV_API_KEY"
    assert config.run_id_of(1, "w", "n") == "run-{1}"
    assert config.names_one_execution


@pytest.mark.parametrize(
    "said", [{}, {"NEXTMV_APP_ID": "app"}, {"NEXTMV_RUN_ID": "run"}, {"NEXTMV_ENDPOINT": URL}]
)
def test_without_both_names_there_is_no_platform(said: dict[str, str]) -> None:
    assert UplinkConfig.from_environment(said) is None


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("INTERVAL", "soon", "EVENTFLOW_UPLINK_INTERVAL is a number of seconds, got 'soon'"),
        ("ALLOW_HTTP", "maybe", "EVENTFLOW_UPLINK_ALLOW_HTTP is yes or no, got 'maybe'"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(name: str, text: str, fault: str) -> None:
    said = {"EVENTFLOW_UPLINK_URL": URL, f"EVENTFLOW_UPLINK_{name}": text}
    with pytest.raises(EventflowError, match=fault):
        UplinkConfig.from_environment(said)


def test_authorities_that_cannot_be_read_are_named() -> None:
    client = reporters.UplinkClient(UplinkConfig(url=URL, ca_file="nowhere.pem"))
    with Scheduler("sqlite://") as scheduler, pytest.raises(EventflowError, match=r"nowhere\.pem"):
        client.attach(scheduler)


def test_the_names_of_the_package_are_there() -> None:
    assert set(reporters.__all__) <= set(dir(reporters))
    assert {getattr(reporters, name).__name__ for name in reporters.__all__} == {
        "UplinkClient",
        "UplinkConfig",
    }
    with pytest.raises(AttributeError, match="no attribute 'Uplink'"):
        reporters.Uplink  # noqa: B018  # looking is the test
