"""The real packages of two model providers, over a socket: what they use is reported, and they notice nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from dashclaw import AsyncDashClaw, ConfigurationError, DashClaw, RetryPolicy

from .model_server import Models, serving_models

TALK: Any = [{"role": "user", "content": "Hi"}]
CHAT = ("gpt-4o-mini", 120, 30)
MESSAGE = ("claude-sonnet-x", 100, 40)


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    with serving_models() as found:
        yield found


@pytest.fixture
def claw(tmp_path: Path) -> Iterator[DashClaw]:
    with DashClaw.local(tmp_path / "dashclaw.db", agent_id="me") as found:
        yield found


@pytest.fixture
def gpt(models: Models, claw: DashClaw) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="k", base_url=models.url + "/v1", max_retries=0) as client:
        yield claw.wrap_client(client, session_id="s1", stream_usage=True)


@pytest.fixture
def claude(models: Models, claw: DashClaw) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="k", base_url=models.url, max_retries=0) as client:
        yield claw.wrap_client(client)


def told(claw: DashClaw) -> list[tuple[str, int, int]]:
    """Model, input and output of every report, the oldest first."""
    reports = claw.request("GET", "/api/tokens")["reports"]
    return [(row["model"], row["tokens_in"], row["tokens_out"]) for row in reversed(reports)]


def test_an_answer_of_openai_is_reported_with_what_was_cached(claw: DashClaw, gpt: openai.OpenAI) -> None:
    answer = gpt.chat.completions.create(model="gpt-4o-mini", messages=TALK)
    assert answer.choices[0].message.content == "Hello"
    assert told(claw) == [CHAT]
    (report,) = claw.request("GET", "/api/tokens")["reports"]
    assert (report["agent_id"], report["session_id"], report["cached_tokens"]) == ("me", "s1", 20)
    assert report["cost_usd"] == pytest.approx((100 * 0.15 + 20 * 0.075 + 30 * 0.6) / 1e6)


def test_every_way_to_ask_openai_is_reported(claw: DashClaw, gpt: openai.OpenAI) -> None:
    raw = gpt.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=TALK)
    assert raw.parse().choices[0].message.content == "Hello"
    assert gpt.responses.create(model="gpt-4.1", input="Hi").id == "resp_1"
    assert gpt.embeddings.create(model="text-embedding-3-small", input="Hi").data[0].embedding
    gpt.with_options(timeout=5).chat.completions.create(model="gpt-4o-mini", messages=TALK)
    assert told(claw) == [CHAT, ("gpt-4.1-2025-04-14", 11, 5), ("text-embedding-3-small", 8, 0), CHAT]


def test_a_stream_of_openai_shows_only_what_was_asked_for(claw: DashClaw, gpt: openai.OpenAI) -> None:
    stream = gpt.chat.completions.create(model="gpt-4o-mini", messages=TALK, stream=True)
    assert isinstance(stream, openai.Stream)
    parts = list(stream)
    assert "".join(part.choices[0].delta.content or "" for part in parts) == "Hello"
    assert told(claw) == [CHAT]
    wanted = {"include_usage": True}
    asked = list(gpt.chat.completions.create(model="gpt-4o-mini", messages=TALK, stream=True, stream_options=wanted))  # type: ignore[call-overload]
    assert (len(asked), asked[-1].choices) == (len(parts) + 1, [])
    events = [event.type for event in gpt.responses.create(model="gpt-4.1", input="Hi", stream=True)]
    assert events == ["response.created", "response.completed"]
    raw = gpt.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=TALK, stream=True)
    assert len(list(raw.parse())) == len(parts)
    assert told(claw) == [CHAT, CHAT, ("gpt-4.1-2025-04-14", 11, 5), CHAT]


def test_a_stream_of_another_service_is_not_asked_for_its_usage(models: Models, claw: DashClaw) -> None:
    with openai.OpenAI(api_key="k", base_url=models.url + "/v1", max_retries=0) as client:
        claw.wrap_client(client)
        assert len(list(client.chat.completions.create(model="gpt-4o-mini", messages=TALK, stream=True))) == 3
    assert "stream_options" not in models.asked[-1][1]
    assert told(claw) == []


def test_an_answer_of_anthropic_is_reported_with_what_its_cache_read_and_wrote(
    claw: DashClaw, claude: anthropic.Anthropic
) -> None:
    answer = claude.messages.create(model="claude-sonnet-x", max_tokens=9, messages=TALK)
    assert answer.content[0].type == "text"
    raw = claude.messages.with_raw_response.create(model="claude-sonnet-x", max_tokens=9, messages=TALK)
    assert raw.parse().id == "msg_1"
    assert told(claw) == [MESSAGE, MESSAGE]
    report = claw.request("GET", "/api/tokens")["reports"][0]
    assert (report["cached_tokens"], report["cache_write_tokens"]) == (20, 10)


def test_a_stream_of_anthropic_is_reported_at_its_end(claw: DashClaw, claude: anthropic.Anthropic) -> None:
    stream = claude.messages.create(model="claude-sonnet-x", max_tokens=9, messages=TALK, stream=True)
    assert isinstance(stream, anthropic.Stream)
    assert [event.type for event in stream][-1] == "message_stop"
    assert told(claw) == [MESSAGE]
    with claude.messages.stream(model="claude-sonnet-x", max_tokens=9, messages=TALK) as helper:
        assert "".join(helper.text_stream) == "Hello"
        assert helper.get_final_message().usage.output_tokens == 40
    assert told(claw) == [MESSAGE, MESSAGE]


def test_a_stream_that_is_closed_early_is_reported_as_far_as_it_is_known(
    claw: DashClaw, claude: anthropic.Anthropic
) -> None:
    with claude.messages.create(model="claude-sonnet-x", max_tokens=9, messages=TALK, stream=True) as stream:
        next(iter(stream))
    assert told(claw) == [("claude-sonnet-x", 100, 1)]


def test_a_call_that_fails_fails_as_before_and_reports_nothing(claw: DashClaw, gpt: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="no such model"):
        gpt.chat.completions.create(model="refused", messages=TALK)
    assert told(claw) == []


def test_what_is_only_looked_up_is_not_reported_again(claw: DashClaw, gpt: openai.OpenAI) -> None:
    assert gpt.responses.retrieve("resp_1").usage is not None
    assert told(claw) == []


def test_wrapping_twice_reports_once(claw: DashClaw, gpt: openai.OpenAI) -> None:
    assert claw.wrap_client(gpt) is gpt
    gpt.chat.completions.create(model="gpt-4o-mini", messages=TALK)
    assert told(claw) == [CHAT]


@pytest.mark.parametrize("other", [None, "gpt", object(), openai])
def test_what_is_no_client_of_a_model_is_refused(claw: DashClaw, other: Any) -> None:
    with pytest.raises(ConfigurationError, match="wrap_client takes a client of the openai or anthropic package"):
        claw.wrap_client(other)


def test_a_report_that_fails_is_logged_and_the_answer_arrives(models: Models, caplog: pytest.LogCaptureFixture) -> None:
    nowhere = DashClaw("http://127.0.0.1:1", "key", agent_id="me", retry=RetryPolicy(attempts=1))
    with nowhere, openai.OpenAI(api_key="k", base_url=models.url + "/v1", max_retries=0) as client:
        nowhere.wrap_client(client, stream_usage=True)
        with caplog.at_level(logging.WARNING, "dashclaw"):
            assert client.chat.completions.create(model="gpt-4o-mini", messages=TALK).choices
            assert len(list(client.chat.completions.create(model="gpt-4o-mini", messages=TALK, stream=True))) == 3
    assert [record.message.partition(":")[0] for record in caplog.records] == ["Token usage was not reported"] * 2


async def converse(url: str, claw: Any) -> None:
    """Every asynchronous way to ask once."""
    async with (
        openai.AsyncOpenAI(api_key="k", base_url=url + "/v1", max_retries=0) as gpt,
        anthropic.AsyncAnthropic(api_key="k", base_url=url, max_retries=0) as claude,
    ):
        claw.wrap_client(gpt, stream_usage=True)
        claw.wrap_client(claude)
        assert (await gpt.chat.completions.create(model="gpt-4o-mini", messages=TALK)).choices
        raw = await gpt.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=TALK)
        assert raw.parse().choices
        stream = await gpt.chat.completions.create(model="gpt-4o-mini", messages=TALK, stream=True)
        assert len([part async for part in stream]) == 3
        answer = await claude.messages.create(model="claude-sonnet-x", max_tokens=9, messages=TALK)
        assert answer.id == "msg_1"
        async with claude.messages.stream(model="claude-sonnet-x", max_tokens=9, messages=TALK) as helper:
            assert "".join([text async for text in helper.text_stream]) == "Hello"
        async with await claude.messages.create(
            model="claude-sonnet-x", max_tokens=9, messages=TALK, stream=True
        ) as early:
            await anext(aiter(early))


EXPECTED = [CHAT, CHAT, CHAT, MESSAGE, MESSAGE, ("claude-sonnet-x", 100, 1)]


def in_a_thread_of_its_own(path: Path) -> Any:
    return DashClaw.local(path, agent_id="me")


def on_the_loop(path: Path) -> Any:
    return AsyncDashClaw.local(path, agent_id="me")


@pytest.mark.parametrize("opened", [in_a_thread_of_its_own, on_the_loop])
def test_asynchronous_clients_are_reported_by_both_clients_of_ours(
    models: Models, tmp_path: Path, opened: Callable[[Path], Any]
) -> None:
    path = tmp_path / "dashclaw.db"
    claw = opened(path)

    async def run() -> None:
        await converse(models.url, claw)
        if isinstance(claw, AsyncDashClaw):
            await claw.aclose()

    asyncio.run(run())
    claw.close()
    with DashClaw.local(path) as reader:
        assert told(reader) == EXPECTED


def test_a_blocking_client_can_be_reported_by_the_asynchronous_one(models: Models, tmp_path: Path) -> None:
    path = tmp_path / "dashclaw.db"

    async def run() -> None:
        async with AsyncDashClaw.local(path, agent_id="me") as claw:
            with openai.OpenAI(api_key="k", base_url=models.url + "/v1", max_retries=0) as client:
                claw.wrap_client(client).chat.completions.create(model="gpt-4o-mini", messages=TALK)

    asyncio.run(run())
    with DashClaw.local(path) as reader:
        assert told(reader) == [CHAT]
