"""EIP-712 hashes equal those of an independent implementation; bad signatures name the field."""

from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.conversions import to_hex
from hypothesis import given
from hypothesis import strategies as st

from portal.core.errors import InvalidInput
from portal.escrow import typed_data
from portal.escrow.typed_data import STRUCTS, Domain

DOMAIN = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
ADDRESSES = ("seller", "buyer", "arbiter", "backupArbiter", "token", "feeTo")
TERMS = {
    **{name: "0x" + f"{place:02x}" * 20 for place, name in enumerate(ADDRESSES, 1)},
    **dict.fromkeys(("payBy", "resolveBy", "sunset"), 1_700_000_000),
    **{"salt": "0x" + "ab" * 32, "amount": 100, "fee": 1, "arbiterFee": 0, "sunsetBuyerBps": 5_000},
}
OTHER_TERMS = {**TERMS, "amount": 101}
KEY = "0x" + "11" * 32
SIGNER = Account.from_key(KEY).address


def values(kind: str) -> st.SearchStrategy[Any]:
    if kind == "address":
        return st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
    if kind == "bytes32":
        return st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex())
    if kind == "bool":
        return st.booleans()
    if kind in STRUCTS:
        return st.fixed_dictionaries({name: values(inner) for name, inner in STRUCTS[kind]})
    return st.integers(0, 2 ** int(kind[4:]) - 1)


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    struct = draw(st.sampled_from(sorted(STRUCTS)))
    return struct, {name: draw(values(kind)) for name, kind in STRUCTS[struct]}


def numbers(data: dict[str, Any], struct: str, message: dict[str, Any]) -> dict[str, Any]:
    """The message as eth-account wants it, read with the types that the data itself names."""
    kinds = {item["name"]: item["type"] for item in data["types"][struct]}

    def read(kind: str, value: Any) -> Any:
        if kind in data["types"]:
            return numbers(data, kind, value)
        return int(value) if kind.startswith("uint") else value

    return {name: read(kinds[name], value) for name, value in message.items()}


def independent_digest(data: dict[str, Any]) -> bytes:
    message = numbers(data, data["primaryType"], data["message"])
    signable = encode_typed_data(full_message={**data, "message": message})
    return Account.from_key(KEY).sign_message(signable).message_hash


@given(messages())
def test_digest_equals_eth_accounts(drawn: tuple[str, dict[str, Any]]) -> None:
    data = typed_data.typed(DOMAIN, *drawn)
    assert typed_data.digest(data) == independent_digest(data)


def signed(data: dict[str, Any]) -> str:
    return to_hex(Account.from_key(KEY).unsafe_sign_hash(typed_data.digest(data)).signature)


def test_numbers_are_strings_so_that_no_reader_rounds_them() -> None:
    data = typed_data.settle(DOMAIN, TERMS, 2**127 + 1, 1_700_000_000)
    assert data["message"]["toBuyer"] == str(2**127 + 1)
    assert data["message"]["terms"]["amount"] == "100"


@pytest.mark.parametrize("act", [typed_data.mark_paid, typed_data.cancel])
def test_an_act_on_a_trade_shows_the_whole_deal(act: Any) -> None:
    data = act(DOMAIN, TERMS)
    assert {"amount", "seller", "buyer", "payBy"} <= data["message"]["terms"].keys()
    assert [item["name"] for item in data["types"]["Terms"]] == list(data["message"]["terms"])


def test_the_signer_is_recovered_from_a_wallets_own_signature() -> None:
    data = typed_data.wallet_binding(DOMAIN, 7, SIGNER, 1_700_000_000)
    assert typed_data.recover(data, signed(data)) == SIGNER
    typed_data.verify_signature(data, signed(data), SIGNER.lower())


def test_another_signer_is_refused_by_name() -> None:
    data = typed_data.cancel(DOMAIN, TERMS)
    with pytest.raises(InvalidInput, match="is by") as caught:
        typed_data.verify_signature(data, signed(data), DOMAIN.escrow, field="signatures.cancel")
    assert caught.value.field == "signatures.cancel"


@pytest.mark.parametrize(
    "other",
    [
        typed_data.cancel(DOMAIN, TERMS),
        typed_data.mark_paid(DOMAIN, OTHER_TERMS),
        typed_data.mark_paid(Domain(1, DOMAIN.escrow), TERMS),
        typed_data.mark_paid(Domain(31337, SIGNER), TERMS),
    ],
)
def test_a_signature_is_for_one_act_trade_chain_and_contract(other: dict[str, Any]) -> None:
    signature = signed(typed_data.mark_paid(DOMAIN, TERMS))
    with pytest.raises(InvalidInput):
        typed_data.verify_signature(other, signature, SIGNER)


def test_a_high_s_is_refused_as_the_contract_refuses_it() -> None:
    data = typed_data.cancel(DOMAIN, TERMS)
    raw = bytes.fromhex(signed(data)[2:])
    high = typed_data.CURVE_ORDER - int.from_bytes(raw[32:64], "big")
    twin = raw[:32] + high.to_bytes(32, "big") + bytes([55 - raw[64]])
    with pytest.raises(InvalidInput, match="high s"):
        typed_data.recover(data, to_hex(twin))


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "0x12",
        "0x" + "zz" * 65,
        "0x" + "11" * 64,
        "0x" + "11" * 65,
        "0x" + "00" * 64 + "1b",
        "0x" + "ff" * 32 + "00" * 31 + "011b",
        None,
        5,
    ],
)
def test_what_is_no_signature_is_refused_with_the_field(bad: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        typed_data.recover(typed_data.cancel(DOMAIN, TERMS), bad, field="x")
    assert caught.value.field == "x"


@pytest.mark.parametrize("bad", ["", "0x12", "0x" + "0" * 40, "bc1qxyz", None, 3])
def test_what_is_no_address_is_refused_with_the_field(bad: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        typed_data.parse_address(bad, field="address")
    assert caught.value.field == "address"


def test_an_address_is_checksummed() -> None:
    assert typed_data.parse_address(SIGNER.lower()) == SIGNER
