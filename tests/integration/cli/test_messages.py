"""Messages on the command line, on an embedded database and against a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Place


def test_an_operator_writes_to_an_agent_and_sees_whether_it_read(place: Place, tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    report.write_bytes(b"a,b\n1,2\n")
    shown = place.run("messages", "send", "Look at this", "--to", "agent-1", "--urgent", "--attach", str(report))
    assert (shown.code, shown.err) == (0, "")
    [message] = place.agent.get_inbox(unread=True)["messages"]
    assert shown.out == f"Sent {message['id']} to agent-1\n"
    assert (message["from_agent_id"], message["urgent"]) == ("operator", True)
    [attached] = message["attachments"]
    assert place.agent.get_attachment(attached["id"]) == {
        "data": b"a,b\n1,2\n",
        "filename": "report.csv",
        "mime_type": "text/csv",
    }
    [line] = [line for line in place.run("messages", "list").out.splitlines() if message["id"] in line]
    assert line.split()[1:6] == ["operator", "agent-1", "info!", "sent", "0s"]
    place.agent.mark_read([message["id"]])
    lines = place.run("messages", "read", message["id"]).out.splitlines()
    assert ["read", "by", "agent-1"] in [line.split() for line in lines]


def test_the_inbox_of_an_agent_is_listed_and_counted(place: Place) -> None:
    place.run("messages", "send", "To all", "--subject", "News", "--type", "status")
    place.run("messages", "send", "To another", "--to", "agent-2")
    shown = place.run("messages", "list", "--agent", "agent-1", "--unread")
    assert "News: To all" in shown.out
    assert shown.out.endswith("\n1 in total\n")
    assert place.run("messages", "list").out.endswith("\n2 in total\n")
    assert place.run("messages", "list", "--agent", "agent-3", "--json").document["unread_count"] == 1
    assert place.run("messages", "list", "--limit", "1", "--json").document["has_more"] is True


def test_reading_counts_for_who_reads_and_nobody_else(place: Place) -> None:
    sent = place.agent.broadcast("Green", message_type="status")["message_id"]
    private = place.agent.send_message("Secret", to="agent-2")["message_id"]
    lines = place.run("messages", "read", sent).out.splitlines()
    assert ["body", "Green"] in [line.split() for line in lines]
    assert place.run("messages", "read", private).code == 0
    inbox = place.run("messages", "list", "--agent", "operator", "--json").document
    assert [row["is_read"] for row in inbox["messages"]] == [True]
    inbox = place.run("messages", "list", "--agent", "agent-2", "--unread", "--json").document
    assert [row["body"] for row in inbox["messages"]] == ["Secret", "Green"]
    place.run("messages", "read", private, "--agent", "agent-2")
    inbox = place.run("messages", "list", "--agent", "agent-2", "--unread", "--json").document
    assert [row["body"] for row in inbox["messages"]] == ["Green"]


def test_attachments_are_saved_in_the_folder_and_overwrite_nothing(place: Place, tmp_path: Path) -> None:
    given = {"filename": "../../escape.txt", "mime_type": "text/plain", "data": b"here"}
    sent = place.agent.send_message("x", attachments=[given])["message_id"]
    folder = tmp_path / "kept"
    folder.mkdir()
    shown = place.run("messages", "read", sent, "--save", str(folder))
    assert f"Saved {folder / 'escape.txt'}" in shown.out
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("escape.txt", b"here")]
    (folder / "escape.txt").write_bytes(b"mine")
    again = place.run("messages", "read", sent, "--save", str(folder))
    assert (again.code, again.err) == (1, f"error: {folder / 'escape.txt'} cannot be written: File exists\n")
    assert (folder / "escape.txt").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("messages", "list", "--unread"), "--unread needs --agent"),
        (("messages", "send", "x", "--attach", "nowhere.txt"), "nowhere.txt cannot be read: No such file"),
        (("messages", "send", "x", "--thread", "mt_unknown"), "There is no message thread 'mt_unknown'"),
        (("messages", "read", "msg_unknown"), "see dashclaw messages list"),
    ],
)
def test_what_cannot_be_done_is_said(place: Place, words: tuple[str, ...], said: str) -> None:
    shown = place.run(*words)
    assert (shown.code, shown.out) == (1, "")
    assert said in shown.err


def test_an_empty_inbox_says_so(place: Place) -> None:
    assert place.run("messages", "list").out == "No messages.\n"
    assert place.run("messages", "list", "--agent", "a").out == "Nothing in this inbox.\n"


def test_what_an_agent_wrote_cannot_steer_the_terminal(place: Place) -> None:
    sent = place.agent.send_message("\x1b[2J\u202eHello", subject="\x1b[2J")["message_id"]
    for words in (("messages", "list"), ("messages", "read", sent)):
        shown = place.run(*words)
        assert "\\x1b[2J" in shown.out
        assert "\x1b" not in shown.out
        assert "\u202e" not in shown.out
