"""Check a bundle of DashClaw evidence, without DashClaw: python verify.py [BUNDLE] [--key KEY] [--checkpoint FILE]

README.md, which lies beside this script, says what a bundle is made of and what an intact one proves.
Needs Python 3.8 and `cryptography`. Exits with 0 for intact, 1 for not intact, 2 for what could not be checked.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import re
import sys
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Set

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Json = Dict[str, Any]
DATA = ["checkpoints.jsonl", "entries.jsonl", "identities.json", "keys.json", "manifest.json", "policies.jsonl"]
FILES = ["README.md", *DATA, "report.html", "verify.py"]


class CannotCheckError(Exception):
    """What was given is no bundle, or cannot be compared with what it should be compared with."""


class Check:
    """One check of one bundle: `findings` say what is wrong and where; `without_data` counts entries."""

    def __init__(self, path: Path, progress: Callable[[int, int], Any]) -> None:
        self.folder, self.progress = path, progress
        self.zip: Any = None if path.is_dir() else zipfile.ZipFile(path)
        self.findings: List[str] = []
        self.manifest: Json = self.json("manifest.json")
        # Where the check is: the last entry, its link, and the roots of the complete subtrees over all up to it.
        self.first, self.seq = int(self.manifest["first"]), int(self.manifest["first"]) - 1
        self.link, *self.tree = (bytes.fromhex(node) for node in (self.manifest["before"], *self.manifest["frontier"]))
        # One byte for each entry: 0 with its data, 1 without, 2 once a later entry said that it was removed.
        self.removed, self.without_data = bytearray(), 0
        self.checkpoints, self.covered, self.rewritten = 0, 0, False

    def run(self, pinned: str | None, kept: Json | None) -> None:
        """Check everything; `pinned` is the id of a key and `kept` a checkpoint, both from elsewhere."""
        begin = sha256(b"dashclaw evidence 1\n" + self.manifest["org"].encode()).digest()
        if len(self.tree) != bin(self.seq).count("1") or (self.first == 1 and self.link != begin):
            self.find(f"entry {self.first}: manifest.json does not lead to it")
        if self.zip and sorted(self.zip.namelist()) != FILES:
            self.find("the zip: a file is missing, is there twice, or does not belong to a bundle")
        self.keys = trusted_keys(self.json("keys.json"), pinned, self.find)
        self.agents = {row["id"]: row["public_key"] for row in self.json("identities.json")}
        self.policy_sets = self.whole_policy_sets()
        kept, last, until = self.stated(kept) if kept else None, self.manifest["last"], self.manifest["until"]
        late = kept and kept["size"] > last and (until or kept["at"] > self.manifest["created_at"])
        out_of_reach = kept and (late or kept["size"] < self.first - 1)
        signed = [self.stated(json.loads(line)) for line in self.lines("checkpoints.jsonl")]
        due = [stated for stated in [*signed, None if out_of_reach else kept] if stated]
        due.sort(key=lambda stated: -int(stated["size"]))
        self.compare(due)
        for line in self.lines("entries.jsonl"):
            self.entry(line)
            self.compare(due)
        last = max([last, *(stated["size"] for stated in due)])
        if last > self.seq:
            self.find(f"{some(self.seq + 1, last)} missing: the bundle ends too early")
        if self.seq > self.covered:
            self.find(f"{some(self.covered + 1, self.seq)} covered by no checkpoint")
        for gap in re.finditer(b"\1+", self.removed):
            which = some(self.first + gap.start(), self.first + gap.end() - 1)
            self.find(f"{which} without data, and no later entry says that it was removed")
        if out_of_reach and not self.findings:
            raise CannotCheckError("The bundle does not reach the checkpoint that you gave: ask for one that does")

    def entry(self, line: bytes) -> None:
        """Check the place of one entry, its link and its data."""
        try:
            entry = json.loads(line)
            record, link, salt, data = entry["record"], bytes.fromhex(entry["link"]), entry["salt"] or "", entry["data"]
            seq, _, _, name, _, _, _, _, _, content = json.loads(record)
        except (ValueError, TypeError, KeyError) as error:
            return self.find(f"entry {self.seq + 1}: the line cannot be read ({type(error).__name__})")
        if seq <= self.seq:
            return self.find(f"entry {seq}: it stands after entry {self.seq}: it was moved or slipped in")
        if seq > self.seq + 1:
            self.find(f"{some(self.seq + 1, seq - 1)} missing")
        elif sha256(b"\0" + self.link + record.encode()).digest() != link:
            self.find(f"entry {seq}: it does not follow from the entry before: its record or a link was changed")
        self.removed += bytes(seq - self.seq - 1) + (b"\1" if data is None else b"\0")
        self.seq, self.link = seq, link
        grow(self.tree, seq, link)
        if seq % 10_000 == 0:
            self.progress(seq - self.first + 1, self.manifest["size"])
        if data is None:
            self.without_data += 1
        elif len(salt) != 32 or sha256(bytes.fromhex(salt) + data.encode()).hexdigest() != content:
            self.find(f"entry {seq}: its data is not what was recorded")
        elif name.startswith(("guard.decision.created", "evidence.", "identity.")):
            self.read(seq, name, json.loads(data))
        return None

    def read(self, seq: int, name: str, told: Json) -> None:
        """Compare what an entry tells about the rest of the bundle with the rest."""
        used = told.get("policy_set") if name == "guard.decision.created" else None
        if used is not None and used not in self.policy_sets:
            self.find(f"entry {seq}: the policies that decided ({used}) are not in policies.jsonl as they were")
        for first, last in told["entries"] if name in ("evidence.erased", "evidence.pruned") else ():
            place = slice(max(first - self.first, 0), max(min(last, seq - 1) - self.first + 1, 0))
            if 0 in self.removed[place]:
                self.find(f"entry {seq}: it says that the data of {first} to {last} was removed, and some is there")
            self.removed[place] = b"\2" * len(self.removed[place])
        for key in (told, told.get("replaced")) if name.startswith("identity.") else ():
            if key and self.agents.get(key["id"]) != key["public_key"]:
                self.find(f"entry {seq}: identities.json has another key for the agent {key['agent_id']!r}")

    def compare(self, due: List[Json]) -> None:
        """Compare the tree with the checkpoints up to here, the nearest of which is the last of those due."""
        while due and due[-1]["size"] <= self.seq:
            stated, first = due.pop(), max(self.first, self.covered + 1)
            here = {"size": self.seq, "root": root(self.tree).hex(), "link": self.link.hex()}
            if not self.rewritten and here.items() - stated.items():
                self.find(f"entries {first} to {stated['size']}: they do not lead to the root that a checkpoint states")
                self.rewritten = True
            self.checkpoints, self.covered = self.checkpoints + 1, stated["size"]

    def stated(self, checkpoint: Json) -> Json | None:
        """What a checkpoint states; None, with a finding, when no trusted key signed it for this organisation."""
        stated: Json = json.loads(checkpoint["text"])
        key, text = self.keys.get(stated["key"]), checkpoint["text"].encode()
        if key and signs(key, checkpoint["signature"], text) and stated["org"] == self.manifest["org"]:
            return stated
        wrong = "is signed by a key that is not trusted, or is not what was signed, or is of another organisation"
        self.find(f"A checkpoint over {stated['size']} entries {wrong}")
        return None

    def whole_policy_sets(self) -> Set[str]:
        """The hashes of the sets of policies that are complete and have the text that their hash names."""
        known: Dict[str, Set[str]] = {"policy": set(), "set": set()}
        for row in map(json.loads, self.lines("policies.jsonl")):
            if sha256(row["document"].encode()).hexdigest() != row["hash"]:
                self.find(f"policies.jsonl: the {row['kind']} {row['hash']} is not the text that its hash names")
            elif row["kind"] == "set" and {*json.loads(row["document"])["policies"]} - known["policy"]:
                self.find(f"policies.jsonl: the set {row['hash']} names policies that are not there")
            else:
                known[row["kind"]].add(row["hash"])
        return known["set"]

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a file of the bundle."""
        with io.BufferedReader(self.zip.open(name)) if self.zip else (self.folder / name).open("rb") as file:
            yield from file

    def json(self, name: str) -> Any:
        """The value of a JSON file of the bundle."""
        return json.loads(b"".join(self.lines(name)))

    def find(self, text: str) -> None:
        """Note a finding, up to a thousand."""
        if len(self.findings) < 1000:
            self.findings.append(text)


def trusted_keys(rows: List[Json], pinned: str | None, find: Callable[[str], Any]) -> Dict[str, str]:
    """The keys to believe by id: all, or the pinned one and those that rotations signed by both keys tie to it."""
    keys = {sha256(der(row["public_key"])).hexdigest(): row["public_key"] for row in rows}
    ties = []
    for row in rows:
        new, old, by = row["id"], row["previous"], row["endorsement"]
        said = f'{{"at":"{row["created_at"]}","key":"{new}","previous":"{old}","version":1}}'.encode()
        if new not in keys:
            find(f"keys.json: the key {new} is not the one that its id names")
        elif old and signs(keys[new], by["key"], said) and signs(keys.get(old, ""), by["previous"], said):
            ties.append({new, old})
        elif old:
            find(f"keys.json: the rotation from {old} to {new} is not signed by both")
    trusted = {pinned} if pinned else {*keys}
    for _ in ties:
        trusted.update(*(tie for tie in ties if tie & trusted))
    return {name: key for name, key in keys.items() if name in trusted}


def der(pem: str) -> bytes:
    """The bytes of a key: those of an Ed25519 one are 12 that say so, and 32."""
    return base64.b64decode("".join(pem.splitlines()[1:-1]))


def signs(pem: str, signature: str, text: bytes) -> bool:
    """Whether a base64 signature over a text was made with the Ed25519 key."""
    try:
        key = Ed25519PublicKey.from_public_bytes(der(pem)[12:])
        key.verify(base64.b64decode(signature, validate=True), text)
    except (ValueError, InvalidSignature):
        return False
    return True


def grow(tree: List[bytes], size: int, leaf: bytes) -> None:
    """Add the leaf that makes a tree one of `size` leaves; `tree` has the roots of its complete subtrees."""
    while tree and not size & 1:
        leaf, size = sha256(b"\1" + tree.pop() + leaf).digest(), size >> 1
    tree.append(leaf)


def root(tree: List[bytes]) -> bytes:
    """The root over complete subtrees."""
    right = tree[-1] if tree else sha256(b"").digest()
    for left in tree[-2::-1]:
        right = sha256(b"\1" + left + right).digest()
    return right


def some(first: int, last: int) -> str:
    """Entries in words."""
    return f"entry {first}: it is" if first == last else f"entries {first} to {last}: they are"


def check(path: Path, key: str | None, kept: Path | None, progress: Callable[[int, int], Any]) -> Check:
    """Check a bundle; raises `CannotCheckError` for what is none, or what does not fit it."""
    if key is not None and not re.fullmatch("[0-9a-f]{64}", key):
        raise CannotCheckError(f"{key} is no id of a key (64 hex digits)")
    found = None
    try:
        found = Check(path, progress)
        found.run(key, json.loads(kept.read_bytes()) if kept else None)
    except Exception as error:  # whatever a made-up bundle makes a reader raise
        if not found or not found.findings:
            raise CannotCheckError(f"{path} cannot be checked: {error!r}") from error
        found.find(f"after entry {found.seq} it cannot be read on: {error!r}")
    return found


def main() -> int:
    """Check what the command line names."""
    parser = argparse.ArgumentParser(description="Check a bundle of DashClaw evidence.")
    parser.add_argument("bundle", nargs="?", type=Path, default=Path(__file__).parent, help="a zip or a folder")
    parser.add_argument("--key", help="id of a signing key that you know from elsewhere")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint that was kept elsewhere")
    options = parser.parse_args()
    try:
        found = check(options.bundle, options.key, options.checkpoint, lambda done, of: None)
    except CannotCheckError as error:
        print(f"CANNOT CHECK: {error}", file=sys.stderr)
        return 2
    size = f"entries {found.first} to {found.seq} ({found.without_data} without data), {found.checkpoints} checkpoints"
    lines = [f"{found.manifest['org']}: {size}", *found.findings]
    if options.key is None:
        lines.append("WARNING: who makes up a bundle makes up its keys: get the key's id from elsewhere, give --key")
    for line in lines:  # whatever the bundle holds is printed as inert text
        print(line.encode("unicode_escape").decode())
    print("NOT INTACT" if found.findings else "INTACT")
    return 1 if found.findings else 0


if __name__ == "__main__":
    sys.exit(main())
