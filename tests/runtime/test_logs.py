"""One line per event, with the ids of the work at hand, silent in replay, and never with a secret."""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from temporalio import activity, workflow
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment
from temporalio.worker import Worker

from runtime.logs import configure_logging
from runtime.redaction import register_secret
from runtime.settings import LoggingSettings
from tests.runtime.talking_workflow import TalkingWorkflow, speak

SECRET = "correct horse battery"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Undo what `configure_logging` sets for the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "hpack", "asyncio")}
    on_message = activity.logger.activity_info_on_message, workflow.logger.workflow_info_on_message
    yield
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)
    activity.logger.activity_info_on_message, workflow.logger.workflow_info_on_message = on_message


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def lines(stream: io.StringIO) -> Lines:
    configure_logging(LoggingSettings(format="json", level="info"), stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def raise_chain() -> None:
    """An error with a cause, both holding the secret."""
    error = RuntimeError(f"told {SECRET}")
    raise error from KeyError(SECRET)


# --- shape ---


def test_an_event_is_one_line_of_json(lines: Lines) -> None:
    structlog.get_logger("starter").info("request_accepted", status=200, route="event")
    (line,) = lines()
    at = datetime.fromisoformat(line.pop("timestamp"))
    assert at.utcoffset() == timedelta(0)
    assert line == {"event": "request_accepted", "level": "info", "logger": "starter", "status": 200, "route": "event"}


def test_the_standard_library_takes_the_same_way(lines: Lines) -> None:
    logging.getLogger("some.library").warning("Finished %s of %d", "one", 2)
    (line,) = lines()
    assert datetime.fromisoformat(line.pop("timestamp")).utcoffset() == timedelta(0)
    assert line == {"event": "Finished one of 2", "level": "warning", "logger": "some.library"}


def test_a_bound_request_id_stands_in_every_line(lines: Lines) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        structlog.get_logger().info("request_accepted")
        logging.getLogger("temporalio").info("polled")
    structlog.get_logger().info("later")
    assert [line.get("request_id") for line in lines()] == ["r-1", "r-1", None]


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_lesser_events_are_left_out(level: str, stream: io.StringIO) -> None:
    configure_logging(LoggingSettings.model_validate({"format": "json", "level": level}), stream=stream)
    for name in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger(), name)(f"ours_{name}")
        getattr(logging.getLogger("theirs"), name)("theirs_%s", name)
    levels = ["debug", "info", "warning", "error"]
    kept = [json.loads(line)["level"] for line in stream.getvalue().splitlines()]
    assert kept == [name for name in levels[levels.index(level) :] for _ in range(2)]


def test_python_warnings_are_lines_too(lines: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # catch_warnings has put pytest's own display back.
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old API", DeprecationWarning, stacklevel=1)
    (line,) = lines()
    assert (line["level"], line["logger"]) == ("warning", "py.warnings")
    assert "DeprecationWarning: old API" in line["event"]


def test_configuring_twice_does_not_double_lines(lines: Lines, stream: io.StringIO) -> None:
    configure_logging(LoggingSettings(format="json"), stream=stream)
    logging.getLogger("temporalio").info("polled")
    assert len(lines()) == 1


def test_the_default_stream_is_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LoggingSettings())
    structlog.get_logger().info("request_accepted")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["event"] == "request_accepted"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("form", "terminal", "is_json"),
    [
        ("auto", False, True),
        ("auto", True, False),
        ("json", True, True),
        ("console", False, False),
        ("console", True, False),
    ],
)
def test_people_read_text_and_machines_json(form: str, *, terminal: bool, is_json: bool) -> None:
    stream = Terminal() if terminal else io.StringIO()
    configure_logging(LoggingSettings.model_validate({"format": form}), stream=stream)
    register_secret(SECRET)
    try:
        raise_chain()
    except RuntimeError:
        structlog.get_logger().exception("call_failed", told=SECRET)
    text = stream.getvalue()
    assert text.startswith("{") is is_json
    assert ("\x1b[" in text) is (terminal and not is_json)
    assert "RuntimeError" in text
    assert SECRET not in text


# --- exceptions ---


def test_an_exception_is_told_with_its_cause(lines: Lines) -> None:
    register_secret(SECRET)
    try:
        raise_chain()
    except RuntimeError:
        structlog.get_logger().exception("call_failed")
        logging.getLogger("theirs").exception("call failed")
    for line in lines():
        assert line["level"] == "error"
        assert "KeyError: '[redacted]'" in line["exception"]
        assert line["exception"].endswith("RuntimeError: told [redacted]")


def test_a_long_exception_keeps_its_root_and_its_end(lines: Lines) -> None:
    error = RuntimeError("x" * 50_000 + " the end")
    try:
        raise error from KeyError("root cause")
    except RuntimeError:
        structlog.get_logger().exception("call_failed")
    (line,) = lines()
    assert 8000 <= len(line["exception"]) < 8100
    assert "root cause" in line["exception"]
    assert line["exception"].endswith("the end")


# --- secrets ---


@pytest.mark.parametrize(
    "name",
    ["authorization", "Authorization", "proxy_authorization", "secret", "client_secret", "token", "security_token",
     "password", "passwd", "api_key", "X-Api-Key", "apikey", "signature", "X-N8N-Signature", "signing_key", "cookie"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["x", 5, b"x", ["x"], {"a": "x"}], ids=["text", "number", "bytes", "list", "map"])
def test_fields_with_secret_names_are_hidden(name: str, value: object, lines: Lines) -> None:
    structlog.get_logger().info("called", headers={name: value, "accept": "image/png"}, **{name: value})
    (line,) = lines()
    assert line[name] == "[redacted]"
    assert line["headers"] == {name: "[redacted]", "accept": "image/png"}


class Holder:
    """Shows its secret when asked for its repr."""

    def __repr__(self) -> str:
        return f"Holder({SECRET!r})"


@pytest.mark.parametrize(
    "value",
    [SECRET, [SECRET], (SECRET,), {SECRET}, {"a": {"b": [SECRET]}}, Holder(), RuntimeError(SECRET), SECRET.encode(),
     f"https://a/?q={SECRET.replace(' ', '%20')}"],
    ids=["text", "list", "tuple", "set", "nested", "object", "error", "bytes", "url"],
)  # fmt: skip
def test_registered_secrets_are_hidden_at_any_depth(value: object, lines: Lines) -> None:
    register_secret(SECRET)
    structlog.get_logger().info("called", value=value)
    (line,) = lines()
    assert "horse" not in json.dumps(line)
    assert "[redacted]" in json.dumps(line)


def test_a_registered_secret_is_hidden_in_messages_of_others(lines: Lines) -> None:
    register_secret(SECRET)
    logging.getLogger("theirs").warning("sent %s to %s", SECRET, "odoo")
    assert lines()[0]["event"] == "sent [redacted] to odoo"


async def test_urls_of_outgoing_calls_are_not_logged(lines: Lines) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    async with httpx.AsyncClient(transport=transport) as client:
        await client.get("https://odoo.example/done/secret-path")
    assert lines() == []


# --- Temporal ---


async def test_an_activity_names_itself(lines: Lines) -> None:
    environment = ActivityEnvironment()
    await environment.run(speak, "hello")
    call = environment.info
    ours, theirs = lines()
    for line in (ours, theirs):
        assert line["workflow_id"] == call.workflow_id
        assert line["run_id"] == call.workflow_run_id
        assert (line["activity"], line["attempt"]) == (call.activity_type, call.attempt)
    assert (ours["event"], ours["text"]) == ("activity_spoke", "hello")
    assert theirs["event"] == "activity told the standard library"


async def test_a_workflow_names_itself_and_is_silent_in_replay(lines: Lines) -> None:
    server = str(Path(sys.executable).with_name("temporal-test-server"))
    async with await WorkflowEnvironment.start_time_skipping(test_server_existing_path=server) as environment:
        # Without a cache every step replays the whole history before it.
        worker = Worker(
            environment.client,
            task_queue="talk",
            workflows=[TalkingWorkflow],
            activities=[speak],
            max_cached_workflows=0,
            max_concurrent_workflow_task_polls=1,
        )
        async with worker:
            handle = await environment.client.start_workflow(
                TalkingWorkflow.run, "hello", id="talking-1", task_queue="talk"
            )
            await handle.result()
    told = [line for line in lines() if line.get("workflow_id") == "talking-1"]
    assert [line["event"] for line in told if "activity" not in line] == [
        "workflow_began",
        "workflow_stepped",
        "workflow_stepped",
        "workflow_stepped",
        "workflow told the standard library",
    ]
    assert {line["run_id"] for line in told} == {handle.first_execution_run_id}
    assert [line["attempt"] for line in told if line["event"] == "activity_spoke"] == [1, 1, 1]
