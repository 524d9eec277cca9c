"""What keeps tests on this machine does so: each of these would leave it, and fails though it swallows the refusal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEAVING = {
    "tcp": "socket.create_connection(('192.0.2.1', 80), 1)",
    "tcp_ex": "socket.socket().connect_ex(('192.0.2.1', 80))",
    "udp": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    "udp_msg": "socket.socket(type=socket.SOCK_DGRAM).sendmsg([b'x'], [], 0, ('192.0.2.1', 53))",
    "ipv6": "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
    "look_up": "socket.getaddrinfo('other.example', 80)",
    "old_look_up": "socket.gethostbyname_ex('other.example')",
    "reverse": "socket.getnameinfo(('192.0.2.1', 80), 0)",
    "library": "urllib.request.urlopen('http://other.example/', timeout=1)",
    "asyncio": "asyncio.run(asyncio.open_connection('192.0.2.1', 80))",
    "thread": "threading.Thread(target=lambda: socket.getaddrinfo('other.example', 80)).run()",
    "program": "subprocess.run([sys.executable, '-c', 'import socket; socket.getaddrinfo(\"other.example\", 80)'])",
}
STAYING = """
def test_staying():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1]), 1).close()
    socket.getaddrinfo("192.0.2.1", 80)
    socket.getaddrinfo(None, 80)
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", 9))
"""


def results_of(folder: Path, text: str) -> str:
    """Run tests of a file that is guarded as ours are, and return what pytest prints of each."""
    imports = "import asyncio, contextlib, pytest, socket, subprocess, sys, threading, urllib.request\n"
    (folder / "test_it.py").write_text(imports + text)
    (folder / "conftest.py").write_text("from tests.network.fixture import stays_on_this_machine, watched\n")
    (folder / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.stdout + done.stderr


def test_every_way_out_fails_its_test(tmp_path: Path) -> None:
    text = "".join(
        f"def test_{name}():\n    with contextlib.suppress(Exception):\n        {code}\n"
        for name, code in LEAVING.items()
    )
    found = results_of(tmp_path, text)
    assert [name for name in LEAVING if f"ERROR test_it.py::test_{name} " not in found] == [], found
    assert found.count("asked for other machines") >= len(LEAVING)


def test_this_machine_may_be_reached(tmp_path: Path) -> None:
    found = results_of(tmp_path, STAYING)
    assert "1 passed" in found, found


def test_examples_may_name_machines_that_they_do_not_reach(tmp_path: Path) -> None:
    look_up = "    with contextlib.suppress(OSError):\n        socket.getaddrinfo('other.example', 80)\n"
    mark = "@pytest.mark.refused('{}')\ndef test_{}():\n" + look_up
    found = results_of(tmp_path, mark.format("other.example", "named") + mark.format("third.example", "other"))
    assert "ERROR test_it.py::test_other " in found
    assert "ERROR test_it.py::test_named " not in found


@pytest.mark.parametrize("root", ["conftest.py", "integrations/conftest.py"])
def test_every_test_of_ours_is_guarded(root: str, request: pytest.FixtureRequest) -> None:
    assert "stays_on_this_machine" in request.fixturenames
    assert "import stays_on_this_machine, watched" in (ROOT / "tests" / root).read_text()
