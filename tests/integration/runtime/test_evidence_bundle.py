"""Bundles for auditors: what is in them, that the shipped script believes them, and that it finds what was changed."""

from __future__ import annotations

import base64
import copy
import importlib.util
import json
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import func, select, update

from dashclaw.errors import ConfigurationError
from dashclaw.runtime.bootstrap import DEFAULT_ORG, ensure_default_org
from dashclaw.runtime.clock import stamp
from dashclaw.runtime.evidence import auditor
from dashclaw.runtime.evidence.checkpoints import anchors_path, make_checkpoint
from dashclaw.runtime.evidence.export import export
from dashclaw.runtime.evidence.keys import EvidenceKey, key_id, load_key, rotate
from dashclaw.runtime.evidence.sequencer import link_all
from dashclaw.runtime.problems import Problem
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.store.retention import sweep
from dashclaw.runtime.store.tables import events, evidence_entries, policy_sets, policy_versions

from .conftest import ADMIN, Clock, World

SEEDS = range(6)
AGENT_KEYS = [Ed25519PrivateKey.generate().public_key() for _ in range(2)]


def pem(key: Any) -> str:
    return str(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def shipped() -> ModuleType:
    """The script as an auditor has it: a file, not a module of the package."""
    spec = importlib.util.spec_from_file_location("auditors_script", Path(auditor.__file__).with_name("verify.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = shipped()


def findings(path: Path, key: str | None = None, kept: Path | None = None) -> list[str]:
    found: list[str] = SCRIPT.check(path, key, kept, lambda done, of: None).findings
    return found


def work(world: World, number: int) -> None:
    """A little of everything that ends up in the log."""
    world.policy("block_action_type", {"action_types": [f"drop.{number}"]})
    world.ask("POST", "/api/guard", {"action_type": f"drop.{number}", "agent_id": "agent-1"})
    _, made = world.act("deploy", declared_goal="Ship it <b>é</b>", risk_score=95)
    if made.get("action", made).get("status") == "pending_approval":
        body = {"decision": "allow" if number % 2 else "deny", "reasoning": "as agreed"}
        world.ask("POST", f"/api/actions/{made['action_id']}/approve", body, caller=ADMIN)
    for _ in range(3):
        _, made = world.act()
        world.ask("PATCH", f"/api/actions/{made['action_id']}", {"status": "completed", "output_summary": "done"})
    world.clock.move(hours=1)


def register(world: World, key: Any, **more: Any) -> None:
    body = {"agent_id": "agent-1", "public_key": pem(key), "algorithm": "Ed25519", **more}
    assert world.ask("POST", "/api/identities", body, caller=ADMIN)[0] in (200, 201)


def history(world: World, key_file: Path) -> EvidenceKey:
    """Several checkpoints, one rotation, two keys of an agent, one erasure; returns the newest key."""
    world.policy("risk_threshold", {"threshold": 80, "action": "require_approval"})
    register(world, AGENT_KEYS[0])
    for number in range(3):
        work(world, number)
        make_checkpoint(world.runtime.store, DEFAULT_ORG, load_key(key_file))
    register(world, AGENT_KEYS[1], replace=True)
    erase(world, [11, 12, 20])
    key = rotate(world.runtime.store, key_file)
    work(world, 3)
    return key


def erase(world: World, entries: list[int], *, say: bool = True) -> None:
    """Remove the data of entries, as an erasure does."""
    store = world.runtime.store
    with store.write(DEFAULT_ORG) as tx:
        for seq in entries:
            where = (evidence_entries.c.org_id == DEFAULT_ORG, evidence_entries.c.seq == seq)
            event_id = tx.scalar(evidence_entries.select().with_only_columns(evidence_entries.c.event_id).where(*where))
            tx.execute(update(evidence_entries).where(*where).values(salt=None))
            tx.execute(update(events).where(events.c.id == event_id).values(data='{"erased":true}'))
        if say:
            data = {"entries": [[seq, seq] for seq in entries], "reason": "asked by Ann"}
            tx.emit(ADMIN, "evidence.erased", "action", "act_1", data)
    link_all(store, DEFAULT_ORG)


class Exported(NamedTuple):
    """An unpacked bundle, its manifest, the keys that signed it, and the zip."""

    folder: Path
    manifest: dict[str, Any]
    keys: list[str]
    zip: Path


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    """What an auditor was given."""
    place = tmp_path_factory.mktemp("bundle")
    clock = Clock()
    runtime = Runtime.open(str(place / "dashclaw.db"), clock=clock)
    try:
        ensure_default_org(runtime.store, starter_policies=False)
        first = load_key(place / "key.pem").id
        key = history(World(runtime, clock, ""), place / "key.pem")
        manifest = export(runtime.store, DEFAULT_ORG, place / "bundle.zip", key=key)
    finally:
        runtime.close()
    with zipfile.ZipFile(place / "bundle.zip") as file:
        file.extractall(place / "bundle")
    yield Exported(place / "bundle", manifest, [first, key.id], place / "bundle.zip")


class Bundle:
    """A copy of a bundle whose files can be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries = self.lines("entries.jsonl")

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]

    def put_lines(self, name: str, lines: list[dict[str, Any]]) -> None:
        (self.folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))

    def json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())

    def put_json(self, name: str, value: Any) -> None:
        (self.folder / name).write_text(json.dumps(value))

    def relink(self) -> None:
        """Number and link all entries anew, as somebody would who can compute hashes but has no key."""
        link = bytes.fromhex(self.json("manifest.json")["before"])
        for number, entry in enumerate(self.entries, 1):
            record = json.loads(entry["record"])
            record[0] = number
            if entry["salt"] is not None:
                record[9] = sha256(bytes.fromhex(entry["salt"]) + entry["data"].encode()).hexdigest()
            entry["record"] = json.dumps(record, separators=(",", ":"))
            link = sha256(b"\x00" + link + entry["record"].encode()).digest()
            entry["link"] = link.hex()

    def found(self, key: str | None = None, kept: Path | None = None) -> list[str]:
        self.put_lines("entries.jsonl", self.entries)
        return findings(self.folder, key, kept)


@pytest.fixture
def bundle(exported: Exported, tmp_path: Path) -> Bundle:
    return Bundle(Path(shutil.copytree(exported.folder, tmp_path / "copy")))


def test_a_bundle_is_intact_as_a_folder_and_as_a_zip(exported: Exported) -> None:
    checked = SCRIPT.check(exported.zip, exported.keys[1], None, lambda done, of: None)
    assert (checked.findings, checked.seq, checked.without_data) == ([], exported.manifest["last"], 3)
    assert checked.checkpoints == 4
    for key in (None, *exported.keys):
        assert findings(exported.folder, key) == []
    counts = exported.manifest["counts"]
    assert (counts["entries"], counts["erased"], counts["pruned"]) == (exported.manifest["size"], 3, 0)
    assert counts["approvals"] == {"approved": 2, "denied": 2}
    assert counts["decisions"]["block"] == 4


def test_the_page_holds_what_agents_wrote_as_text(exported: Exported) -> None:
    page = (exported.folder / "report.html").read_text()
    assert "Ship it &lt;b&gt;é&lt;/b&gt;" in page
    assert "asked by Ann" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def changed_data(bundle: Bundle, n: int) -> str:
    bundle.entries[n]["data"] = bundle.entries[n]["data"].replace("{", '{"x":1,', 1)
    return f"entry {n + 1}: its data is not what was recorded"


def changed_date(bundle: Bundle, n: int) -> str:
    entry = bundle.entries[n]
    entry["record"] = entry["record"].replace("2026-", "2025-", 1)
    return f"entry {n + 1}: it does not follow from the entry before"


def changed_link(bundle: Bundle, n: int) -> str:
    bundle.entries[n]["link"] = "00" * 32
    return f"entry {n + 1}: it does not follow from the entry before"


def deleted(bundle: Bundle, n: int) -> str:
    del bundle.entries[n]
    return f"entry {n + 1}: it is missing"


def doubled(bundle: Bundle, n: int) -> str:
    bundle.entries.insert(n + 3, copy.deepcopy(bundle.entries[n]))
    return f"entry {n + 1}: it stands after entry {n + 3}: it was moved or slipped in"


def swapped(bundle: Bundle, n: int) -> str:
    bundle.entries[n], bundle.entries[n + 1] = bundle.entries[n + 1], bundle.entries[n]
    return f"entry {n + 1}: it stands after entry {n + 2}: it was moved or slipped in"


def cut_off(bundle: Bundle, n: int) -> str:
    last = len(bundle.entries)
    del bundle.entries[n:]
    return f"entries {n + 1} to {last}: they are missing: the bundle ends too early"


def emptied(bundle: Bundle, n: int) -> str:
    bundle.entries[n]["data"] = bundle.entries[n]["salt"] = None
    return f"entry {n + 1}: it is without data, and no later entry says that it was removed"


def made_unreadable(bundle: Bundle, n: int) -> str:
    bundle.entries[n]["record"] = "[1"
    return f"entry {n + 1}: the line cannot be read"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "change",
    [changed_data, changed_date, changed_link, deleted, doubled, swapped, cut_off, emptied, made_unreadable],
)
def test_a_change_of_entries_is_found_where_it_is(
    bundle: Bundle, change: Callable[[Bundle, int], str], seed: int
) -> None:
    whole = [n for n, entry in enumerate(bundle.entries[:-4]) if entry["data"] is not None]
    expected = change(bundle, random.Random(f"{change.__name__} {seed}").choice(whole))
    found = bundle.found()
    assert [text for text in found if text.startswith(expected)], found


@pytest.mark.parametrize("seed", SEEDS)
def test_a_chain_made_anew_does_not_lead_to_the_signed_root(bundle: Bundle, seed: int) -> None:
    chance = random.Random(seed)
    n = chance.choice([n for n, entry in enumerate(bundle.entries) if entry["data"] is not None])
    sizes = [json.loads(row["text"])["size"] for row in bundle.lines("checkpoints.jsonl")]
    after = min(size for size in sizes if size > n)
    before = max([size for size in sizes if size <= n], default=0)
    if chance.random() < 0.5:
        bundle.entries[n]["data"] = bundle.entries[n]["data"].replace("{", '{"x":1,', 1)
    else:
        bundle.entries[n]["record"] = bundle.entries[n]["record"].replace("2026-", "2025-", 1)
    bundle.relink()
    (found,) = bundle.found()
    assert found.startswith(f"entries {before + 1} to {after}: they do not lead to the root")


def test_an_entry_slipped_in_and_numbered_through_is_found(bundle: Bundle) -> None:
    bundle.entries.insert(5, copy.deepcopy(bundle.entries[5]))
    bundle.relink()
    manifest = bundle.json("manifest.json")
    bundle.put_json("manifest.json", {**manifest, "last": manifest["last"] + 1, "size": manifest["size"] + 1})
    found = bundle.found()
    assert any("do not lead to the root" in text for text in found)


def test_a_policy_that_was_changed_is_found_with_the_decisions_that_it_made(bundle: Bundle) -> None:
    rows = bundle.lines("policies.jsonl")
    row = next(row for row in rows if row["kind"] == "policy" and "risk_threshold" in row["document"])
    row["document"] = row["document"].replace("80", "99")
    bundle.put_lines("policies.jsonl", rows)
    found = bundle.found()
    assert f"policies.jsonl: the policy {row['hash']} is not the text that its hash names" in found
    decisions = [n for n, entry in enumerate(bundle.entries, 1) if '"guard.decision.created"' in entry["record"]]
    told = [text for text in found if "the policies that decided" in text]
    assert [int(text.split(":")[0].removeprefix("entry ")) for text in told] == [
        n for n in decisions if bundle.entries[n - 1]["data"]
    ]


def test_a_set_of_policies_that_is_gone_is_found(bundle: Bundle) -> None:
    rows = bundle.lines("policies.jsonl")
    bundle.put_lines("policies.jsonl", [row for row in rows if row["kind"] == "policy"])
    assert all("the policies that decided" in text for text in bundle.found())
    bundle.put_lines("policies.jsonl", [row for row in rows if row["kind"] == "set"])
    assert any("names policies that are not there" in text for text in bundle.found())


def test_another_key_for_an_agent_is_found(bundle: Bundle) -> None:
    rows = bundle.json("identities.json")
    rows[0]["public_key"] = pem(Ed25519PrivateKey.generate().public_key())
    bundle.put_json("identities.json", rows)
    found = bundle.found()
    assert len(found) >= 2, "when it was registered and when it was replaced"
    assert all("identities.json has another key for the agent 'agent-1'" in text for text in found)


def forged_key(bundle: Bundle) -> Ed25519PrivateKey:
    """Sign every checkpoint with another key, which keys.json then names."""
    key = Ed25519PrivateKey.generate()
    name = key_id(pem(key.public_key()))
    rows = bundle.lines("checkpoints.jsonl")
    for row in rows:
        row["text"] = json.dumps({**json.loads(row["text"]), "key": name}, separators=(",", ":"), sort_keys=True)
        row["signature"] = base64.b64encode(key.sign(row["text"].encode())).decode()
    bundle.put_lines("checkpoints.jsonl", rows)
    key_row = {"id": name, "public_key": pem(key.public_key()), "created_at": "", "previous": None, "endorsement": None}
    bundle.put_json("keys.json", [key_row])
    return key


def test_a_key_of_ones_own_is_found_by_who_knows_the_real_one(bundle: Bundle, exported: Exported) -> None:
    forged_key(bundle)
    assert bundle.found() == [], "without a key from elsewhere nobody can tell; the script says so"
    ran = subprocess.run([sys.executable, bundle.folder / "verify.py"], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, "WARNING" in ran.stdout, ran.stdout.splitlines()[-1]) == (0, True, "INTACT")
    for key in exported.keys:
        found = bundle.found(key)
        assert len([text for text in found if "signed by a key that is not trusted" in text]) == 4
        assert f"entries 1 to {len(bundle.entries)}: they are covered by no checkpoint" in found


def test_a_key_under_the_id_of_another_is_found(bundle: Bundle) -> None:
    rows = bundle.json("keys.json")
    rows[0]["public_key"] = pem(Ed25519PrivateKey.generate().public_key())
    bundle.put_json("keys.json", rows)
    assert f"keys.json: the key {rows[0]['id']} is not the one that its id names" in bundle.found()
    rows[0]["public_key"] = "no key"
    bundle.put_json("keys.json", rows)
    assert f"keys.json: the key {rows[0]['id']} is not the one that its id names" in bundle.found()


def test_a_rotation_has_to_be_signed_by_both(bundle: Bundle, exported: Exported) -> None:
    rows = bundle.json("keys.json")
    for side in ("key", "previous"):
        forged = copy.deepcopy(rows)
        forged[1]["endorsement"][side] = rows[1]["endorsement"]["key" if side == "previous" else "previous"]
        bundle.put_json("keys.json", forged)
        found = bundle.found(exported.keys[1])
        assert any("is not signed by both" in text for text in found)
        assert any("signed by a key that is not trusted" in text for text in found)


@pytest.mark.parametrize("what", ["signature", "root", "org"])
def test_a_changed_checkpoint_is_found(bundle: Bundle, what: str) -> None:
    rows = bundle.lines("checkpoints.jsonl")
    stated = json.loads(rows[1]["text"])
    if what == "signature":
        rows[1]["signature"] = rows[0]["signature"]
    else:
        rows[1]["text"] = json.dumps({**stated, what: "00" * 32}, separators=(",", ":"))
    bundle.put_lines("checkpoints.jsonl", rows)
    (found,) = bundle.found()
    assert found.startswith(f"A checkpoint over {stated['size']} entries")


def test_a_bundle_cut_off_at_an_earlier_checkpoint_is_found_by_a_newer_one(bundle: Bundle, tmp_path: Path) -> None:
    rows = bundle.lines("checkpoints.jsonl")
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps(rows[-1]))
    assert bundle.found(kept=kept) == []
    size = json.loads(rows[1]["text"])["size"]
    bundle.put_lines("checkpoints.jsonl", rows[:2])
    del bundle.entries[size:]
    bundle.put_json("manifest.json", {**bundle.json("manifest.json"), "last": size, "size": size})
    erasures = [text for text in bundle.found() if "without data" not in text]
    assert erasures == [], "nobody can tell without a checkpoint from elsewhere"
    newest = json.loads(rows[-1]["text"])["size"]
    missing = f"entries {size + 1} to {newest}: they are missing: the bundle ends too early"
    assert missing in bundle.found(kept=kept)


def test_a_checkpoint_kept_elsewhere_has_to_be_on_the_way(bundle: Bundle, tmp_path: Path) -> None:
    rows = bundle.lines("checkpoints.jsonl")
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps(rows[0]))
    assert bundle.found(kept=kept) == []
    size = json.loads(rows[0]["text"])["size"]
    bundle.entries[2]["data"] = bundle.entries[2]["data"].replace("{", '{"x":1,', 1)
    bundle.relink()
    assert f"entries 1 to {size}: they do not lead to the root that a checkpoint states" in bundle.found(kept=kept)
    # Whoever has the key and signs anew what they made up is found by the checkpoint alone.
    bundle.put_lines("checkpoints.jsonl", [])
    assert f"entries 1 to {size}: they do not lead to the root that a checkpoint states" in bundle.found(kept=kept)


def test_a_checkpoint_out_of_reach_cannot_be_compared(world: World, tmp_path: Path) -> None:
    key = load_key(tmp_path / "key.pem")
    made = []
    for number in range(3):
        work(world, number)
        made.append(make_checkpoint(world.runtime.store, DEFAULT_ORG, key))
    since, until = made[0].read()["at"], made[1].read()["at"]
    export(world.runtime.store, DEFAULT_ORG, tmp_path / "b.zip", key=key, since=since, until=until)
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps(made[1]._asdict()))
    assert findings(tmp_path / "b.zip", kept=kept) == []
    kept.write_text(json.dumps(made[2]._asdict()))
    with pytest.raises(SCRIPT.CannotCheckError, match="does not reach the checkpoint"):
        findings(tmp_path / "b.zip", kept=kept)


def erased(bundle: Bundle) -> int:
    """Where an entry stands whose data was erased, and a later one says so."""
    return next(n for n, entry in enumerate(bundle.entries) if entry["data"] is None)


@pytest.mark.parametrize("salt", [None, "", "00" * 16])
@pytest.mark.parametrize("data", ['{"erased":true}', '{"decision":"allow"}', ""])
def test_other_data_in_the_place_of_what_was_erased_is_found(bundle: Bundle, data: str, salt: str | None) -> None:
    n = erased(bundle)
    bundle.entries[n].update(data=data, salt=salt)
    assert f"entry {n + 1}: its data is not what was recorded" in bundle.found()


def test_data_that_an_entry_calls_erased_and_that_is_there_is_found(world: World, tmp_path: Path) -> None:
    key = load_key(tmp_path / "key.pem")
    work(world, 1)
    with world.runtime.store.write(DEFAULT_ORG) as tx:
        tx.emit(ADMIN, "evidence.erased", "action", "act_1", {"entries": [[3, 4]], "reason": "asked by Ann"})
    export(world.runtime.store, DEFAULT_ORG, tmp_path / "b.zip", key=key)
    (found,) = findings(tmp_path / "b.zip")
    assert found.endswith("it says that the data of 3 to 4 was removed, and some is there")


def test_an_entry_cannot_excuse_what_comes_after_it(world: World, tmp_path: Path) -> None:
    key = load_key(tmp_path / "key.pem")
    with world.runtime.store.write(DEFAULT_ORG) as tx:
        tx.emit(ADMIN, "evidence.erased", "action", "act_1", {"entries": [[1, 90]], "reason": "asked by Ann"})
    work(world, 1)
    link_all(world.runtime.store, DEFAULT_ORG)
    erase(world, [4], say=False)
    export(world.runtime.store, DEFAULT_ORG, tmp_path / "b.zip", key=key)
    assert findings(tmp_path / "b.zip") == ["entry 4: it is without data, and no later entry says that it was removed"]


def test_a_salt_of_another_length_is_found(bundle: Bundle) -> None:
    n = next(n for n, entry in enumerate(bundle.entries) if entry["data"] is not None)
    entry = bundle.entries[n]
    entry.update(salt=entry["salt"] + entry["data"][:1].encode().hex(), data=entry["data"][1:])
    assert f"entry {n + 1}: its data is not what was recorded" in bundle.found()


@pytest.mark.parametrize("change", ["left out", "twice", "added"])
def test_a_zip_holds_what_a_bundle_has_and_nothing_else(exported: Exported, tmp_path: Path, change: str) -> None:
    target = tmp_path / "bundle.zip"
    with zipfile.ZipFile(exported.zip) as whole, zipfile.ZipFile(target, "w") as file:
        for name in whole.namelist():
            if (name, change) != ("report.html", "left out"):
                file.writestr(name, whole.read(name))
        if change == "added":
            file.writestr("entries (2).jsonl", "")
        if change == "twice":
            with pytest.warns(UserWarning, match="Duplicate"):
                file.writestr("report.html", "all is well")
    assert [text for text in findings(target) if text.startswith("the zip: ")]


@pytest.mark.parametrize("name", ["manifest.json", "keys.json", "entries.jsonl", "policies.jsonl"])
def test_what_is_no_bundle_cannot_be_checked(bundle: Bundle, name: str, tmp_path: Path) -> None:
    (bundle.folder / name).unlink()
    for path in (bundle.folder, tmp_path / "nowhere", Path(__file__)):
        with pytest.raises(SCRIPT.CannotCheckError):
            findings(path)
    for key in ("nonsense", ""):
        with pytest.raises(SCRIPT.CannotCheckError, match="64 hex digits"):
            findings(bundle.folder, key)


def test_a_range_leads_to_the_signed_root(world: World, tmp_path: Path) -> None:
    key_file = tmp_path / "key.pem"
    begin = world.clock.now
    key = history(world, key_file)
    hour = [stamp(begin + timedelta(hours=number)) for number in range(5)]
    spans = [(None, None), (hour[1], None), (hour[2], hour[3]), (None, hour[1]), (hour[3], hour[4])]
    seen = set()
    for number, (since, until) in enumerate(spans):
        target = tmp_path / f"{number}.zip"
        manifest = export(world.runtime.store, DEFAULT_ORG, target, key=key, since=since, until=until)
        assert findings(target, key.id) == []
        seen.add((manifest["first"], manifest["last"]))
        if since is not None:
            assert manifest["counts"]["first_at"] >= since
            assert manifest["first"] > 1
    # What came before the first hour was erased later in part, so its bundle goes on to the erasure.
    assert len(seen) == 4
    with pytest.raises(Problem, match="Nothing was recorded"):
        export(world.runtime.store, DEFAULT_ORG, tmp_path / "x.zip", key=key, since="2030-01-01T00:00:00.000000Z")
    with pytest.raises(ConfigurationError, match="exists already"):
        export(world.runtime.store, DEFAULT_ORG, tmp_path / "0.zip", key=key)
    assert sorted(path.name for path in tmp_path.glob(".*zip*")) == []


def test_a_range_goes_on_to_the_entry_that_says_what_was_removed(world: World, tmp_path: Path) -> None:
    key = load_key(tmp_path / "key.pem")
    work(world, 1)
    first = make_checkpoint(world.runtime.store, DEFAULT_ORG, key).read()
    until = first["at"]
    world.clock.move(hours=1)
    work(world, 2)
    make_checkpoint(world.runtime.store, DEFAULT_ORG, key)
    manifest = export(world.runtime.store, DEFAULT_ORG, tmp_path / "before.zip", key=key, until=until)
    assert manifest["last"] == first["size"]
    erase(world, [3])
    manifest = export(world.runtime.store, DEFAULT_ORG, tmp_path / "after.zip", key=key, until=until)
    assert manifest["last"] > first["size"]
    assert findings(tmp_path / "after.zip", key.id) == []


def test_data_removed_by_hand_is_found_in_a_bundle(world: World, tmp_path: Path) -> None:
    key = load_key(tmp_path / "key.pem")
    work(world, 1)
    link_all(world.runtime.store, DEFAULT_ORG)
    erase(world, [4], say=False)
    export(world.runtime.store, DEFAULT_ORG, tmp_path / "b.zip", key=key)
    assert findings(tmp_path / "b.zip") == ["entry 4: it is without data, and no later entry says that it was removed"]


def test_a_database_that_was_changed_makes_a_bundle_that_says_so(world: World, tmp_path: Path) -> None:
    key = load_key(tmp_path / "key.pem")
    work(world, 1)
    make_checkpoint(world.runtime.store, DEFAULT_ORG, key, anchors_path(tmp_path / "key.pem"))
    with world.runtime.store.write(DEFAULT_ORG) as tx:
        tx.execute(
            update(events)
            .where(events.c.id == tx.scalar(select(func.min(events.c.id))))
            .values(actor_id="somebody")
        )
    export(world.runtime.store, DEFAULT_ORG, tmp_path / "b.zip", key=key)
    assert findings(tmp_path / "b.zip") == [
        "entry 1: it does not follow from the entry before: its record or a link was changed"
    ]


@pytest.mark.parametrize("data", ["no JSON", "[]", '{"erased":true}', '{"decision":7,"approval":[1]}'])
def test_data_that_makes_no_sense_is_exported_and_found(world: World, tmp_path: Path, data: str) -> None:
    key = load_key(tmp_path / "key.pem")
    work(world, 1)
    link_all(world.runtime.store, DEFAULT_ORG)
    with world.runtime.store.write(DEFAULT_ORG) as tx:
        tx.execute(update(events).where(events.c.event == "guard.decision.created").values(data=data))
        tx.execute(update(policy_versions).values(document=data))
        tx.execute(update(policy_sets).values(document=data))
    counts = export(world.runtime.store, DEFAULT_ORG, tmp_path / "b.zip", key=key)["counts"]
    found = findings(tmp_path / "b.zip")
    wrong = [text for text in found if text.endswith("its data is not what was recorded")]
    assert len(wrong) == counts["events"]["guard.decision.created"] == counts["unreadable"]
    assert len(found) - len(wrong) == counts["policies"] + counts["policy_sets"]


def test_what_cannot_be_read_to_the_end_is_not_intact(bundle: Bundle) -> None:
    n = next(n for n, entry in enumerate(bundle.entries) if '"guard.decision.created"' in entry["record"])
    bundle.entries[n]["data"] = "no JSON"
    bundle.relink()
    bundle.entries[2]["data"] = None
    bundle.put_lines("checkpoints.jsonl", [{"text": "{}", "signature": ""}])
    with pytest.raises(SCRIPT.CannotCheckError):
        bundle.found()
    bundle.entries[1]["link"] = "00" * 32
    (bundle.folder / "checkpoints.jsonl").write_text("")
    assert any(text.startswith(f"after entry {n + 1} it cannot be read on") for text in bundle.found())


def test_erased_and_expired_entries_are_counted_and_no_findings(world: World, tmp_path: Path) -> None:
    key = load_key(tmp_path / "key.pem")
    work(world, 1)
    _, made = world.act(declared_goal="About Ann")
    path = f"/api/actions/{made['action_id']}"
    assert world.ask("PATCH", path, {"status": "completed"})[0] == 200
    world.clock.move(days=40)
    body = {"action_id": made["action_id"], "reason": "asked by Ann"}
    status, answer = world.ask("POST", "/api/evidence/erase", body, caller=ADMIN)
    assert status == 200, answer
    link_all(world.runtime.store, DEFAULT_ORG)
    assert sweep(world.runtime.store, world.runtime.settings._replace(event_days=30))["events"] > 0
    work(world, 2)
    manifest = export(world.runtime.store, DEFAULT_ORG, tmp_path / "b.zip", key=key)
    assert findings(tmp_path / "b.zip", key.id) == []
    assert manifest["counts"]["pruned"] > 10
    with zipfile.ZipFile(tmp_path / "b.zip") as file:
        page = file.read("report.html").decode()
        assert b"About Ann" not in file.read("entries.jsonl")
    assert "asked by Ann" in page
    assert "event_days=30" in page
