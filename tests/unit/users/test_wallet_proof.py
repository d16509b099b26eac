from datetime import date

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from portal.core.errors import InvalidInput
from portal.users.wallet_proof import check_proof, proof_message

# The test vectors of BIP-322.
SEGWIT = "bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l"
EMPTY = (
    "AkcwRAIgM2gBAQqvZX15ZiysmKmQpDrG83avLIT492QBzLnQIxYCIBaTpOaD20qRlEylyxFSeEA2ba9YOixpX8z46TSDtS40"
    "ASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI="
)
HELLO = (
    "AkcwRAIgZRfIY3p7/DoVTty6YZbWS71bc5Vct9p9Fia83eRmw2QCICK/ENGfwLtptFluMGs2KsqoNSk89pO7F29zJLUx9a/s"
    "ASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI="
)
TAPROOT = "bc1ppv609nr0vr25u07u95waq5lucwfm6tde4nydujnu8npg4q75mr5sxq8lt3"
TAPROOT_HELLO = (
    "AUHd69PrJQEv+oKTfZ8l+WROBHuy9HKrbFCJu7U1iK2iiEy1vMU5EfMtjc+VSHM7aU0SDbak5IUZRVno2P5mjSafAQ=="
)
VECTORS = [
    (SEGWIT, "", EMPTY),
    (SEGWIT, "Hello World", HELLO),
    (TAPROOT, "Hello World", TAPROOT_HELLO),
]
KEY = "0x" + "11" * 32
MINE = Account.from_key(KEY).address


def signed(text: str) -> str:
    return "0x" + bytes(Account.sign_message(encode_defunct(text=text), KEY).signature).hex()


@pytest.mark.parametrize(("address", "message", "signature"), VECTORS)
def test_the_vectors_of_bip322_are_proofs(address: str, message: str, signature: str) -> None:
    check_proof(address, message, signature)


@pytest.mark.parametrize(
    ("address", "message", "signature"),
    [
        (SEGWIT, "Hello world", HELLO),
        (SEGWIT, "Hello World", EMPTY),
        (TAPROOT, "Hello World", HELLO),
        (TAPROOT, "Hello World!", TAPROOT_HELLO),
        (SEGWIT, "Hello World", ""),
        (SEGWIT, "Hello World", "no base64 ¿?"),
        (SEGWIT, "Hello World", "A" * 5_000),
        ("bc1qnoaddress", "Hello World", HELLO),
    ],
)
def test_other_messages_addresses_and_rubbish_are_none(
    address: str, message: str, signature: str
) -> None:
    with pytest.raises(InvalidInput, match="does not prove control"):
        check_proof(address, message, signature)


def test_a_personal_signature_proves_an_evm_address_in_any_case() -> None:
    message = proof_message("otc.example", 7, MINE, date(2026, 3, 2))
    check_proof(MINE, message, signed(message))
    check_proof(MINE.lower(), message, signed(message))


@pytest.mark.parametrize("signature", ["", "0x", "0x00", "zz", "0x" + "ff" * 65])
def test_rubbish_proves_no_evm_address(signature: str) -> None:
    with pytest.raises(InvalidInput, match="does not prove control"):
        check_proof(MINE, "Hello", signature)


def test_a_proof_serves_nobody_else_and_no_other_day() -> None:
    day = date(2026, 3, 2)
    proof = signed(proof_message("otc.example", 7, MINE, day))
    for message in (
        proof_message("otc.example", 8, MINE, day),
        proof_message("other.example", 7, MINE, day),
        proof_message("otc.example", 7, MINE, date(2026, 3, 3)),
    ):
        with pytest.raises(InvalidInput, match="it is by 0x"):
            check_proof(MINE, message, proof)
