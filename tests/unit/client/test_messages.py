"""What the methods of messaging make of their arguments and of the answers of other servers."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from dashclaw import AsyncDashClaw, DashClaw, NotFoundError
from dashclaw._transport import Response

from .support import answer, client
from .test_types import SOMETIMES, promised, unlike


def test_answers_that_need_an_id_have_the_declared_keys_and_types(tmp_path: Path) -> None:
    with DashClaw.local(tmp_path / "dashclaw.db", agent_id="me") as claw:
        note = {"filename": "note.txt", "mime_type": "text/plain", "data": b"note", "more": 1}
        sent = claw.send_message("Look", to="me", attachments=[note], extra=1)
        talk = claw.create_message_thread("Talk")["thread"]["id"]
        doc = claw.save_shared_doc("Runbook", "Call")["doc"]["id"]
        results = {
            "send_message": sent,
            "get_inbox": claw.get_inbox(),
            "resolve_message_thread": claw.resolve_message_thread(talk, "Done"),
            "get_shared_doc": claw.get_shared_doc(doc, version=1),
            "get_attachment": claw.get_attachment(sent["message"]["attachments"][0]["id"]),
        }
    wrong = [text for name, found in results.items() for text in unlike(promised(name), found, name)]
    assert [text for text in wrong if text not in {f"{key} is missing" for key in SOMETIMES}] == []


def test_bytes_are_sent_as_base64_and_text_as_it_is() -> None:
    claw, wire = client(answer({}))
    files = [{"filename": "a", "mime_type": "text/plain", "data": data} for data in (b"\x00\xff", "AP8=")]
    claw.send_message("x", attachments=files)
    assert [file["data"] for file in wire.bodies[0]["attachments"]] == ["AP8=", "AP8="]


def test_what_looks_like_a_secret_in_a_file_is_left_alone() -> None:
    claw, wire = client(answer({}))
    secret = "sk-ant-" + "a1B2" * 10
    data = base64.b64encode(secret.encode()).decode()
    claw.send_message(f"Use {secret}", attachments=[{"filename": secret, "mime_type": "text/plain", "data": data}])
    [sent] = wire.bodies
    assert secret not in sent["body"]
    assert sent["attachments"][0] == {"filename": secret, "mime_type": "text/plain", "data": data}


def test_one_id_is_taken_for_a_list_of_one() -> None:
    claw, wire = client(answer({}))
    claw.mark_read("msg_1")
    claw.archive_messages(key for key in ("msg_1", "msg_2"))
    assert [body["message_ids"] for body in wire.bodies] == [["msg_1"], ["msg_1", "msg_2"]]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="report.pdf"', "report.pdf"),
        ('attachment; filename="../../.ssh/authorized_keys"', "authorized_keys"),
        ("attachment; filename*=UTF-8''%2Fetc%2Fpasswd", "passwd"),
        ('attachment; filename=".."', "att_1"),
    ],
)
def test_no_server_can_name_a_file_in_another_folder(header: str, name: str) -> None:
    claw, wire = client(Response(200, {"content-disposition": header, "content-type": "image/png"}, b"{not json"))
    assert claw.get_attachment("att_1") == {"data": b"{not json", "filename": name, "mime_type": "image/png"}
    assert wire.requests[0].headers["Accept"] == "*/*"


def test_an_attachment_that_is_not_there_is_an_error_and_no_file() -> None:
    claw, _ = client(answer({"error": "There is none", "code": "NOT_FOUND"}, 404))
    with pytest.raises(NotFoundError, match="There is none"):
        claw.get_attachment("att_1")


@pytest.mark.parametrize("kind", [DashClaw, AsyncDashClaw])
def test_the_address_of_a_server_is_known(kind: type[DashClaw]) -> None:
    with_path = kind("http://127.0.0.1:1/dashclaw/", "key")
    assert (with_path.base_url or "").rstrip("/") == "http://127.0.0.1:1/dashclaw"
    with_path.close()


def test_the_url_of_an_attachment_is_quoted_and_holds_no_key() -> None:
    with DashClaw("http://127.0.0.1:1/dashclaw/", "key") as claw:
        assert claw.get_attachment_url("a/b&c") == "http://127.0.0.1:1/dashclaw/api/messages/attachments?id=a%2Fb%26c"
