"""Checks the evidence of a trade, alone: `python3 check_evidence.py evidence.json --key KEY`.

Goes into every bundle, so it imports nothing of the portal: only Python, and `cryptography` for
the signature. Exit code 0: everything that can be proven is; 1: something is not.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

DASH = "\u2014"
COLUMNS = ("stream", "seq", "at_ms", "actor", "kind", "subject", "data")


def event_hash(previous: str, event: dict[str, Any]) -> str:
    """SHA-256 over the hash before it (hex), a line feed, and the event as canonical JSON."""
    content = json.dumps(
        [event[name] for name in COLUMNS],
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return sha256(previous.encode() + b"\n" + content.encode()).hexdigest()


def root_of(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that a path of RFC 9162 (2.1.3.2) leads to."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not among {size}")
    place, last, found = index, size - 1, leaf
    for step in path:
        if not last:
            raise ValueError("its path is too long")
        if place & 1 or place == last:
            found = sha256(b"\x01" + step + found).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = sha256(b"\x01" + found + step).digest()
        place, last = place >> 1, last >> 1
    if last:
        raise ValueError("its path is too short")
    return found


def read_checkpoint(note: str) -> tuple[str, int, bytes]:
    """Origin, size and root of a checkpoint (C2SP tlog-checkpoint)."""
    origin, size, root = note.split("\n")[:3]
    return origin, int(size), base64.b64decode(root, validate=True)


def signature_problem(note: str, key: str) -> str | None:
    """Why the note is not signed by the key; None when it is (C2SP signed-note, Ed25519)."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return "can't be checked: install the package `cryptography`"
    name, key_id, encoded = key.strip().split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    expected = sha256(name.encode() + b"\n" + raw).digest()[:4]
    if raw[:1] != b"\x01" or len(raw) != 33 or expected.hex() != key_id:
        return "can't be checked: the key is not of the form NAME+ID+KEY, or not of Ed25519"
    text, _, signatures = note.partition("\n\n")
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        signer, _, signed = rest.partition(" ")
        if (dash, signer) != (DASH, name):
            continue
        found = base64.b64decode(signed)
        try:
            Ed25519PublicKey.from_public_bytes(raw[1:]).verify(found[4:], (text + "\n").encode())
        except InvalidSignature:
            continue
        if found[:4] == expected:
            return None
    return f"is not by {name}"


def problems(evidence: dict[str, Any], key: str) -> list[str]:
    """Everything that is not as it should be, in words."""
    found = []
    origin, size, root = read_checkpoint(evidence["checkpoint"])
    problem = signature_problem(evidence["checkpoint"], key)
    if problem:
        found.append(f"the checkpoint's signature {problem}")
    elif origin != key.split("+", 1)[0]:
        found.append(f"the checkpoint is of another log, {origin}")
    hashes: dict[tuple[str, int], str] = {}
    for entry in evidence["events"]:
        event = entry["event"]
        problem = event_problem(entry, size, root)
        before = hashes.get((event["stream"], event["seq"] - 1), entry["previous"])
        if problem is None and before != entry["previous"]:
            problem = "does not follow the event before it"
        hashes[event["stream"], event["seq"]] = event["hash"]
        if problem:
            found.append(f"event {event['stream']}@{event['seq']} {problem}")
    return found


def event_problem(entry: dict[str, Any], size: int, root: bytes) -> str | None:
    """Why an event is not proven; None when it is."""
    event = entry["event"]
    if event_hash(entry["previous"], event) != event["hash"]:
        return "is not what was written"
    leaf = sha256(b"\x00" + bytes.fromhex(event["hash"])).digest()
    try:
        path = [base64.b64decode(step, validate=True) for step in entry["path"]]
        proven = root_of(leaf, entry["leaf"], size, path) == root
    except ValueError as error:
        return f"is not in the log: {error}"
    return None if proven else "is not in the log"


def main(arguments: list[str] | None = None) -> int:
    """Read, check, tell."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--key", help="the log's key, NAME+ID+KEY, from a source you trust")
    options = parser.parse_args(arguments)
    evidence = json.loads(options.file.read_text(encoding="utf-8"))
    if options.key is None:
        print("No --key: checking with the one in the file, which proves nothing about who signed.")
    found = problems(evidence, options.key or evidence["key"])
    for problem in found:
        print(f"WRONG: {problem}")
    events = evidence["events"]
    if not found:
        print(f"In order: {len(events)} events of trade {evidence['trade_id']} are in the log.")
    return 1 if found or options.key is None else 0


if __name__ == "__main__":
    sys.exit(main())
