"""Signed notes: the C2SP's own example of a key and note, and everything that is no note."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portal.audit import notes

# golang.org/x/mod/sumdb/note, ExampleSign: the note of Enoch and his key.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfq"
    "dngotpRZb6KE6RyyBwJnAM=\n"
)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OURS = notes.verifier_of("portal.example/audit", KEY)


def signed(size: int = 5) -> str:
    return notes.sign(notes.Checkpoint("portal.example/audit", size, b"\x07" * 32), KEY)


def test_a_key_of_another_implementation_is_read_and_written() -> None:
    assert str(notes.Verifier.parse(PETER)) == PETER


def test_a_signature_of_another_implementation_holds() -> None:
    text, _, line = NOTE.partition("\n\n")
    encoded = line.split(" ")[2].strip()
    assert notes._holds(text + "\n", encoded, notes.Verifier.parse(PETER))
    assert not notes._holds(text + "!\n", encoded, notes.Verifier.parse(PETER))


def test_a_checkpoint_comes_back_as_it_was_signed() -> None:
    found = notes.read(signed(), OURS)
    assert (found.origin, found.size, found.root) == ("portal.example/audit", 5, b"\x07" * 32)


def test_a_former_key_still_holds() -> None:
    new = notes.verifier_of("portal.example/audit", Ed25519PrivateKey.generate())
    assert notes.read(signed(), new, OURS).size == 5
    with pytest.raises(notes.BadNote, match="no good signature"):
        notes.read(signed(), new)


def test_a_witness_may_add_a_signature() -> None:
    witness = Ed25519PrivateKey.generate()
    also = notes.sign(notes.Checkpoint("portal.example/audit", 5, b"\x07" * 32), witness)
    assert notes.read(signed() + also.partition("\n\n")[2], OURS).size == 5


@pytest.mark.parametrize(
    "note",
    [
        "",
        "portal.example/audit\n5\n",
        signed().replace("\n5\n", "\n6\n"),
        signed().replace("\n5\n", "\n05\n"),
        signed().replace("\n5\n", "\nfive\n"),
        signed().replace(base64.b64encode(b"\x07" * 32).decode(), "AAAA"),
        signed().replace(base64.b64encode(b"\x07" * 32).decode(), "!"),
        signed().replace("\u2014 portal", "\u2014 other"),
        signed().partition("\u2014")[0],
        signed().partition("\u2014")[0] + "\u2014 portal.example/audit !!!\n",
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_of_ours_is_refused(note: str) -> None:
    with pytest.raises(notes.BadNote):
        notes.read(note, OURS)


@pytest.mark.parametrize("text", ["", "name", "name+00000000+AA==", PETER.replace("c7", "c8")])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(notes.BadNote):
        notes.Verifier.parse(text)
