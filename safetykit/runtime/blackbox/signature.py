"""Ed25519 signatures of closed segments: who holds the key says that the chain stood so when it was closed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from safetykit.errors import LogError

_DOMAIN = b"safetykit black box segment 1\0"
_KEY_SIZE, _SIGNATURE_SIZE = 32, 64


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Read an unencrypted PEM key (``openssl genpkey -algorithm ed25519``). Raises LogError."""
    try:
        mode = os.stat(path).st_mode
        if mode & 0o077:
            raise LogError(f"{path}: mode {mode & 0o777:04o} lets others read the signing key, expected 0600")
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise LogError(f"{path}: cannot read the signing key: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise LogError(f"{path}: not an unencrypted PEM private key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise LogError(f"{path}: not an Ed25519 key")
    return key


def load_public_key(path: Path) -> bytes:
    """Read a PEM public key, or 64 hexadecimal digits; 32 bytes. Raises LogError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LogError(f"{path}: cannot read the public key: {error.strerror}") from error
    try:
        raw = bytes.fromhex(data.decode("ascii").strip())
        if len(raw) == _KEY_SIZE:
            return raw
    except ValueError:
        pass  # not hexadecimal, so it must be PEM
    try:
        key = load_pem_public_key(data)
    except ValueError as error:
        raise LogError(f"{path}: neither a PEM public key nor {2 * _KEY_SIZE} hexadecimal digits") from error
    if not isinstance(key, Ed25519PublicKey):
        raise LogError(f"{path}: not an Ed25519 key")
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def sign(key: Ed25519PrivateKey, last_hash: bytes, log_id: str, segment: int) -> dict[str, str]:
    """The signature fields of a CLOSE entry; `last_hash` is that of the entry before it."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"public_key": public.hex(), "signature": key.sign(_message(last_hash, log_id, segment)).hex()}


def check(closing: dict[str, Any], last_hash: bytes, log_id: str, segment: int) -> tuple[bytes | None, str]:
    """(public key, what is wrong). No signature gives (None, "")."""
    if "signature" not in closing and "public_key" not in closing:
        return None, ""
    try:
        public = bytes.fromhex(closing["public_key"])
        signature = bytes.fromhex(closing["signature"])
        if len(public) != _KEY_SIZE or len(signature) != _SIGNATURE_SIZE:
            return None, "the signature is malformed"
        Ed25519PublicKey.from_public_bytes(public).verify(signature, _message(last_hash, log_id, segment))
    except (KeyError, TypeError, ValueError):
        return None, "the signature is malformed"
    except InvalidSignature:
        return None, "the signature does not fit the chain"
    return public, ""


def _message(last_hash: bytes, log_id: str, segment: int) -> bytes:
    return _DOMAIN + log_id.encode("utf-8") + b"\0" + segment.to_bytes(8, "little") + last_hash
