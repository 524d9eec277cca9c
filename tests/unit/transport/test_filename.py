"""A name from elsewhere is the name of a file, and never a way to another one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashclaw._filename import disposition, name_in, safe_name


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("Grüße 東京.md", "Grüße 東京.md"),
        (".profile", ".profile"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/etc/shadow", "shadow"),
        ("C:\\notes.txt", "notes.txt"),
        ("notes.txt:stream", "notes.txt_stream"),
        ("two\nlines\x00.txt", "two_lines_.txt"),
        ("cod\u202egnp.exe", "cod_gnp.exe"),
        ('say "hi".txt', "say _hi_.txt"),
        ("trailing. . ", "trailing"),
        ("..", "other"),
        ("folder/", "other"),
        ("", "other"),
        ("\x00", "other"),
    ],
)
def test_only_a_plain_name_is_kept(given_name: str, kept: str) -> None:
    assert safe_name(given_name, "other") == kept


def test_a_long_name_is_cut_and_keeps_its_ending() -> None:
    found = safe_name("x" * 500 + ".markdown", "other")
    assert len(found) == 200
    assert found.endswith(".markdown")
    assert len(safe_name("x" * 500, "other")) == 200
    assert len(safe_name("x." + "y" * 500, "other")) == 200


@given(st.text(max_size=300))
def test_no_name_leads_elsewhere(text: str) -> None:
    found = safe_name(text, "other")
    assert found not in ("", ".", "..")
    assert not set(found) & set('/\\\x00\r\n"')
    assert safe_name(found, "other") == found


@given(st.text(max_size=300))
def test_a_name_comes_through_a_header_unchanged(text: str) -> None:
    name = safe_name(text, "other")
    header = disposition(name)
    assert header.isascii()
    assert header.isprintable()
    assert header.startswith("attachment; ")
    assert name_in({"content-disposition": header}, "nothing") == name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a b.txt"', "a b.txt"),
        ("attachment; filename=plain.txt; size=3", "plain.txt"),
        ('attachment; filename="say \\"hi\\".txt"', "say _hi_.txt"),
        ('attachment; filename="../../../home/me/.ssh/authorized_keys"', "authorized_keys"),
        ("attachment; filename*=UTF-8''..%2F..%2Fpwned.txt", "pwned.txt"),
        ("attachment; filename=\"_.txt\"; filename*=UTF-8''%C3%BC.txt", "ü.txt"),
        ('attachment; filename=""', "att_1"),
        ("attachment", "att_1"),
        ("", "att_1"),
    ],
)
def test_a_name_is_read_from_the_header_of_any_server(header: str, name: str) -> None:
    assert name_in({"content-disposition": header}, "att_1") == name
