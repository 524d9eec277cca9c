"""The Ed25519 key that signs checkpoints. It lives in a file of its own, never in the database it vouches for."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dashclaw._canonical import canonical
from dashclaw.errors import ConfigurationError, MissingExtraError

from ..clock import stamp
from ..identity import Caller
from ..store import evidence as rows
from ..store import orgs

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from ..settings import Settings
    from ..store.engine import Store, Tx

_SYSTEM = "evidence"


class EvidenceKey(NamedTuple):
    """A key ready to sign; `id` is the SHA-256 of the public key's DER form in hex."""

    id: str
    public_key: str
    sign: Callable[[bytes], bytes]

    def __repr__(self) -> str:
        return f"EvidenceKey(id={self.id!r})"


def key_path(url: URL, settings: Settings) -> Path:
    """Where the key is: as configured, else beside an SQLite file, else in the folder of the user."""
    if settings.evidence_key:
        return Path(settings.evidence_key).expanduser()
    if url.get_backend_name() == "sqlite":
        return Path(f"{url.database}.evidence-key.pem")
    return Path.home() / ".dashclaw" / "evidence-key.pem"


def load_key(path: Path, *, create: bool = True) -> EvidenceKey:
    """Read the key, making one on first use (file mode 0600).

    Raises `ConfigurationError` when the file cannot be read, is no Ed25519 key, or is missing and `create` is false.
    """
    try:
        pem = path.read_bytes()
    except FileNotFoundError:
        if not create:
            raise ConfigurationError(f"There is no evidence key at {path}") from None
        pem = _first(path)
    except OSError as error:
        raise ConfigurationError(f"The evidence key {path} cannot be read: {error.strerror}") from error
    return _read(path, pem)


def _first(path: Path) -> bytes:
    """Write a new key, or read the one that another process wrote first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = _new_pem()
    unfinished = _private_file(path, pem)
    try:
        os.link(unfinished, path)
    except FileExistsError:
        return path.read_bytes()
    finally:
        unfinished.unlink()
    return pem


def _private_file(path: Path, pem: bytes) -> Path:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _new_pem() -> bytes:
    ed25519, serialization = _cryptography()
    private = ed25519.Ed25519PrivateKey.generate()
    pem: bytes = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem


def _read(path: Path, pem: bytes) -> EvidenceKey:
    ed25519, serialization = _cryptography()
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} holds no private key in PEM ({type(error).__name__})") from None
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise ConfigurationError(f"{path} holds no Ed25519 key; checkpoints are signed with Ed25519")
    public = private.public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    der = public.public_bytes(serialization.Encoding.DER, spki)
    text = public.public_bytes(serialization.Encoding.PEM, spki).decode()
    return EvidenceKey(hashlib.sha256(der).hexdigest(), text, private.sign)


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise MissingExtraError('Checkpoints need the extra "signing": pip install "dashclaw[signing]"') from error
    return ed25519, serialization


def verifies(public_key: str, signature: str, signed: bytes) -> bool:
    """Whether a base64 signature over these bytes was made with the key; false for whatever cannot be read."""
    ed25519, serialization = _cryptography()
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        key = serialization.load_pem_public_key(public_key.encode())
        if not isinstance(key, ed25519.Ed25519PublicKey):
            return False
        key.verify(base64.b64decode(signature, validate=True), signed)
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        return False
    return True


def key_id(public_key: str) -> str | None:
    """The id that a public key must have; None when it cannot be read."""
    _, serialization = _cryptography()
    try:
        key = serialization.load_pem_public_key(public_key.encode())
    except ValueError:
        return None
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def register(tx: Tx, org_id: str, key: EvidenceKey) -> None:
    """Make a key known that signs for the first time; the organisation's chain says so."""
    if rows.key(tx, key.id) is None:
        rows.add_key(tx, {"id": key.id, "public_key": key.public_key, "created_at": tx.stamp})
    data = {"id": key.id, "public_key": key.public_key}
    tx.emit(Caller(org_id, _SYSTEM, "admin", "system"), "evidence.key.created", "evidence_key", key.id, data)


def rotation_text(key: str, previous: str, at: str) -> bytes:
    """What both keys sign when one takes the other's place."""
    return canonical({"at": at, "key": key, "previous": previous, "version": 1})


def rotate(store: Store, path: Path) -> EvidenceKey:
    """Put a new key in the place of the present one; both sign that it is so, and every chain tells.

    The old private key is gone afterwards. Raises `ConfigurationError` when there is no key yet.
    """
    old = load_key(path, create=False)
    pem = _new_pem()
    new = _read(path, pem)
    unfinished = _private_file(path, pem)
    try:
        at = stamp(store.clock())
        _record_rotation(store, old, new, at)
        unfinished.replace(path)
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()
    return new


def _record_rotation(store: Store, old: EvidenceKey, new: EvidenceKey, at: str) -> None:
    text = rotation_text(new.id, old.id, at)
    endorsement = {name: base64.b64encode(key.sign(text)).decode() for name, key in (("previous", old), ("key", new))}
    row = {"id": new.id, "public_key": new.public_key, "created_at": at, "previous": old.id}
    with store.write() as tx:
        if rows.key(tx, old.id) is None:
            rows.add_key(tx, {"id": old.id, "public_key": old.public_key, "created_at": at})
        rows.add_key(tx, {**row, "endorsement": endorsement})
        rows.retire_key(tx, old.id, at)
        organisations = orgs.every_id(tx)
    for org_id in organisations:
        with store.write(org_id) as tx:
            caller = Caller(org_id, _SYSTEM, "admin", "system")
            tx.emit(caller, "evidence.key.rotated", "evidence_key", new.id, {**row, "endorsement": endorsement})
