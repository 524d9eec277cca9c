"""Check a bundle of DashClaw evidence, without DashClaw.

    python verify.py [BUNDLE] [--key KEY] [--checkpoint FILE]

BUNDLE is the zip file or the folder it was unpacked into (by default the folder of this script). KEY is the id of a
signing key, or a file with the public key, that you got from somewhere else than this bundle. FILE is a checkpoint
that was kept somewhere else. Needs Python 3.8 or newer and the package `cryptography`.

Exit codes: 0 intact, 1 not intact, 2 could not be checked.

How an entry is bound (README.md says what that proves):
    content = SHA-256(salt + data)              the last item of the entry's record
    link    = SHA-256(0x00 + link of the entry before + record)
The links are the leaves of a Merkle tree (RFC 6962); a checkpoint is a signed statement of its size and root.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Set, Tuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

MOST_FINDINGS = 1000
Json = Dict[str, Any]


class CannotCheckError(Exception):
    """What was given is no bundle, or cannot be compared with what it should be compared with."""


class Check:
    """One check of one bundle: `findings` say what is wrong and where; `without_data` counts entries."""

    def __init__(self, path: Path, pinned: str | None, kept: Json | None, progress: Callable[[int, int], Any]) -> None:
        self.folder, self.zip = path, None if path.is_dir() else zipfile.ZipFile(path)
        self.kept, self.progress = kept, progress
        self.findings: List[str] = []
        self.manifest: Json = self.json("manifest.json")
        self.first, self.last = int(self.manifest["first"]), int(self.manifest["last"])
        self.keys = trusted_keys(self.json("keys.json"), pinned, self.find)
        self.agents = {row["id"]: row["public_key"] for row in self.json("identities.json")}
        # Where the walk is: the last entry, its link, and the roots of the complete subtrees of all up to it.
        self.seq, self.link = self.first - 1, bytes.fromhex(self.manifest["before"])
        self.tree = [bytes.fromhex(root) for root in self.manifest["frontier"]]
        self.checkpoints = self.covered = self.without_data = 0
        self.rewritten = False
        self.unexplained: List[Tuple[int, int]] = []

    def run(self) -> None:
        """Check everything, one line at a time."""
        begin = sha256(b"dashclaw evidence 1\n" + self.manifest["org"].encode()).digest()
        if len(self.tree) != bin(self.seq).count("1") or (self.first == 1 and self.link != begin):
            self.find(f"entry {self.first}: manifest.json does not lead to it")
        self.read_policies()
        kept = self.kept and self.stated(self.kept, "The checkpoint that you gave")
        signed = (self.stated(json.loads(line), "A checkpoint") for line in self.lines("checkpoints.jsonl"))
        checkpoints = (stated for stated in signed if stated)
        due = self.compare(next(checkpoints, None), checkpoints)
        for line in self.lines("entries.jsonl"):
            self.entry(line)
            if due and due["size"] <= self.seq:
                due = self.compare(due, checkpoints)
            if kept and kept["size"] == self.seq and kept["root"] != root(self.tree).hex():
                self.find(f"entries 1 to {self.seq} are not those of the checkpoint that you gave")
            if self.seq % 10_000 == 0:
                self.progress(self.seq - self.first + 1, self.last - self.first + 1)
        self.last = max(self.last, due["size"] if due else 0)
        if self.last > self.seq:
            self.find(f"{some(self.seq + 1, self.last)} missing: the bundle ends too early")
        if self.seq > self.covered:
            self.find(f"{some(self.covered + 1, self.seq)} covered by no checkpoint")
        for first, last in self.unexplained:
            self.find(f"{some(first, last)} without data, and no later entry says that it was removed")
        if kept and not self.first <= kept["size"] <= self.seq:
            self.out_of_reach(kept)

    def entry(self, line: bytes) -> None:
        """Check one entry: its place, its link, its data, and what it says about other parts of the bundle."""
        try:
            entry = json.loads(line)
            text, link, salt, data = entry["record"], bytes.fromhex(entry["link"]), entry["salt"], entry["data"]
            seq, _, _, name, _, _, _, _, _, content = json.loads(text)
        except (ValueError, TypeError, KeyError) as error:
            return self.find(f"entry {self.seq + 1}: the line cannot be read ({type(error).__name__})")
        if seq <= self.seq:
            return self.find(f"entry {seq}: it stands after entry {self.seq}: it was moved or slipped in")
        if seq > self.seq + 1:
            self.find(f"{some(self.seq + 1, seq - 1)} missing")
        elif sha256(b"\x00" + self.link + text.encode()).digest() != link:
            self.find(f"entry {seq}: it does not follow from the entry before: its record or a link was changed")
        self.seq, self.link = seq, link
        grow(self.tree, seq, link)
        if data is None:
            self.without_data += 1
            joins = self.unexplained and self.unexplained[-1][1] == seq - 1
            self.unexplained.append((self.unexplained.pop()[0] if joins else seq, seq))
        elif salt is None or sha256(bytes.fromhex(salt) + data.encode()).hexdigest() != content:
            self.find(f"entry {seq}: its data is not what was recorded")
        elif name == "guard.decision.created":
            used = json.loads(data).get("policy_set")
            if used is not None and used not in self.policy_sets:
                self.find(f"entry {seq}: the policies that decided ({used}) are not in policies.jsonl as they were")
        elif name in ("evidence.erased", "evidence.pruned"):
            for span in json.loads(data)["entries"]:
                self.unexplained = without(self.unexplained, span)
        elif name.startswith("identity."):
            told = json.loads(data)
            for key in filter(None, (told, told.get("replaced"))):
                if self.agents.get(key["id"]) != key["public_key"]:
                    self.find(f"entry {seq}: identities.json has another key for the agent {key['agent_id']!r}")
        return None

    def compare(self, due: Json | None, checkpoints: Iterator[Json]) -> Json | None:
        """Compare the tree with each checkpoint up to here; returns the next one."""
        while due and due["size"] <= self.seq:
            same = (due["size"], due["root"], due["link"]) == (self.seq, root(self.tree).hex(), self.link.hex())
            if not same and not self.rewritten:
                self.find(
                    f"entries {max(self.first, self.covered + 1)} to {due['size']}:"
                    f" they do not lead to the root that the checkpoint of {due['at']} states"
                )
            self.rewritten = self.rewritten or not same
            self.checkpoints, self.covered = self.checkpoints + 1, due["size"]
            due = next(checkpoints, None)
        return due

    def stated(self, checkpoint: Json, what: str) -> Json | None:
        """What a checkpoint states; None, with a finding, when no trusted key signed it for this organisation."""
        stated: Json = json.loads(checkpoint["text"])
        key = self.keys.get(stated["key"])
        if stated["org"] != self.manifest["org"]:
            wrong = "is of another organisation"
        elif key is None:
            wrong = "is signed by a key that is not trusted"
        elif not signs(key, checkpoint["signature"], checkpoint["text"].encode()):
            wrong = "has a wrong signature"
        else:
            return stated
        self.find(f"{what} over {stated['size']} entries {wrong}")
        return None

    def out_of_reach(self, kept: Json) -> None:
        """Judge a checkpoint that was kept elsewhere and that is not about the entries of the bundle."""
        text = f"The checkpoint that you gave is over {kept['size']} entries; the bundle has {self.first} to {self.seq}"
        early = kept["size"] < self.first or self.manifest["until"] or self.manifest["created_at"] < kept["at"]
        if early and not self.findings:
            raise CannotCheckError(f"{text}: ask for one that reaches it")
        self.find(f"{text}: the entries after it are missing")

    def read_policies(self) -> None:
        """Find the sets of policies that are complete and have the text that their hash names."""
        hashes: Dict[str, Set[str]] = {"policy": set(), "set": set()}
        for row in map(json.loads, self.lines("policies.jsonl")):
            if sha256(row["document"].encode()).hexdigest() != row["hash"]:
                self.find(f"policies.jsonl: the {row['kind']} {row['hash']} is not the text that its hash names")
            elif row["kind"] == "set" and not hashes["policy"].issuperset(json.loads(row["document"])["policies"]):
                self.find(f"policies.jsonl: the set {row['hash']} names policies that are not there")
            else:
                hashes[row["kind"]].add(row["hash"])
        self.policy_sets = hashes["set"]

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a file of the bundle."""
        with self.zip.open(name) if self.zip else (self.folder / name).open("rb") as file:
            yield from file

    def json(self, name: str) -> Any:
        """The value of a JSON file of the bundle."""
        return json.loads(b"".join(self.lines(name)))

    def find(self, text: str) -> None:
        """Note a finding."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(text)


def trusted_keys(rows: List[Json], pinned: str | None, find: Callable[[str], None]) -> Dict[str, Ed25519PublicKey]:
    """The keys to believe by id: all, or the pinned one and those that rotations signed by both keys tie to it."""
    keys, ties = {}, []
    for row in rows:
        try:
            name, key = key_of(row["public_key"].encode())
            keys[name] = key
        except ValueError:
            name = ""
        if name != row["id"]:
            find(f"keys.json: the key {row['id']} is not the one that its id names")
    for row in rows:
        new, old, by = row["id"], row["previous"], row["endorsement"]
        if new not in keys or old is None:
            continue
        said = f'{{"at":"{row["created_at"]}","key":"{new}","previous":"{old}","version":1}}'.encode()
        if old in keys and signs(keys[new], by["key"], said) and signs(keys[old], by["previous"], said):
            ties.append({new, old})
        else:
            find(f"keys.json: the rotation from {old} to {new} is not signed by both")
    trusted = {pinned} if pinned else set(keys)
    for _ in ties:
        trusted.update(*(tie for tie in ties if tie & trusted))
    return {name: key for name, key in keys.items() if name in trusted}


def pinned_key(key: str | None) -> str | None:
    """The id of a key that is given by its id or as a file with the public key."""
    pinned = key_of(Path(key).read_bytes())[0] if key and Path(key).is_file() else key
    if pinned and (len(pinned) != 64 or not set(pinned) <= set("0123456789abcdef")):
        raise CannotCheckError(f"{key} is neither the id of a key (64 hex digits) nor a file with a public key")
    return pinned


def key_of(pem: bytes) -> Tuple[str, Ed25519PublicKey]:
    """A public key in PEM and its id; raises `ValueError` for anything but Ed25519."""
    try:
        key = load_pem_public_key(pem)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("a key that is not Ed25519")
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest(), key


def signs(key: Ed25519PublicKey, signature: str, text: bytes) -> bool:
    """Whether a base64 signature over a text was made with the key."""
    try:
        key.verify(base64.b64decode(signature, validate=True), text)
    except (ValueError, InvalidSignature):
        return False
    return True


def grow(tree: List[bytes], size: int, leaf: bytes) -> None:
    """Add the leaf that makes a tree one of `size` leaves; `tree` has the roots of its complete subtrees."""
    below = size - 1
    while below & 1 and tree:
        leaf = sha256(b"\x01" + tree.pop() + leaf).digest()
        below >>= 1
    tree.append(leaf)


def root(tree: List[bytes]) -> bytes:
    """The root over complete subtrees."""
    found = tree[-1] if tree else sha256(b"").digest()
    for left in reversed(tree[:-1]):
        found = sha256(b"\x01" + left + found).digest()
    return found


def without(spans: List[Tuple[int, int]], cut: List[int]) -> List[Tuple[int, int]]:
    """Spans of numbers without those from the first to the last of another one."""
    parts = (part for a, b in spans for part in ((a, min(b, cut[0] - 1)), (max(a, cut[1] + 1), b)))
    return [part for part in parts if part[0] <= part[1]]


def some(first: int, last: int) -> str:
    """Entries in words."""
    return f"entry {first}: it is" if first == last else f"entries {first} to {last}: they are"


def check(path: Path, key: str | None, kept: Path | None, progress: Callable[[int, int], Any]) -> Check:
    """Check a bundle; raises `CannotCheckError` for what is none, or what does not fit it."""
    found = None
    try:
        found = Check(path, pinned_key(key), json.loads(kept.read_text()) if kept else None, progress)
        found.run()
    except (OSError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        if not found or not found.findings:
            raise CannotCheckError(f"{path} cannot be read as a bundle: {type(error).__name__}: {error}") from error
        found.find(f"after entry {found.seq} it cannot be read on: {type(error).__name__}: {error}")
    return found


def told(found: Check, key: str | None) -> str:
    """The result in words, whatever the bundle holds as inert text."""
    lines = [f"{found.manifest['org']}: entries {found.first} to {found.seq}, {found.checkpoints} checkpoints"]
    if key is None:
        lines += ["WARNING: the signing keys come from the bundle itself. Whoever makes up a whole bundle makes up"]
        lines += ["keys as well: get the id of the key from another source and give it with --key."]
    if found.without_data:
        lines += [f"{found.without_data} entries without data: erased or no longer kept"]
    lines += [f"  {finding}" for finding in found.findings]
    lines += [f"NOT INTACT: {len(found.findings)} findings" if found.findings else "INTACT"]
    return "\n".join(line.encode("unicode_escape").decode() for line in lines)


def main() -> int:
    """Check what the command line names."""
    parser = argparse.ArgumentParser(description="Check a bundle of DashClaw evidence.")
    parser.add_argument("bundle", nargs="?", type=Path, default=Path(__file__).parent, help="a zip or a folder")
    parser.add_argument("--key", help="id or PEM file of a signing key that you know from elsewhere")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint that was kept elsewhere")
    options = parser.parse_args()
    try:
        found = check(options.bundle, options.key, options.checkpoint, lambda done, of: None)
    except CannotCheckError as error:
        print(f"CANNOT CHECK: {error}", file=sys.stderr)
        return 2
    print(told(found, options.key))
    return 1 if found.findings else 0


if __name__ == "__main__":
    sys.exit(main())
