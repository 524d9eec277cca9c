"""Settings of the engine; the only place of the runtime that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError

from dashclaw.errors import ConfigurationError

_SECRETS = frozenset({"semantic_key", "webhook_secret"})
_Seconds = Annotated[float, Field(gt=0, le=60)]
_Days = Annotated[int, Field(ge=1, le=36500)]


class Settings(NamedTuple):
    """How one runtime behaves.

    `durability` "normal" survives the death of the process, "full" also that of the machine (SQLite's
    synchronous=FULL). `evaluation_deadline` is seconds for all remote checks of one decision.
    `guard_degradation` is the decision when a rule or remote check cannot be had.
    `approval_seconds` is how long a pending approval waits by default; `consume_minutes` how long a
    granted approval of an action that was never started covers an identical request.
    `semantic_url`, `semantic_key`, `semantic_model` name an OpenAI-compatible endpoint.
    `allow_private_webhooks` lets webhooks reach loopback and private addresses, and plain http; `webhook_domains`,
    separated by commas, are the only ones that webhooks may name, with what is below them.
    `decision_days`, `event_days` and `delivery_days` are how long decisions, events and settled deliveries of webhooks
    are kept, None for ever.
    `evidence_key` is the file of the key that signs checkpoints; by default it is beside the database.
    `model_prices` is a JSON file of prices that go before ours.
    `public_url` is where people find the server, for links in chats. `slack_url`, `discord_url` and `telegram_url` are
    where the chat platforms are called, for those who run a server of their own, by the rules of webhooks.
    """

    durability: Literal["normal", "full"] = "normal"
    evaluation_deadline: _Seconds = 3.5
    guard_degradation: Literal["warn", "require_approval", "block"] = "require_approval"
    approval_seconds: Annotated[int, Field(ge=10, le=30 * 86400)] = 3600
    consume_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 15
    semantic_url: str | None = None
    semantic_key: str | None = None
    semantic_model: str = "gpt-4o-mini"
    webhook_secret: str | None = None
    allow_private_webhooks: bool = False
    decision_days: _Days | None = None
    event_days: _Days | None = None
    model_prices: str | None = None
    webhook_domains: str | None = None
    delivery_days: _Days | None = 30
    evidence_key: str | None = None
    public_url: str | None = None
    slack_url: str = "https://slack.com"
    discord_url: str = "https://discord.com"
    telegram_url: str = "https://api.telegram.org"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read `DASHCLAW_DURABILITY`, `DASHCLAW_DECISION_DAYS` and so on: a field's name in capitals.

        Raises `ConfigurationError` that names the variable.
        """
        named = {name: environment.get(variable(name)) for name in cls._fields}
        try:
            found: Settings = _adapter().validate_python({name: text for name, text in named.items() if text})
        except ValidationError as error:
            wrong = "; ".join(f"{variable(str(found['loc'][-1]))}: {found['msg']}" for found in error.errors())
            raise ConfigurationError(wrong) from None
        return found

    def __repr__(self) -> str:
        shown = (f"{name}={'***' if name in _SECRETS and value else value!r}" for name, value in self._asdict().items())
        return f"Settings({', '.join(shown)})"


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"DASHCLAW_{name.upper()}"


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Settings)
