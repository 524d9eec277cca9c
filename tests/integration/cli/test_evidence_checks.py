"""`dashclaw evidence verify`, `export`, `prove`, `checkpoint`, `keys`, on an embedded database."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from dashclaw import DashClaw

from .conftest import Place, Run, Shown


class Books:
    """A database with a history, and commands about it."""

    def __init__(self, folder: Path, run: Run, action_id: str, decision_id: str) -> None:
        self.folder = folder
        self.database = folder / "dashclaw.db"
        self.action_id = action_id
        self.decision_id = decision_id
        self._run = run

    def evidence(self, *words: str) -> Shown:
        return self._run("evidence", *words, "--db", str(self.database))

    def offline(self, *words: str) -> Shown:
        return self._run("evidence", "verify", *words)

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def change(self, statement: str, *values: Any) -> None:
        """Change the database as somebody would who can write to the file."""
        with sqlite3.connect(self.database) as connection:
            assert connection.execute(statement, values).rowcount > 0
        connection.close()

    def key_id(self) -> str:
        found: str = self.evidence("keys", "list", "--json").document["keys"][-1]["id"]
        return found


@pytest.fixture
def books(embedded: Place, run: Run, tmp_path: Path) -> Books:
    action_id = embedded.done()
    embedded.done("Look again")
    decision = embedded.agent.get_guard_decisions()["decisions"][0]
    embedded.agent.close()
    return Books(tmp_path, run, action_id, decision["id"])


def test_an_intact_database_is_told_to_be_so(books: Books) -> None:
    made = books.evidence("checkpoint")
    assert (made.code, json.loads(made.document["text"])["org"]) == (0, "org_default")
    shown = books.evidence("verify")
    assert shown.code == 0, shown
    assert "org_default: INTACT" in shown.out
    found = books.evidence("verify", "--json").document
    assert found["intact"]
    assert found["trusted"] == [books.key_id()]
    assert books.evidence("verify", "--org", "nobody").code == 2


def test_a_changed_database_exits_with_1_and_names_the_entry(books: Books) -> None:
    books.evidence("checkpoint")
    books.change("UPDATE events SET data = replace(data, 'Compare vendors', 'Something else') WHERE id = 4")
    shown = books.evidence("verify")
    assert shown.code == 1
    assert "NOT INTACT" in shown.out
    assert "entry 4" in shown.out


def test_a_database_put_back_is_found_by_the_checkpoint_beside_the_key_or_kept_elsewhere(
    books: Books, embedded: Place
) -> None:
    books.evidence("checkpoint")
    shutil.copy(books.database, books.file("older.db"))
    with DashClaw.local(books.database, agent_id="agent-1") as agent:
        agent.create_action("research", "What should not be known")
    kept = books.file("kept.json")
    assert books.evidence("checkpoint", "--out", kept).code == 0
    for name in ("dashclaw.db-wal", "dashclaw.db-shm"):
        Path(books.file(name)).unlink(missing_ok=True)
    shutil.copy(books.file("older.db"), books.database)
    assert books.evidence("verify").code == 1
    Path(books.file("dashclaw.db.evidence-key.anchors.json")).unlink()
    assert books.evidence("verify").code == 0, "without either nobody can tell"
    assert books.evidence("verify", "--checkpoint", kept).code == 1


def test_what_cannot_be_checked_exits_with_2(books: Books) -> None:
    for words in (
        ("--bundle", books.file("nothing.zip")),
        ("--bundle", str(books.database)),
        ("--proof", books.file("nothing.json")),
        ("--proof", str(books.database), "--key", "nonsense"),
        ("--db", books.file("nothing.db")),
    ):
        shown = books.offline(*words)
        assert shown.code == 2, words
        assert shown.err.startswith("error: ")
    assert books.evidence("verify", "--checkpoint", __file__).code == 2


def test_a_bundle_is_written_once_and_checked_offline(books: Books) -> None:
    bundle = books.file("bundle.zip")
    written = books.evidence("export", "--out", bundle, "--json").document
    assert written["last"] == written["size"]
    assert books.evidence("export", "--out", bundle).code == 1, "it exists"
    shown = books.offline("--bundle", bundle)
    assert (shown.code, shown.out.splitlines()[-1]) == (0, "INTACT")
    assert "WARNING" in shown.out
    shown = books.offline("--bundle", bundle, "--key", written["key_id"])
    assert (shown.code, "WARNING" in shown.out) == (0, False)
    assert books.offline("--bundle", bundle, "--key", "0" * 64, "--json").code == 1
    assert books.evidence("export", "--out", books.file("x.zip"), "--since", "soon").code == 1
    assert books.evidence("export", "--out", books.file("x.zip"), "--since", "2099-01-01").code == 1
    assert books.evidence("export", "--out", books.file("x.zip"), "--since", "30d").code == 0


def test_one_entry_is_proved_by_the_id_of_an_action_a_decision_or_an_event(books: Books) -> None:
    for number, name in enumerate((books.action_id, books.decision_id, "1")):
        proof = books.file(f"proof{number}.json")
        assert books.evidence("prove", name, "--out", proof).code == 0
        assert books.evidence("prove", name, "--out", proof).code == 1, "it exists"
        shown = books.offline("--proof", proof, "--key", books.key_id())
        assert (shown.code, shown.out.splitlines()[-1]) == (0, "PROVEN")
        assert name in json.loads(Path(proof).read_text())["record"]
    assert books.evidence("prove", "act_nobody").code == 1
    assert books.evidence("prove", "999999").code == 1
    assert books.evidence("prove").code == 1


def raise_the_number(proof: dict[str, Any]) -> None:
    record = json.loads(proof["record"])
    record[0] += 1
    proof["record"] = json.dumps(record, separators=(",", ":"))


@pytest.mark.parametrize(
    "change",
    [
        lambda proof: proof.update(data=proof["data"].replace("{", "{ ", 1)),
        lambda proof: proof.update(record=proof["record"].replace("created", "deleted", 1)),
        lambda proof: proof.update(before="00" * 32),
        lambda proof: proof["path"].__setitem__(0, "00" * 32),
        lambda proof: proof["path"].reverse(),
        lambda proof: proof["checkpoint"].update(text=proof["checkpoint"]["text"].replace('"at":"2', '"at":"3')),
        lambda proof: proof.update(org="another"),
        lambda proof: proof.update(seq=1),
    ],
)
def test_a_changed_proof_proves_nothing(books: Books, change: Callable[[dict[str, Any]], None]) -> None:
    path = Path(books.file("proof.json"))
    books.evidence("prove", books.action_id, "--out", str(path))
    proof = json.loads(path.read_text())
    change(proof)
    path.write_text(json.dumps(proof))
    shown = books.offline("--proof", str(path))
    assert (shown.code, shown.out.splitlines()[-1]) == (1, "NOT PROVEN")


def test_a_later_checkpoint_is_proved_to_continue_an_earlier_one(books: Books) -> None:
    sizes = []
    for number in range(2):
        with DashClaw.local(books.database, agent_id="agent-1") as agent:
            agent.create_action("research", f"Number {number}")
        sizes.append(json.loads(books.evidence("checkpoint").document["text"])["size"])
    path = Path(books.file("proof.json"))
    words = ("prove", "--consistency", *map(str, sizes))
    assert books.evidence(*words, "--out", str(path)).code == 0
    assert books.offline("--proof", str(path), "--key", books.key_id()).code == 0
    proof = json.loads(path.read_text())
    proof["proof"][0] = "00" * 32
    path.write_text(json.dumps(proof))
    shown = books.offline("--proof", str(path))
    assert (shown.code, f"the first {sizes[0]} entries are not the beginning" in shown.out) == (1, True)
    assert books.evidence("prove", "--consistency", "1", str(sizes[1])).code == 1, "no checkpoint has one entry"


def test_a_rotated_key_still_leads_to_the_older_one(books: Books) -> None:
    books.evidence("checkpoint")
    first = books.key_id()
    rotated = books.evidence("keys", "rotate", "--json").document
    assert rotated["previous"] == first
    assert rotated["id"] == books.key_id()
    assert oct(Path(books.file("dashclaw.db.evidence-key.pem")).stat().st_mode)[-3:] == "600"
    assert "signs now" in books.evidence("keys", "list").out
    books.evidence("export", "--out", books.file("b.zip"))
    for key in (first, rotated["id"]):
        assert books.offline("--bundle", books.file("b.zip"), "--key", key).code == 0
        assert books.evidence("verify", "--key", key).code == 0
    Path(books.file("key.pem")).write_text(rotated["public_key"])
    assert books.offline("--bundle", books.file("b.zip"), "--key", books.file("key.pem")).code == 0


def environment_with(folder: Path, *names: str) -> Path:
    """The interpreter of a new environment with copies of these distributions of ours, and nothing else."""
    venv.create(folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in names:
        for file in distribution(name).files or ():
            if ".." not in file.parts:
                target = packages / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), target)
    return folder / "bin" / "python"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_export_of_the_demo_is_checked_in_an_empty_environment(run: Run, tmp_path: Path) -> None:
    """The whole way: the demo, its export, the script out of the bundle, nothing installed but `cryptography`."""
    demo = Path(__file__).parents[3] / "examples" / "quickstart.py"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, str(demo)], env=environment, check=True, capture_output=True, timeout=120)
    (database,) = tmp_path.glob("dashclaw-demo-*/dashclaw.db")
    bundle = tmp_path / "bundle.zip"
    written = run("evidence", "export", "--out", str(bundle), "--json", "--db", str(database)).document
    python = environment_with(tmp_path / "empty", "cryptography", "cffi", "pycparser")

    def check(place: Path, *words: str) -> tuple[int, str]:
        command = [python, "-I", "verify.py", *words]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(bundle) as file:
        file.extractall(folder)
    code, said = check(folder, "--key", written["key_id"])
    assert (code, said.splitlines()[-1]) == (0, "INTACT")
    assert check(folder, str(bundle))[0] == 0
    assert check(folder, str(tmp_path / "nowhere"))[0] == 2
    lines = (folder / "entries.jsonl").read_text().splitlines()
    entry = json.loads(lines[9])
    lines[9] = json.dumps({**entry, "data": '{"x":1,' + entry["data"][1:]})
    (folder / "entries.jsonl").write_text("\n".join(lines))
    code, said = check(folder, "--key", written["key_id"])
    assert code == 1
    assert "entry 10: its data is not what was recorded" in said
