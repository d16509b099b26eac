"""Calldata, topics, error names and addresses, worked out without a node."""

from dataclasses import replace

import pytest
from web3 import Web3
from web3.exceptions import ContractCustomError, ContractLogicError

from portal.escrow import contract
from portal.escrow.chain.client import revert_name
from portal.escrow.contracts import artefact, vault_address
from portal.escrow.typed_data import Domain, typed

ADDRESS = "0x" + "12" * 20
TERMS = typed(
    Domain(1, ADDRESS),
    "Terms",
    {
        "salt": "0x" + "01" * 32,
        "seller": "0x" + "02" * 20,
        "buyer": "0x" + "03" * 20,
        "arbiter": "0x" + "04" * 20,
        "backupArbiter": "0x" + "07" * 20,
        "token": "0x" + "05" * 20,
        "amount": 100,
        "fee": 5,
        "arbiterFee": 0,
        "feeTo": "0x" + "06" * 20,
        "payBy": 1_700_000_000,
        "resolveBy": 1_710_000_000,
        "sunset": 1_720_000_000,
        "sunsetBuyerBps": 5_000,
    },
)["message"]
SIGNATURE = "0x" + "ab" * 65
KEY_SIGNATURE = "0x" + "0b" * 32 + "1c" * 33


def decoded(data: str) -> tuple[str, dict[str, object]]:
    function, arguments = (
        Web3().eth.contract(abi=artefact("Escrow")["abi"]).decode_function_input(data)
    )
    return function.fn_name, arguments


def test_calldata_carries_the_terms_and_signatures() -> None:
    name, arguments = decoded(contract.mark_paid_call(TERMS, SIGNATURE))
    assert name == "markPaid"
    assert arguments["buyerSig"] == bytes.fromhex(SIGNATURE[2:])
    assert arguments["terms"]["amount"] == 100  # type: ignore[index]


def test_a_missing_signature_is_empty_in_a_settlement() -> None:
    decision = {"terms": TERMS, "toBuyer": "40", "payArbiter": False, "deadline": "1800000000"}
    name, arguments = decoded(contract.settle_call(TERMS, decision, SIGNATURE, None, SIGNATURE))
    assert name == "settle"
    assert arguments["buyerSig"] == b""
    assert arguments["decision"] == {"toBuyer": 40, "payArbiter": False, "deadline": 1_800_000_000}


def test_a_batch_carries_each_settlement_with_its_signatures() -> None:
    decision = {"terms": TERMS, "toBuyer": "40", "payArbiter": False, "deadline": "1800000000"}
    one = contract.Settlement(TERMS, decision, seller=SIGNATURE, arbiter=SIGNATURE)
    name, arguments = decoded(contract.settle_batch_call([one, one], skip=True))
    assert name == "settleBatch"
    first, second = arguments["settlements"]  # type: ignore[misc]
    assert first == second
    assert (first["buyerSig"], first["arbiterSig"]) == (b"", bytes.fromhex(SIGNATURE[2:]))
    assert arguments["skip"] is True


def full_release(number: int, pay_by: int = 1_700_000_000) -> contract.Settlement:
    later = pay_by - int(TERMS["payBy"])
    own = {"salt": "0x" + number.to_bytes(32, "big").hex(), "payBy": pay_by}
    times = {name: int(TERMS[name]) + later for name in ("resolveBy", "sunset")}
    terms = TERMS | own | times
    decision = {"toBuyer": "100", "payArbiter": False, "deadline": terms["sunset"]}
    return contract.Settlement(terms, decision, seller=KEY_SIGNATURE, buyer=KEY_SIGNATURE)


def test_full_releases_state_once_what_they_have_in_common() -> None:
    all_of_them = [full_release(1), full_release(2, 1_700_000_900)]
    name, arguments = decoded(contract.release_batch_call(all_of_them, skip=True))
    assert name == "releaseBatch"
    assert arguments["common"]["arbiter"] == Web3.to_checksum_address("0x" + "04" * 20)  # type: ignore[index]
    assert arguments["deadline"] == 1_720_000_000
    second = arguments["releases"][1]  # type: ignore[index]
    assert (second["amount"], second["payBy"]) == (100, 1_700_000_900)
    assert second["sellerR"] == bytes.fromhex("0b" * 32)
    assert second["buyerVs"] == bytes([0x80 | 0x1C]) + bytes.fromhex("1c" * 31)


@pytest.mark.parametrize(
    "other",
    [
        replace(full_release(2), buyer=None),
        replace(full_release(2), decision=full_release(2).decision | {"toBuyer": 99}),
        replace(full_release(2), decision=full_release(2).decision | {"payArbiter": True}),
        replace(full_release(2), decision=full_release(2).decision | {"deadline": 1_720_000_001}),
        replace(full_release(2), terms=full_release(2).terms | {"arbiter": ADDRESS}),
        replace(full_release(2), terms=full_release(2).terms | {"payBy": 1_700_000_001}),
    ],
)
def test_what_differs_in_more_goes_in_no_batch_of_releases(other: contract.Settlement) -> None:
    assert contract.share_release([full_release(1), full_release(2)])
    assert not contract.share_release([full_release(1), other])
    with pytest.raises(ValueError, match="no full releases"):
        contract.release_batch_call([full_release(1), other], skip=True)
    assert not contract.share_release([])


def test_a_release_needs_signatures_of_keys() -> None:
    odd = replace(full_release(1), seller=SIGNATURE)
    with pytest.raises(ValueError, match="no signature of r, low s"):
        contract.release_batch_call([odd], skip=False)


def test_the_split_at_the_sunset_needs_no_signature() -> None:
    name, arguments = decoded(contract.sunset_call(TERMS))
    assert name == "splitAtSunset"
    assert list(arguments) == ["terms"]


@pytest.mark.parametrize(
    ("event", "signature"),
    [
        ("Settled", "Settled(bytes32,uint128,uint128,uint128)"),
        ("Cancelled", "Cancelled(bytes32)"),
        (
            "Opened",
            "Opened(bytes32,address,address,bytes32,(bytes32,address,address,address,address,address,"
            "uint128,uint128,uint128,address,uint40,uint40,uint40,uint16))",
        ),
    ],
)
def test_event_topics(event: str, signature: str) -> None:
    assert contract.event_topic(event) == Web3.to_hex(Web3.keccak(text=signature))


def test_a_revert_is_named_with_its_arguments() -> None:
    data = Web3.keccak(text="OutsideAuthority(string)")[:4] + Web3().codec.encode(
        ["string"], ["maxTotal"]
    )
    error = ContractCustomError("reverted", data=Web3.to_hex(data))
    assert revert_name(error) == "OutsideAuthority(maxTotal)"


def test_an_unknown_revert_keeps_its_message() -> None:
    assert revert_name(ContractLogicError("execution reverted")) == "execution reverted"


def test_each_owner_has_a_vault_of_their_own() -> None:
    vaults = {vault_address(ADDRESS, "0x" + f"{owner:040x}") for owner in range(1, 50)}
    assert len(vaults) == 49
