from __future__ import annotations

import warnings
from typing import Any

import pytest

from dashclaw import AsyncDashClaw, ConfigurationError, DashClaw, OpenClawAgent, RetryPolicy
from dashclaw.testing import FakeTransport

KEY = "oc_live_0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BASE_URL", "API_KEY", "AGENT_ID", "AGENT_NAME", "SWARM_ID", "GUARD_MODE", "HITL_MODE"):
        monkeypatch.delenv(f"DASHCLAW_{name}", raising=False)


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("file:///tmp/x.db", "sqlite:///dashclaw.db"),
        ("", "http://"),
        (None, "DashClaw.local"),
        ("localhost:3000", "http://"),
        ("ftp://host", "http://"),
        ("http://", "host"),
        ("http://user:pw@localhost", "api_key"),
        ("http://local host", "space"),
        ("http://localhost\n", "control character"),
        ("http://localhost:99999", "valid URL"),
        ("http://localhost:0", "host:8443"),
        ("http://localhost/?a=1", "scheme, host"),
        ("http://localhost/#a", "scheme, host"),
        ("sqlite:file.db", "sqlite:///file.db"),
        ("sqlite:///", "sqlite:///file.db"),
        (3, "not int"),
    ],
)
def test_a_wrong_base_url_is_refused_with_what_to_do(url: Any, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        DashClaw(url, KEY)
    assert hint in str(caught.value)


@pytest.mark.parametrize("key", ["", "  ", "a\nb", "key\n", " key", "k\x00", "schlüssel\u2603", 5])
def test_a_wrong_key_is_refused_without_being_shown(key: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        DashClaw("http://localhost:3000", key)
    assert not isinstance(key, str) or not key.strip() or key not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("guard_mode", "strict"),
        ("hitl_mode", "poll"),
        ("auto_recommend", "yes"),
        ("guard_failure", "ajar"),
        ("guard_callback", "print"),
        ("recommendation_callback", 3),
        ("recommendation_confidence_min", 101),
        ("recommendation_confidence_min", True),
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", float("inf")),
        ("timeout", "soon"),
        ("timeout", True),
        ("redact", "yes"),
        ("agent_id", ""),
        ("agent_id", "x" * 129),
        ("agent_name", 3),
        ("retry", 3),
        ("retry", RetryPolicy(attempts=0)),
    ],
)
def test_a_wrong_setting_is_refused(setting: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=setting if setting != "retry" else "RetryPolicy"):
        DashClaw(transport=FakeTransport(), **{setting: value})


def test_a_server_needs_a_key() -> None:
    with pytest.raises(ConfigurationError, match="DASHCLAW_API_KEY"):
        DashClaw("http://localhost:3000")


@pytest.mark.parametrize("kind", [DashClaw, AsyncDashClaw])
def test_the_environment_fills_what_is_not_given(monkeypatch: pytest.MonkeyPatch, kind: type[DashClaw]) -> None:
    for name, value in {
        "BASE_URL": "http://127.0.0.1:9/base/",
        "API_KEY": KEY,
        "AGENT_ID": "env-agent",
        "AGENT_NAME": "Env",
        "SWARM_ID": "swarm",
        "GUARD_MODE": "enforce",
        "HITL_MODE": "wait",
        "GUARD_FAILURE": "open",
        "TIMEOUT": "1.5",
    }.items():
        monkeypatch.setenv(f"DASHCLAW_{name}", value)
    claw = kind()
    assert (claw.agent_id, claw.agent_name, claw.swarm_id) == ("env-agent", "Env", "swarm")
    assert (claw.guard_mode, claw.hitl_mode, claw.guard_failure) == ("enforce", "wait", "open")
    assert "http://127.0.0.1:9/base'" in repr(claw)


def test_what_is_given_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHCLAW_AGENT_ID", "env-agent")
    monkeypatch.setenv("DASHCLAW_GUARD_FAILURE", "open")
    monkeypatch.setenv("DASHCLAW_GUARD_MODE", "enforce")
    claw = DashClaw(agent_id="given", guard_failure="closed", guard_mode="off", transport=FakeTransport())
    assert (claw.agent_id, claw.guard_failure, claw.guard_mode) == ("given", "closed", "off")


@pytest.mark.parametrize("name", ["GUARD_MODE", "TIMEOUT", "AGENT_ID"])
def test_the_environment_is_checked_too(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"DASHCLAW_{name}", "?" * 200)
    with pytest.raises(ConfigurationError, match=name.lower()):
        DashClaw(transport=FakeTransport())


@pytest.mark.parametrize("host", ["localhost.attacker.example", "example.com", "127.0.0.1.example.com", "10.0.0.1"])
def test_plain_http_to_another_host_warns_at_the_caller(host: str) -> None:
    with pytest.warns(UserWarning, match="use https") as caught:
        DashClaw(f"http://{host}", KEY)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]:3000", "app.localhost:80"])
def test_plain_http_to_loopback_and_https_do_not_warn(host: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DashClaw(f"http://{host}", KEY)
        DashClaw("https://example.com/app", KEY)


def test_no_repr_shows_a_secret() -> None:
    claw = DashClaw("http://localhost:3000", KEY, "me")
    assert KEY not in repr(claw)
    assert KEY not in repr(vars(claw))
    assert "agent_id='me'" in repr(claw)


def test_the_old_name_is_the_same_class() -> None:
    assert OpenClawAgent is DashClaw
