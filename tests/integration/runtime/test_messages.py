"""Messages, threads and shared documents, as each agent sees them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from dashclaw.runtime.identity import Caller
from dashclaw.runtime.services.attachments import LARGEST

from .conftest import ADMIN, World

SECRET = "sk-proj-" + "a1B2" * 12


def send(world: World, sender: str, body: str = "Hello", **fields: Any) -> Any:
    status, answer = world.ask("POST", "/api/messages", {"from_agent_id": sender, "body": body, **fields})
    assert status == 201, answer
    return answer["message"]


def listed(world: World, agent: str, **query: str) -> Any:
    status, answer = world.ask("GET", "/api/messages", query={"agent_id": agent, **query})
    assert status == 200, answer
    return answer


def bodies(world: World, agent: str, **query: str) -> list[str]:
    return [message["body"] for message in listed(world, agent, **query)["messages"]]


def mark(world: World, agent: str, action: str, *ids: str) -> Any:
    body = {"message_ids": list(ids), "action": action, "agent_id": agent}
    status, answer = world.ask("PATCH", "/api/messages", body)
    assert status == 200, answer
    return answer


def thread(world: World, creator: str, *participants: str) -> str:
    body = {"name": "Talk", "created_by": creator, "participants": list(participants)}
    status, answer = world.ask("POST", "/api/messages/threads", body)
    assert status == 201, answer
    assert answer["thread"]["id"] == answer["thread_id"]
    found: str = answer["thread_id"]
    return found


def threads_of(world: World, agent: str, **query: str) -> list[str]:
    _, answer = world.ask("GET", "/api/messages/threads", query={"agent_id": agent, **query})
    assert answer["total"] == len(answer["threads"])
    return [found["id"] for found in answer["threads"]]


def event_names(world: World) -> list[str]:
    return [event["event"] for event in world.ask("GET", "/api/events")[1]["events"]]


def test_a_message_is_in_the_inbox_of_its_addressee_alone(world: World) -> None:
    sent = send(world, "a", "For b", to_agent_id="b", message_type="status", subject="S", doc_ref="sd_1", extra=1)
    assert bodies(world, "b") == ["For b"]
    assert bodies(world, "a") == bodies(world, "c") == []
    [found] = listed(world, "b")["messages"]
    assert found == sent
    kept = {name: found[name] for name in ("message_type", "subject", "doc_ref", "to_agent_id", "metadata", "status")}
    assert kept == {
        "message_type": "status",
        "subject": "S",
        "doc_ref": "sd_1",
        "to_agent_id": "b",
        "metadata": {"extra": 1},
        "status": "sent",
    }
    assert bodies(world, "a", direction="sent") == bodies(world, "a", direction="all") == ["For b"]


def test_a_broadcast_reaches_all_but_its_sender_and_is_read_by_each_for_itself(world: World) -> None:
    sent = send(world, "a", "For all")
    assert sent["to_agent_id"] is None
    assert [bodies(world, agent) for agent in ("a", "b", "c")] == [[], ["For all"], ["For all"]]
    assert mark(world, "b", "read", sent["id"]) == {"updated": 1, "skipped": []}
    assert bodies(world, "b", unread="true") == []
    assert bodies(world, "c", unread="true") == ["For all"]
    [seen_by_b], [seen_by_c] = listed(world, "b")["messages"], listed(world, "c")["messages"]
    assert (seen_by_b["is_read"], seen_by_b["status"], seen_by_b["read_by"]) == (True, "read", ["b"])
    assert (seen_by_c["is_read"], seen_by_c["status"], seen_by_c["read_by"]) == (False, "sent", ["b"])
    assert (listed(world, "b")["unread_count"], listed(world, "c")["unread_count"]) == (0, 1)
    assert mark(world, "a", "read", sent["id"]) == {"updated": 0, "skipped": [sent["id"]]}


def test_a_sender_sees_whether_its_message_was_read(world: World) -> None:
    sent = send(world, "a", "For b", to_agent_id="b")
    [before] = listed(world, "a", direction="sent")["messages"]
    mark(world, "b", "read", sent["id"])
    [after] = listed(world, "a", direction="sent")["messages"]
    assert [(row["status"], row["is_read"], row["read_by"]) for row in (before, after)] == [
        ("sent", False, []),
        ("read", True, ["b"]),
    ]


def test_archiving_a_broadcast_hides_it_from_nobody_else(world: World) -> None:
    sent = send(world, "a", "For all")
    assert mark(world, "b", "archive", sent["id"])["updated"] == 1
    assert bodies(world, "b") == []
    assert listed(world, "b")["unread_count"] == 0
    assert bodies(world, "c") == ["For all"]


def test_nobody_reads_or_archives_the_mail_of_another(world: World) -> None:
    sent = send(world, "a", "For b", to_agent_id="b")
    for agent in ("a", "c"):
        for action in ("read", "archive"):
            assert mark(world, agent, action, sent["id"]) == {"updated": 0, "skipped": [sent["id"]]}
    [found] = listed(world, "b")["messages"]
    assert (found["status"], found["read_at"], found["archived_at"]) == ("sent", None, None)


def test_marking_again_changes_nothing_and_unknown_ids_are_named(world: World) -> None:
    sent = send(world, "a", to_agent_id="b")
    assert mark(world, "b", "read", sent["id"], sent["id"], "msg_abc") == {"updated": 1, "skipped": ["msg_abc"]}
    before = event_names(world)
    assert mark(world, "b", "read", sent["id"], "msg_def") == {"updated": 0, "skipped": ["msg_def"]}
    assert event_names(world) == before
    assert mark(world, "b", "archive", sent["id"])["updated"] == 1
    _, found = world.ask("GET", f"/api/messages/{sent['id']}", query={"agent_id": "b"})
    assert (found["message"]["status"], found["message"]["read_by"]) == ("archived", ["b"])


@pytest.mark.parametrize("spelling", ["true", "True", "1"])
def test_unread_is_understood_in_every_spelling_that_clients_send(world: World, spelling: str) -> None:
    read = send(world, "a", "Old", to_agent_id="b")
    send(world, "a", "New", to_agent_id="b")
    mark(world, "b", "read", read["id"])
    found = listed(world, "b", unread=spelling)
    assert ([message["body"] for message in found["messages"]], found["total"]) == (["New"], 1)


def test_an_agent_can_write_to_itself(world: World) -> None:
    sent = send(world, "a", "Remember", to_agent_id="a")
    assert bodies(world, "a") == ["Remember"]
    assert mark(world, "a", "read", sent["id"])["updated"] == 1


def test_lists_are_filtered_cut_and_counted_truly(world: World) -> None:
    talk = thread(world, "a")
    for number in range(5):
        send(world, "a", f"{number}", to_agent_id="b", message_type="question" if number % 2 else "info")
    send(world, "a", "In the talk", to_agent_id="b", thread_id=talk)
    page = listed(world, "b", limit="2", offset="1")
    assert [message["body"] for message in page["messages"]] == ["4", "3"]
    assert (page["total"], page["has_more"], page["unread_count"]) == (6, True, 6)
    assert bodies(world, "b", type="question") == ["3", "1"]
    assert bodies(world, "b", thread_id=talk) == ["In the talk"]
    assert listed(world, "b", limit="5000")["limit"] == 1000


def test_without_an_agent_all_messages_are_shown_but_no_inbox(world: World) -> None:
    send(world, "a", "One", to_agent_id="b")
    send(world, "b", "Two")
    _, found = world.ask("GET", "/api/messages", caller=ADMIN)
    assert [message["body"] for message in found["messages"]] == ["Two", "One"]
    assert (found["total"], found["unread_count"]) == (2, 0)
    for query in ({"direction": "inbox"}, {"direction": "sent"}, {"unread": "true"}):
        status, refused = world.ask("GET", "/api/messages", query=query)
        assert (status, refused["fields"][0]["field"]) == (400, "agent_id")


@pytest.mark.parametrize(
    ("given", "urgent", "urgency"),
    [
        ({}, False, "normal"),
        ({"urgent": True}, True, "high"),
        ({"urgent": 1, "urgency": "low"}, True, "low"),
        ({"urgency": "medium"}, False, "medium"),
        ({"urgency": "high"}, True, "high"),
        ({"urgency": "critical"}, True, "critical"),
    ],
)
def test_urgency_is_kept_as_it_was_given(world: World, given: dict[str, Any], urgent: bool, urgency: str) -> None:
    found = send(world, "a", to_agent_id="b", **given)
    assert (found["urgent"], found["urgency"]) == (urgent, urgency)


def test_who_acts_must_be_named_unless_the_caller_is_the_agent(world: World) -> None:
    for verb, path, body, field in (
        ("POST", "/api/messages", {"body": "x"}, "from_agent_id"),
        ("PATCH", "/api/messages", {"message_ids": ["m"], "action": "read"}, "agent_id"),
        ("POST", "/api/messages/threads", {"name": "x"}, "created_by"),
        ("POST", "/api/messages/docs", {"name": "x", "content": "y"}, "agent_id"),
    ):
        status, refused = world.ask(verb, path, body)
        assert (status, refused["fields"][0]["field"]) == (400, field)
        assert world.ask(verb, path, body, caller=Caller("org_default", "local", agent_id="a"))[0] in (200, 201)


def test_secrets_are_masked_in_texts_that_others_read(world: World) -> None:
    body = {"from_agent_id": "a", "body": f"Use {SECRET}", "subject": SECRET, "note": SECRET}
    _, answer = world.ask("POST", "/api/messages", body)
    assert SECRET not in str(answer)
    assert (answer["security"]["clean"], len(answer["warnings"])) == (False, 1)
    sent = send(world, "a", attachments=[file("x.txt", b"x", note=SECRET)])
    marking = {"message_ids": [sent["id"]], "action": "read", "agent_id": "b", "note": SECRET}
    world.ask("PATCH", "/api/messages", marking)
    _, begun = world.ask("POST", "/api/messages/threads", {"name": "Talk", "created_by": "a", "note": SECRET})
    ending = {"thread_id": begun["thread_id"], "summary": SECRET, "note": SECRET}
    _, ended = world.ask("PATCH", "/api/messages/threads", ending)
    doc = {"name": "Keys", "content": SECRET, "agent_id": "a", "note": SECRET}
    saved = [world.ask("POST", "/api/messages/docs", doc)[1] for _ in range(2)]
    assert [found["security"]["clean"] for found in (ended, *saved)] == [False] * 3
    told = world.ask("GET", "/api/events")[1]
    assert len(told["events"]) == 7
    assert SECRET not in str([begun, ended, saved, told, listed(world, "b")])


def test_a_thread_is_listed_for_whoever_takes_part_and_nobody_with_a_similar_name(world: World) -> None:
    talk = thread(world, "maker", "agent-a")
    assert [threads_of(world, agent) for agent in ("maker", "agent-a", "agent", "a")] == [[talk], [talk], [], []]
    send(world, "guest", "Hi", to_agent_id="addressee", thread_id=talk)
    assert threads_of(world, "guest") == threads_of(world, "addressee") == [talk]
    _, all_of_them = world.ask("GET", "/api/messages/threads")
    [found] = all_of_them["threads"]
    assert (found["participants"], found["message_count"]) == (["agent-a"], 1)
    assert found["last_message_at"] == found["updated_at"] > found["created_at"]


def test_active_threads_are_the_open_ones_and_the_last_active_comes_first(world: World) -> None:
    one, two, three = (thread(world, "a") for _ in range(3))
    send(world, "a", "Again", thread_id=one)
    world.ask("PATCH", "/api/messages/threads", {"thread_id": two})
    assert threads_of(world, "a") == [two, one, three]
    assert threads_of(world, "a", status="active") == threads_of(world, "a", status="open") == [one, three]
    assert threads_of(world, "a", status="resolved") == [two]
    assert threads_of(world, "a", status="nonsense") == []


def test_a_resolved_thread_takes_no_messages_and_keeps_its_summary(world: World) -> None:
    talk = thread(world, "a")
    path, ended = "/api/messages/threads", {"thread_id": talk, "summary": "Done"}
    _, first = world.ask("PATCH", path, ended)
    assert (first["thread"]["status"], first["thread"]["summary"]) == ("resolved", "Done")
    before = event_names(world)
    for again in ({"thread_id": talk}, {"thread_id": talk, "summary": None}, ended):
        assert world.ask("PATCH", path, again) == (200, first)
    assert event_names(world) == before
    assert world.ask("PATCH", path, {**ended, "summary": "Otherwise"})[0] == 409
    body = {"from_agent_id": "a", "body": "Late", "thread_id": talk}
    assert world.ask("POST", "/api/messages", body)[0] == 409
    _, opened = world.ask("PATCH", path, {"thread_id": talk, "status": "open"})
    assert (opened["thread"]["status"], opened["thread"]["resolved_at"]) == ("open", None)
    assert world.ask("POST", "/api/messages", body)[0] == 201


def test_a_summary_may_be_added_to_a_thread_resolved_without_one(world: World) -> None:
    talk = thread(world, "a")
    _, first = world.ask("PATCH", "/api/messages/threads", {"thread_id": talk})
    _, second = world.ask("PATCH", "/api/messages/threads", {"thread_id": talk, "summary": "Done"})
    assert second["thread"]["summary"] == "Done"
    assert second["thread"]["resolved_at"] == first["thread"]["resolved_at"]


def test_messages_go_into_threads_that_exist(world: World) -> None:
    for thread_id, expected in (("mt_unknown", 404), ("ct_of_the_context", 400)):
        body = {"from_agent_id": "a", "body": "x", "thread_id": thread_id}
        assert world.ask("POST", "/api/messages", body)[0] == expected
    assert world.ask("PATCH", "/api/messages/threads", {"thread_id": "mt_unknown"})[0] == 404


def test_saving_a_document_again_makes_its_next_version_and_old_ones_stay(world: World) -> None:
    path = "/api/messages/docs"
    _, first = world.ask("POST", path, {"name": "Runbook", "content": "One", "agent_id": "a"})
    status, second = world.ask("POST", path, {"name": "Runbook", "content": "Two", "agent_id": "b"})
    assert (status, second["doc_id"]) == (201, first["doc_id"])
    doc = second["doc"]
    assert (doc["version"], doc["content"], doc["created_by"], doc["last_edited_by"]) == (2, "Two", "a", "b")
    assert doc["created_at"] == first["doc"]["created_at"] < doc["updated_at"]
    _, old = world.ask("GET", path, query={"id": doc["id"], "version": "1"})
    assert old["doc"] == first["doc"]
    _, now = world.ask("GET", path, query={"id": doc["id"]})
    assert now["doc"] == doc
    assert [(found["version"], found["edited_by"]) for found in now["versions"]] == [(2, "b"), (1, "a")]
    for query in ({"id": doc["id"], "version": "3"}, {"id": doc["id"], "version": "0"}, {"id": "sd_unknown"}):
        assert world.ask("GET", path, query=query)[0] == 404
    assert world.ask("GET", path, query={"version": "1"})[0] == 400


def test_documents_are_found_by_name_and_content(world: World) -> None:
    for name, content in (("Runbook", "Call the owner"), ("100% plan", "a_b"), ("Notes", "nothing")):
        world.ask("POST", "/api/messages/docs", {"name": name, "content": content, "agent_id": "a"})

    def names(**query: str) -> list[str]:
        return [doc["name"] for doc in world.ask("GET", "/api/messages/docs", query=query)[1]["docs"]]

    assert names() == ["Notes", "100% plan", "Runbook"]
    assert names(search="OWNER") == ["Runbook"]
    assert names(search="100%") == ["100% plan"]
    assert names(search="_") == ["100% plan"]
    assert names(limit="1", offset="1") == ["100% plan"]


def test_every_change_is_one_event(world: World) -> None:
    sent = send(world, "a", to_agent_id="b")
    mark(world, "b", "read", sent["id"])
    mark(world, "b", "archive", sent["id"])
    talk = thread(world, "a")
    world.ask("PATCH", "/api/messages/threads", {"thread_id": talk})
    world.ask("POST", "/api/messages/docs", {"name": "n", "content": "c", "agent_id": "a"})
    assert sorted(event_names(world)) == [
        "message.archived",
        "message.created",
        "message.read",
        "message_thread.created",
        "message_thread.resolved",
        "shared_doc.saved",
    ]


def test_ids_of_another_organisation_are_unknown(world: World) -> None:
    sent = send(world, "a", to_agent_id="b", attachments=[file("x.txt", b"x")])
    talk = thread(world, "a")
    _, saved = world.ask("POST", "/api/messages/docs", {"name": "n", "content": "c", "agent_id": "a"})
    _, made = world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    stranger = Caller(made["organization"]["id"], "key_stranger", "admin")
    marking = {"message_ids": [sent["id"]], "action": "read", "agent_id": "b"}
    assert world.ask("PATCH", "/api/messages", marking, caller=stranger)[1]["skipped"] == [sent["id"]]
    body = {"from_agent_id": "a", "body": "x", "thread_id": talk}
    assert world.ask("POST", "/api/messages", body, caller=stranger)[0] == 404
    for path, key in (("docs", saved["doc_id"]), ("attachments", sent["attachments"][0]["id"])):
        assert world.ask("GET", f"/api/messages/{path}", query={"id": key}, caller=stranger)[0] == 404
    # The same name there is another document.
    assert (
        world.ask("POST", "/api/messages/docs", {"name": "n", "content": "c", "agent_id": "a"}, caller=stranger)[1][
            "doc"
        ]["version"]
        == 1
    )


def file(name: str, data: bytes, mime_type: str = "text/plain", **more: Any) -> dict[str, Any]:
    return {"filename": name, "mime_type": mime_type, "data": base64.b64encode(data).decode(), **more}


def content(world: World, attachment_id: str) -> bytes:
    status, found = world.ask("GET", "/api/messages/attachments", query={"id": attachment_id})
    assert status == 200
    return b"".join(found.pieces())


def test_attachments_come_back_byte_by_byte_with_name_and_type(world: World) -> None:
    given = [
        file("data.json", bytes(range(256)) * 3000, "application/json"),
        file("empty.txt", b""),
        file("ü.md", b"# x", "Text/Markdown; charset=utf-8"),
    ]
    sent = send(world, "a", to_agent_id="b", attachments=given)
    [found] = listed(world, "b")["messages"]
    assert found["attachments"] == sent["attachments"]
    shown = [(row["filename"], row["mime_type"], row["size_bytes"]) for row in found["attachments"]]
    assert shown == [
        ("data.json", "application/json", 768_000),
        ("empty.txt", "text/plain", 0),
        ("ü.md", "text/markdown", 3),
    ]
    for row, attachment in zip(found["attachments"], given, strict=True):
        assert content(world, row["id"]) == base64.b64decode(attachment["data"])


def test_the_largest_attachment_is_taken_and_one_byte_more_is_not(world: World) -> None:
    sent = send(world, "a", attachments=[file("x.txt", b"x" * LARGEST)])
    assert sent["attachments"][0]["size_bytes"] == LARGEST
    body = {"from_agent_id": "a", "body": "x", "attachments": [file("a.txt", b""), file("b.txt", b"x" * (LARGEST + 1))]}
    status, refused = world.ask("POST", "/api/messages", body)
    assert (status, refused["code"], refused["maxBytes"]) == (413, "PAYLOAD_TOO_LARGE", LARGEST)
    assert refused["fields"][0]["field"] == "attachments.1.data"
    assert listed(world, "b")["total"] == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ([file("x.txt", b"")] * 4, "attachments"),
        ([file("x.exe", b"", "application/x-msdownload")], "attachments.0.mime_type"),
        ([file("x.html", b"", "text/html")], "attachments.0.mime_type"),
        ([{**file("x.txt", b""), "data": "no base64!"}], "attachments.0.data"),
        ([{"filename": "x.txt", "mime_type": "text/plain"}], "attachments.0.data"),
        ([{**file("x.txt", b""), "filename": ""}], "attachments.0.filename"),
        ([{**file("x.txt", b""), "filename": 5}], "attachments.0.filename"),
        (["x"], "attachments.0"),
    ],
)
def test_a_wrong_attachment_is_refused_by_name(world: World, wrong: list[Any], field: str) -> None:
    status, refused = world.ask("POST", "/api/messages", {"from_agent_id": "a", "body": "x", "attachments": wrong})
    assert (status, refused["fields"][0]["field"]) == (400, field)
    assert listed(world, "b")["total"] == 0


def test_a_name_is_never_a_path(world: World) -> None:
    body = {"from_agent_id": "a", "body": "x", "attachments": [file("../../etc/passwd", b"x", note="kept")]}
    _, answer = world.ask("POST", "/api/messages", body)
    [row] = answer["message"]["attachments"]
    assert (row["filename"], row["metadata"]) == ("passwd", {"note": "kept"})
    assert ["passwd" in answer["warnings"][0], "note" in answer["warnings"][1]] == [True, True]


def test_the_same_request_again_sends_one_message(world: World) -> None:
    body = {"from_agent_id": "a", "body": "x", "attachments": [file("x.txt", b"x" * 100_000)]}
    first, again = (world.ask("POST", "/api/messages", body, key="k") for _ in range(2))
    assert first == again
    other = {**body, "attachments": [file("x.txt", b"y" * 100_000)]}
    assert world.ask("POST", "/api/messages", other, key="k")[0] == 409
    assert listed(world, "b")["total"] == 1


def test_an_attachment_is_asked_for_by_its_id(world: World) -> None:
    assert world.ask("GET", "/api/messages/attachments")[0] == 400
    assert world.ask("GET", "/api/messages/attachments", query={"id": "att_unknown"})[0] == 404
