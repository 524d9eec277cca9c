"""Importing is cheap and pulls in nothing foreign; every public name and error is what the documentation says."""

from __future__ import annotations

import inspect
import os
import pickle
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from client_core import ROOT, core_files

import dashclaw
from dashclaw import AsyncDashClaw, DashClaw, errors, types
from dashclaw._config import settle
from dashclaw.errors import DashClawError, error_for_status
from dashclaw.testing import FakeTransport

KEY = "oc_live_0123456789abcdef0123456789abcdef"
ALL = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, DashClawError)]
HEAVY = ["dataclasses", "logging", "importlib.metadata", "asyncio", "ssl", "http.client", "concurrent.futures"]


def loaded_by(code: str) -> set[str]:
    """What a fresh interpreter without site packages has loaded besides its own start."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); before = set(sys.modules)\n{code}\n"
    program += "print(*sorted(set(sys.modules) - before))"
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def foreign(names: set[str]) -> set[str]:
    return {name for name in names if name.partition(".")[0] not in {*sys.stdlib_module_names, "dashclaw"}}


def test_the_import_alone_loads_nothing_heavy() -> None:
    loaded = loaded_by("import dashclaw; dashclaw.DashClaw")
    assert "dashclaw.client" in loaded
    assert foreign(loaded) == set()
    assert loaded & set(HEAVY) == set()
    assert {
        name for name in loaded if name.startswith(("dashclaw.runtime", "dashclaw.server", "dashclaw.aio"))
    } == set()


def test_working_clients_need_the_standard_library_alone() -> None:
    loaded = loaded_by(
        "import asyncio, dashclaw\n"
        "where = dict(base_url='http://127.0.0.1:1', api_key='k', retry=dashclaw.RetryPolicy(attempts=1))\n"
        "async def main():\n"
        "    async with dashclaw.AsyncDashClaw(**where) as claw:\n"
        "        try: await claw.heartbeat()\n"
        "        except dashclaw.NotSentError: pass\n"
        "with dashclaw.DashClaw(guard_failure='open', **where) as claw, claw.track('a', 'b'): pass\n"
        "asyncio.run(main())\n"
        "dashclaw.PooledTransport"
    )
    assert {"dashclaw.aio", "dashclaw._govern", "dashclaw._transport"} <= loaded
    assert foreign(loaded) == set()


def test_a_missing_extra_is_named() -> None:
    loaded_by(
        "import dashclaw\n"
        "try: dashclaw.DashClaw.local('never.db', agent_id='me')\n"
        "except dashclaw.MissingExtraError as error: assert 'dashclaw[local]' in str(error), error\n"
        "else: raise AssertionError"
    )


def test_every_module_of_the_core_imports_on_its_own() -> None:
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in core_files()]
    assert len(modules) > 30
    names = [name.removesuffix(".__init__") for name in modules]
    assert foreign(loaded_by("import importlib\n" + f"for name in {names!r}: importlib.import_module(name)")) == set()


@pytest.mark.parametrize("module", [dashclaw, types])
def test_every_promised_name_is_there(module: Any) -> None:
    assert sorted(set(module.__all__)) == sorted(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        dashclaw.nothing  # noqa: B018


def tree_of_the_docstring() -> dict[str, str]:
    """Each error's base, read from the drawing."""
    bases: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        name = line.lstrip(" │├└─").split(" ")[0]
        if not isinstance(getattr(errors, name, None), type):
            continue
        depth = line.index(name)
        while above and above[-1][0] >= depth:
            above.pop()
        bases[name] = above[-1][1] if above else "Exception"
        above.append((depth, name))
    return bases


def test_the_drawn_tree_is_the_real_one() -> None:
    assert tree_of_the_docstring() == {kind.__name__: kind.__mro__[1].__name__ for kind in ALL}


def test_every_error_is_exported() -> None:
    assert [kind.__name__ for kind in ALL if kind.__name__ not in dashclaw.__all__] == []


def test_also_means_that_the_standard_class_catches_it() -> None:
    assert issubclass(dashclaw.ConfigurationError, ValueError)
    assert issubclass(dashclaw.MissingExtraError, ImportError)
    assert issubclass(dashclaw.DeadlineExceededError, TimeoutError)
    assert issubclass(dashclaw.ApprovalTimeoutError, TimeoutError)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "InvalidRequestError"),
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (405, "NotFoundError"),
        (409, "ConflictError"),
        (410, "GoneError"),
        (413, "PayloadTooLargeError"),
        (422, "InvalidRequestError"),
        (429, "RateLimitedError"),
        (418, "ApiError"),
        (500, "ServerError"),
        (599, "ServerError"),
    ],
)
def test_a_status_has_its_class(status: int, kind: str) -> None:
    assert error_for_status(status).__name__ == kind


@pytest.mark.parametrize("kind", ALL)
def test_an_error_survives_pickling_with_all_it_knows(kind: type[DashClawError]) -> None:
    known: dict[str, Any] = {
        "status": 499,
        "code": "CODE",
        "details": ["a: is required"],
        "request_id": "req_1",
        "retry_after": 1.5,
    }
    if issubclass(kind, dashclaw.Verdict):
        known["action_id"] = "act_1"
    if kind is dashclaw.GuardBlockedError:
        known["decision"] = {"decision": "block", "reasons": ["Never"]}
    error = kind("It failed", **known)
    error.__cause__ = ValueError("why")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(error, protocol))
        assert type(again) is kind
        assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))
        for name, value in known.items():
            assert getattr(again, name) == value
    assert str(error) == "It failed (request req_1)"
    assert error.help_page == f"docs/errors.md#{kind.__name__.lower()}"


def test_no_repr_and_no_error_shows_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHCLAW_API_KEY", KEY)
    shown = [repr(settle({"base_url": "http://127.0.0.1:1"}))]
    for kind in (DashClaw, AsyncDashClaw):
        for more in ({}, {"transport": FakeTransport()}):
            with_key = kind("http://127.0.0.1:1", KEY, "me", **more)  # type: ignore[arg-type]
            shown += [repr(with_key), str(with_key), repr(with_key.transport), repr(vars(with_key))]
            with_key.close()
    with DashClaw("http://127.0.0.1:1", KEY, retry=dashclaw.RetryPolicy(attempts=1)) as claw:
        with pytest.raises(DashClawError) as caught:
            claw.heartbeat()
        shown += [repr(caught.value), str(caught.value), repr(caught.value.__cause__), repr(vars(caught.value))]
    for wrong in (f"{KEY}\n", f"{KEY}\u2603", f"\x00{KEY}"):
        with pytest.raises(dashclaw.ConfigurationError) as refused:
            DashClaw("http://127.0.0.1:1", wrong)
        shown += [repr(refused.value), str(refused.value)]
    assert [text for text in shown if KEY in text] == []


def test_the_version_is_the_package_s() -> None:
    assert dashclaw.__version__ == version("dashclaw")


OLD = [
    path
    for name in ("3.7", "3.8", "3.9")
    for path in sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{name}.*/bin/python"))
]
SMOKE = Path(__file__).parent / "smoke.py"


@pytest.mark.parametrize("python", OLD or [Path(sys.executable)], ids=lambda path: path.parts[-3])
def test_the_core_works_on_old_pythons(python: Path) -> None:
    done = subprocess.run(
        [str(python), "-I", "-S", "-W", "error", str(SMOKE), str(ROOT)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "the core works" in done.stdout
