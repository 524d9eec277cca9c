"""Report the tokens that a model client uses, without the program noticing.

Clients of the openai and anthropic packages, and of others that are generated alike, send everything through their
`request`: plain, raw and streaming calls of every resource. `watch` puts itself before that of one client. Whatever
goes wrong here is logged; the program gets what the model answered.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Dict, Iterator, Mapping, Optional

from ._call import AsyncDriver, Call
from ._log import logger
from .errors import ConfigurationError
from .methods.tokens import TokenMethods

if TYPE_CHECKING:
    from .client import Client

# How long a report may hold the program up.
REPORT_SECONDS = 5.0
_METERED = (
    "/completions",
    "/complete",
    "/responses",
    "/messages",
    "/embeddings",
    "/audio/transcriptions",
    "/audio/translations",
    "/images/generations",
    "/images/edits",
)
_RAW_HEADER = "X-Stainless-Raw-Response"
_NEEDED = ("request", "post", "with_options", "copy")


class Watcher:
    """What the calls of one model client are reported with."""

    def __init__(self, claw: Client, fields: Mapping[str, Any], stream_usage: Optional[bool]) -> None:
        self.claw = claw
        self.fields = fields
        self.stream_usage = stream_usage

    def report(self, usage: Usage) -> Optional[Call[Any]]:
        """Return the call that reports usage, once; None when there is nothing to tell."""
        told = usage.take()
        if told is None:
            return None
        call = TokenMethods.report_token_usage.plan(self.claw, **{**told, **self.fields})
        assert isinstance(call, Call)
        call.timeout = REPORT_SECONDS
        return call

    def tell(self, usage: Usage) -> None:
        """Report usage from this thread."""
        try:
            call = self.report(usage)
            if call is not None:
                self.claw._block(self.claw._steps(call))
        except Exception as error:  # noqa: BLE001 - the model's answer must reach the program
            _not_told(error)

    async def tell_async(self, usage: Usage) -> None:
        """Report usage without holding up the event loop."""
        try:
            call = self.report(usage)
            if call is None:
                return
            if isinstance(self.claw, AsyncDriver):
                await self.claw._drive(call)
            else:
                import asyncio

                loop = asyncio.get_running_loop()
                await loop.run_in_executor(None, self.claw._block, self.claw._steps(call))
        except Exception as error:  # noqa: BLE001 - the model's answer must reach the program
            _not_told(error)


class Usage:
    """What one call used, as far as it is known: later numbers replace earlier ones."""

    def __init__(self, hides: bool = False) -> None:
        self.hides = hides
        self.model: Optional[str] = None
        self._numbers: Dict[str, int] = {}
        self._taken = False

    def note(self, item: Any) -> bool:
        """Take down what an answer or a part of a stream says; true when the program did not ask for this part."""
        told = False
        # Events of streams carry the answer under one of these names.
        for holder in (item, _part(item, "message"), _part(item, "response")):
            model = _part(holder, "model")
            if isinstance(model, str):
                self.model = model
            usage = _part(holder, "usage")
            if usage is not None:
                self._add(usage)
                told = True
        return told and self.hides and _part(item, "choices") == []

    def _add(self, usage: Any) -> None:
        details = _part(usage, "prompt_tokens_details") or _part(usage, "input_tokens_details")
        found = {
            "in": _number(usage, "prompt_tokens", "input_tokens"),
            "out": _number(usage, "completion_tokens", "output_tokens"),
            "cached": _number(details, "cached_tokens"),
            "read": _number(usage, "cache_read_input_tokens"),
            "written": _number(usage, "cache_creation_input_tokens"),
        }
        self._numbers.update((name, number) for name, number in found.items() if number is not None)

    def take(self) -> Optional[Mapping[str, Any]]:
        """Return the fields of a report, once; None when nothing is known."""
        if self._taken or not ("in" in self._numbers or "out" in self._numbers):
            return None
        self._taken = True
        number = self._numbers.get
        # Some providers count what their cache reads and writes beside the input, others within it.
        beside, written = number("read", 0), number("written", 0)
        return {
            "tokens_in": number("in", 0) + beside + written,
            "tokens_out": number("out", 0),
            "model": self.model,
            "cached_tokens": beside or number("cached", 0) or None,
            "cache_write_tokens": written or None,
        }


def watch(claw: Client, model_client: Any, fields: Mapping[str, Any], stream_usage: Optional[bool]) -> None:
    """Report what a model client uses from now on, copies that it makes of itself included.

    Raises `ConfigurationError` for what is no such client.
    """
    if not all(callable(getattr(model_client, name, None)) for name in _NEEDED):
        kind = type(model_client)
        raise ConfigurationError(
            f"wrap_client takes a client of the openai or anthropic package, not {kind.__module__}.{kind.__qualname__}"
        )
    known = getattr(vars(model_client).get("request"), "watcher", None)
    if known is not None and known.claw is claw:
        return
    watcher = Watcher(claw, fields, stream_usage)
    model_client.request = _watched(watcher, model_client)
    for name in ("copy", "with_options"):
        setattr(model_client, name, _copying(watcher, getattr(model_client, name)))


def _copying(watcher: Watcher, make: Callable[..., Any]) -> Callable[..., Any]:
    def copy(*args: Any, **options: Any) -> Any:
        made = make(*args, **options)
        watch(watcher.claw, made, watcher.fields, watcher.stream_usage)
        return made

    return copy


def _watched(watcher: Watcher, model_client: Any) -> Callable[..., Any]:
    import inspect

    request = model_client.request

    def sync(cast_to: Any, options: Any, *args: Any, **more: Any) -> Any:
        usage, raw = _before(watcher, model_client, options)
        answer = request(cast_to, options, *args, **more)
        if usage is not None:
            try:
                found = answer.parse() if raw else answer
                if not _follow(watcher, found, usage):
                    usage.note(found)
            except Exception as error:  # noqa: BLE001 - the model's answer must reach the program
                _not_told(error)
            watcher.tell(usage)
        return answer

    async def asynchronous(cast_to: Any, options: Any, *args: Any, **more: Any) -> Any:
        usage, raw = _before(watcher, model_client, options)
        answer = await request(cast_to, options, *args, **more)
        if usage is not None:
            try:
                found = answer.parse() if raw else answer
                found = await found if inspect.isawaitable(found) else found
                if not _follow_async(watcher, found, usage):
                    usage.note(found)
            except Exception as error:  # noqa: BLE001 - the model's answer must reach the program
                _not_told(error)
            await watcher.tell_async(usage)
        return answer

    found: Any = asynchronous if inspect.iscoroutinefunction(request) else sync
    found.watcher = watcher
    wrapper: Callable[..., Any] = found
    return wrapper


def _before(watcher: Watcher, model_client: Any, options: Any) -> Any:
    """Return the usage to fill, None for a call that uses no tokens, and whether the answer is wanted raw."""
    try:
        path = str(options.url).partition("?")[0]
        if options.method.lower() != "post" or not path.endswith(_METERED):
            return None, False
        headers = options.headers if isinstance(options.headers, Mapping) else {}
        raw = headers.get(_RAW_HEADER)
        # A response that the program wants to read itself is not read before it.
        usage = None if raw == "stream" else Usage(_ask_for_usage(watcher, model_client, options, path))
        return usage, raw is not None
    except Exception as error:  # noqa: BLE001 - the program's call must be made
        _not_told(error)
        return None, False


def _ask_for_usage(watcher: Watcher, model_client: Any, options: Any, path: str) -> bool:
    """Ask a stream of completions for its usage, which it tells in one more part; true when the program did not."""
    body = options.json_data
    if not (path.endswith("/completions") and isinstance(body, Mapping) and body.get("stream") is True):
        return False
    asked = body.get("stream_options") or {}
    wanted = watcher.stream_usage
    if wanted is None:
        # Other services that speak this wire may refuse the option.
        wanted = getattr(model_client.base_url, "host", "") == "api.openai.com"
    if not wanted or asked.get("include_usage"):
        return False
    options.json_data = dict(body, stream_options=dict(asked, include_usage=True))
    return True


def _follow(watcher: Watcher, stream: Any, usage: Usage) -> bool:
    """Look at the parts of a stream as the program gets them; false when it is none."""
    inner = getattr(stream, "_iterator", None)
    if inner is None:
        return False

    def parts() -> Iterator[Any]:
        try:
            for item in inner:
                if not _note(usage, item):
                    yield item
        except Exception:
            watcher.tell(usage)
            raise
        watcher.tell(usage)

    # Through a weak reference, so that a stream that is dropped goes at once.
    itself = weakref.ref(stream)

    def close() -> Any:
        found = itself()
        try:
            return None if found is None else type(found).close(found)
        finally:
            watcher.tell(usage)

    stream._iterator = parts()
    stream.close = close
    return True


def _follow_async(watcher: Watcher, stream: Any, usage: Usage) -> bool:
    """`_follow` for an asynchronous stream."""
    inner = getattr(stream, "_iterator", None)
    if inner is None:
        return False

    async def parts() -> AsyncIterator[Any]:
        try:
            async for item in inner:
                if not _note(usage, item):
                    yield item
        except Exception:
            await watcher.tell_async(usage)
            raise
        await watcher.tell_async(usage)

    itself = weakref.ref(stream)

    async def close() -> Any:
        found = itself()
        try:
            return None if found is None else await type(found).close(found)
        finally:
            await watcher.tell_async(usage)

    stream._iterator = parts()
    stream.close = close
    return True


def _note(usage: Usage, item: Any) -> bool:
    try:
        return usage.note(item)
    except Exception as error:  # noqa: BLE001 - the stream must reach the program
        _not_told(error)
        return False


def _part(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)


def _number(holder: Any, *names: str) -> Optional[int]:
    for name in names:
        value = _part(holder, name)
        if type(value) is int and value >= 0:
            return value
    return None


def _not_told(error: Exception) -> None:
    logger().warning("Token usage was not reported: %r", error)
