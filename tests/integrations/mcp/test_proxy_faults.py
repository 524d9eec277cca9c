"""The proxies over pipes and sockets where something goes wrong: with us, or with the server behind them."""

from __future__ import annotations

import contextlib
import http.client
import importlib
import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dashclaw import ConfigurationError, DashClaw
from dashclaw._governor import Governor
from dashclaw.integrations import mcp_stdio_proxy
from dashclaw.integrations.mcp_gatekeeper import Gatekeeper
from dashclaw.integrations.mcp_http_proxy import HttpProxy
from dashclaw.integrations.mcp_stdio_proxy import StdioProxy

from ..conftest import actions, broken_steps, eventually
from .odd_server import serve

ODD = str(Path(__file__).with_name("odd_server.py"))
Message = dict[str, Any]


def call(tool: str, number: Any = 1, **arguments: Any) -> Message:
    params = {"name": tool, "arguments": {"of": number, **arguments}}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


class OverStdio:
    """A client of a proxy whose server is a program."""

    def __init__(self, gatekeeper: Gatekeeper, log: Path, seconds: float) -> None:
        asked, self._to = os.pipe()
        told, answered = os.pipe()
        self.proxy = StdioProxy(gatekeeper, [sys.executable, ODD, str(log)], os.environ, seconds)
        self._stdin, self._stdout, self._told = (
            os.fdopen(asked, "rb"),
            os.fdopen(answered, "wb"),
            os.fdopen(told, "rb"),
        )
        self.code: int | None = None
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._running = threading.Thread(target=self._run, daemon=True)
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._running.start()
        self._reading.start()

    def _run(self) -> None:
        with self._stdout:
            self.code = self.proxy.run(self._stdin, self._stdout)

    def _read(self) -> None:
        for line in self._told:
            self._lines.put(line)

    def send(self, message: Message) -> None:
        os.write(self._to, json.dumps(message).encode() + b"\n")

    def next(self) -> Message:
        found: Message = json.loads(self._lines.get(timeout=20))
        return found

    def ask(self, message: Message) -> Message:
        self.send(message)
        return self.next()

    def ask_at_once(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            self.send(message)
        found = {answer["id"]: answer for answer in (self.next() for _ in messages)}
        return [found[message["id"]] for message in messages]

    def ended(self) -> int | None:
        """Wait until the proxy ends by itself."""
        self._running.join(20)
        assert not self._running.is_alive(), "the proxy hangs"
        return self.code

    def ready(self) -> bool:
        """Whether the program answers: a busy machine takes long to start one."""
        return "result" in self.ask({"jsonrpc": "2.0", "id": "ready", "method": "tools/list"})

    def leave(self) -> None:
        os.close(self._to)
        self.ended()
        self._reading.join(20)
        self._told.close()
        self._stdin.close()


class OverHttp:
    """A client of a proxy whose server is reached over HTTP."""

    def __init__(self, gatekeeper: Gatekeeper, url: str, seconds: float) -> None:
        self.proxy = HttpProxy(gatekeeper, url, 0, seconds)
        threading.Thread(target=self.proxy.serve_forever, args=(0.01,), daemon=True).start()

    def post(self, message: Message) -> tuple[int, bytes]:
        where = urlsplit(self.proxy.url)
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", where.port, timeout=20)) as connection:
            connection.request("POST", where.path, json.dumps(message), {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def ask(self, message: Message) -> Message:
        _, body = self.post(message)
        events = [line.removeprefix(b"data:") for line in body.splitlines() if line.startswith(b"data:")]
        found: Message = json.loads(events[-1] if events else body)
        return found

    def ask_at_once(self, messages: list[Message]) -> list[Message]:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(self.ask, messages))

    def leave(self) -> None:
        self.proxy.shutdown()
        self.proxy.server_close()


@pytest.fixture
def seen(tmp_path: Path) -> Callable[[], list[str]]:
    """What the server's tools did."""
    log = tmp_path / "ran.txt"
    return lambda: log.read_text().splitlines() if log.exists() else []


Proxied = Callable[..., Any]


@pytest.fixture
def over_stdio(tmp_path: Path) -> Iterator[Proxied]:
    with contextlib.ExitStack() as left:

        def reach(claw: DashClaw, seconds: float = 60, **options: Any) -> OverStdio:
            gatekeeper = Gatekeeper(Governor(claw, framework="mcp", **options))
            found = OverStdio(gatekeeper, tmp_path / "ran.txt", seconds)
            left.callback(found.leave)
            eventually(found.ready)
            return found

        yield reach


@pytest.fixture
def over_http(tmp_path: Path) -> Iterator[Proxied]:
    with contextlib.ExitStack() as left:

        def reach(claw: DashClaw, seconds: float = 60, url: str = "", **options: Any) -> OverHttp:
            gatekeeper = Gatekeeper(Governor(claw, framework="mcp", **options))
            found = OverHttp(gatekeeper, url or left.enter_context(serve(tmp_path / "ran.txt")), seconds)
            left.callback(found.leave)
            return found

        yield reach


@pytest.fixture(params=["stdio", "http"])
def proxied(request: pytest.FixtureRequest) -> Proxied:
    """Return a way through a proxy to the odd server."""
    found: Proxied = request.getfixturevalue(f"over_{request.param}")
    return found


CORE = {mode: [f"dashclaw._governor:{step}" for step in broken_steps(mode)] for mode in ("enforce", "observe")}
GATE = "dashclaw.integrations.mcp_gatekeeper:"
STDIO = "dashclaw.integrations.mcp_stdio_proxy:"
HTTP = "dashclaw.integrations.mcp_http_proxy:"
# On the way of a call until it runs, and from then on.
BEFORE = [GATE + name for name in ("decide", "name_in", "key_of", "is_id", "Gatekeeper.asked", "Gatekeeper._decided")]
AFTER = [GATE + name for name in ("conclude", "ended", "Gatekeeper.answered")]
OWN_BEFORE = {
    "stdio": [*(STDIO + name for name in ("read", "written", "StdioProxy._line")), STDIO + "Unanswered.passed_on"],
    "http": [HTTP + "read", HTTP + "written", HTTP + "_Handler._decided"],
}
OWN_AFTER = {
    "stdio": [STDIO + f"Unanswered.{name}" for name in ("came", "taken", "late", "overdue", "settled", "rest")],
    "http": [HTTP + "SseParser.feed"],
}


def steps(mode: str, *more: dict[str, list[str]]) -> Any:
    """Parametrize over the steps of each of the two proxies, and of the core where a mode is named."""
    shared = [*CORE.get(mode, []), *BEFORE, *(AFTER if OWN_AFTER in more else [])]
    # What is only awaited is not on the way.
    rows = [
        (way, step)
        for way in ("stdio", "http")
        for step in [*shared, *(step for own in more for step in own[way])]
        if not step.endswith("Governor.astart")
    ]
    return pytest.mark.parametrize(("way", "step"), rows, ids=[f"{way}-{step.partition(':')[2]}" for way, step in rows])


@pytest.fixture
def breaking_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a mistake of ours into a step, given as "module:name" or "module:Class.name"."""

    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a mistake of ours")

    def put(step: str) -> None:
        module, _, name = step.partition(":")
        holder, _, name = name.rpartition(".")
        place: Any = importlib.import_module(module)
        monkeypatch.setattr(getattr(place, holder) if holder else place, name, fail)

    return put


def is_failure(answer: Message) -> bool:
    return "error" in answer or bool(answer["result"]["isError"])


@steps("enforce", OWN_BEFORE)
def test_a_mistake_of_ours_never_lets_a_call_run(
    request: pytest.FixtureRequest,
    claw: DashClaw,
    breaking_at: Callable[[str], None],
    seen: Callable[[], list[str]],
    way: str,
    step: str,
) -> None:
    reached = request.getfixturevalue(f"over_{way}")(claw)
    breaking_at(step)
    assert is_failure(reached.ask(call("stream")))
    assert seen() == []


@steps("", OWN_BEFORE, OWN_AFTER)
def test_a_mistake_of_ours_never_lets_a_blocked_call_run(
    request: pytest.FixtureRequest,
    claw: DashClaw,
    breaking_at: Callable[[str], None],
    seen: Callable[[], list[str]],
    way: str,
    step: str,
) -> None:
    reached = request.getfixturevalue(f"over_{way}")(claw)
    breaking_at(step)
    assert is_failure(reached.ask(call("drop_stream")))
    assert seen() == []


@steps("observe", OWN_BEFORE, OWN_AFTER)
def test_a_mistake_of_ours_never_stops_what_is_only_observed(
    request: pytest.FixtureRequest,
    claw: DashClaw,
    breaking_at: Callable[[str], None],
    seen: Callable[[], list[str]],
    way: str,
    step: str,
) -> None:
    reached = request.getfixturevalue(f"over_{way}")(claw, mode="observe")
    breaking_at(step)
    answers = [reached.ask(call("drop_stream", number)) for number in (1, 2)]
    assert [answer["result"]["content"][0]["text"] for answer in answers] == [
        f"did drop_stream of {number}" for number in (1, 2)
    ]
    assert seen() == ["drop_stream 1", "drop_stream 2"]


def test_without_a_server_nothing_runs_unless_the_user_chose_so(
    proxied: Proxied,
    unreachable: Callable[[str], DashClaw],
    seen: Callable[[], list[str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = proxied(unreachable("closed")).ask(call("read_table"))
    assert "NOT run" in answer["result"]["content"][0]["text"]
    assert seen() == []
    with caplog.at_level(logging.WARNING, "dashclaw"):
        assert not is_failure(proxied(unreachable("open")).ask(call("read_table")))
    assert seen() == ["read_table 1"]
    assert 'guard_failure is "open"' in caplog.text


def test_calls_at_the_same_time_do_not_mix(proxied: Proxied, claw: DashClaw, seen: Callable[[], list[str]]) -> None:
    numbers: list[Any] = [number if number % 3 else str(number) for number in range(30)]
    asked = [call("drop_table" if index % 2 else "read_table", number) for index, number in enumerate(numbers)]
    for index, (number, answer) in enumerate(zip(numbers, proxied(claw).ask_at_once(asked), strict=True)):
        assert answer["id"] == number
        said = answer["result"]["content"][0]["text"]
        assert ("No drops" in said) if index % 2 else (said == f"did read_table of {number}")
    assert sorted(seen()) == sorted(f"read_table {number}" for number in numbers[::2])
    eventually(lambda: sum(row["status"] == "completed" for row in actions(claw)) == 15)
    assert {(row["input_summary"], row["output_summary"]) for row in actions(claw) if row["status"] == "completed"} == {
        (json.dumps({"of": number}), f"did read_table of {number}") for number in numbers[::2]
    }


@pytest.mark.parametrize("tool", ["die", "leave_child"])
def test_a_program_that_dies_ends_the_proxy_with_an_error_for_each_request(
    over_stdio: Proxied, claw: DashClaw, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    monkeypatch.setattr(mcp_stdio_proxy, "_ENDS_WITHIN", 0.5)
    reached = over_stdio(claw)
    listing = {"jsonrpc": "2.0", "id": "hung", "method": "tools/call", "params": {"name": "hang"}}
    told = reached.ask_at_once([listing, call(tool)])
    assert {answer["error"]["message"] for answer in told} == {"The MCP server ended (exit code 3) before it answered"}
    assert reached.ended() == 3
    assert {row["status"] for row in actions(claw)} == {"failed"}


def test_what_a_program_left_behind_is_ended(
    over_stdio: Proxied, claw: DashClaw, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(mcp_stdio_proxy, "_ENDS_WITHIN", 0.5)
    reached = over_stdio(claw)
    reached.ask(call("leave_child"))
    reached.ended()
    child = int((tmp_path / "child.txt").read_text())
    eventually(lambda: not is_running(child))


def is_running(process: int) -> bool:
    """Whether a process is there that has not ended; nobody may have asked yet how it did."""
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_call_that_waits_for_a_person_does_not_outlive_the_program(
    over_stdio: Proxied, waiting: DashClaw, seen: Callable[[], list[str]]
) -> None:
    reached = over_stdio(waiting)
    reached.send(call("send_mail", "waits"))
    eventually(lambda: len(waiting.get_pending_approvals()["actions"]) == 1)
    reached.send(call("die"))
    assert {reached.next()["id"] for _ in range(2)} == {"waits", 1}
    assert reached.ended() == 3
    assert seen() == ["die 1"]


def test_a_program_that_cannot_be_started_is_named(claw: DashClaw) -> None:
    with pytest.raises(ConfigurationError, match="no-such-program cannot be started"):
        StdioProxy(Gatekeeper(Governor(claw)), ["no-such-program"], {}, 60)


def test_a_program_that_does_not_answer_is_given_up_and_may_go_on(over_stdio: Proxied, claw: DashClaw) -> None:
    reached = over_stdio(claw, seconds=3)
    assert reached.ask(call("hang"))["error"]["message"] == "The MCP server did not answer within 3 seconds"
    assert not is_failure(reached.ask(call("read_table", 2)))
    assert {row["action_type"]: row["status"] for row in actions(claw)}["hang"] == "failed"


def test_a_program_that_reads_nothing_any_more_is_ended(
    over_stdio: Proxied, claw: DashClaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_stdio_proxy, "_ENDS_WITHIN", 0.5)
    reached = over_stdio(claw, seconds=3)
    told = reached.ask_at_once([call("get_deaf"), call("read_table", 2, text="x" * 1_000_000)])
    assert {answer["error"]["message"] for answer in told} == {"The MCP server did not answer within 3 seconds"}
    # It ignores the polite signal.
    assert reached.ended() == -9


def test_what_a_program_writes_besides_messages_is_not_passed_on(over_stdio: Proxied, claw: DashClaw) -> None:
    reached = over_stdio(claw, seconds=3)
    assert not is_failure(reached.ask(call("say_garbage_first")))
    told = reached.ask(call("say_garbage", 2))["error"]["message"]
    assert told.startswith("The MCP server did not answer within 3 seconds; it wrote 2 lines")


BAD_ANSWERS = {
    "die": "gave no answer",
    "die_in_the_middle": "gave no answer",
    "hang": "did not answer within 1 seconds",
    "say_garbage": "answered 32 bytes that are no answer",
    "stream_hang": "did not answer within 1 seconds",
    "stream_end": "ended its events without an answer",
    "stream_garbage": "ended its events without an answer",
}


@pytest.mark.parametrize("tool", BAD_ANSWERS)
def test_a_server_over_http_that_does_not_answer_is_an_error(over_http: Proxied, claw: DashClaw, tool: str) -> None:
    told = over_http(claw, seconds=1).ask(call(tool, "a"))
    assert told["id"] == "a"
    assert BAD_ANSWERS[tool] in told["error"]["message"]
    assert [row["status"] for row in actions(claw)] == ["failed"]


def test_a_server_over_http_that_is_not_there_is_an_error(over_http: Proxied, claw: DashClaw) -> None:
    told = over_http(claw, url="http://127.0.0.1:9/mcp").ask(call("read_table"))
    assert "gave no answer" in told["error"]["message"]


def test_an_error_of_http_is_passed_on(over_http: Proxied, claw: DashClaw) -> None:
    assert over_http(claw).post(call("fail")) == (500, b"it failed")
    assert [row["status"] for row in actions(claw)] == ["failed"]


def test_events_that_can_be_resumed_may_end_before_the_answer(over_http: Proxied, claw: DashClaw) -> None:
    assert over_http(claw).post(call("stream_later")) == (200, b"id: 7\ndata:\n\n")
