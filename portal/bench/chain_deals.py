"""Trades for `portal bench chain`: terms, signatures and calldata, made before the clock starts."""

from dataclasses import dataclass
from typing import Any

from web3 import Web3

from portal.core.settings import Settings
from portal.escrow import contract, typed_data
from portal.escrow.chain.client import encode_call
from portal.escrow.contracts import artefact
from portal.escrow.deployment import Deployment, fee_address
from portal.escrow.rules import salt
from portal.escrow.signers.chosen import arbiter, relayer
from portal.escrow.signers.local import LocalSigner
from portal.escrow.typed_data import Domain, TypedData

BUYERS = 20
UNITS, FEE = 100_000_000, 500_000
_HOUR = 3_600
_MOST = 2**120
_BATCH = "settleBatch"


@dataclass(frozen=True)
class Deal:
    """One trade: its terms, and calldata that opens it and pays it out."""

    number: int
    terms: dict[str, Any]
    open: str
    settle: str

    @property
    def escrow_id(self) -> str:
        """The contract's trade id."""
        return contract.escrow_id(self.terms)


class Desk:
    """A seller with one signed order and a few buyers who come again and again."""

    def __init__(self, settings: Settings, deployment: Deployment, now: int) -> None:
        self.seller = LocalSigner((1).to_bytes(31, "big") + b"\x51")
        self.buyers = [LocalSigner(bytes(30) + b"\x52" + bytes([n + 1])) for n in range(BUYERS)]
        self._domain, self._now = deployment.domain, now
        shared = {
            "arbiter": arbiter(settings).address,
            "backupArbiter": arbiter(settings).address,
            "token": deployment.token("USDT"),
            "feeTo": fee_address(settings),
            "sunsetBuyerBps": 5_000,
        }
        order = {
            "owner": self.seller.address,
            "maxTotal": _MOST,
            "minPerTrade": 1,
            "maxPerTrade": _MOST,
            "maxFeeBps": 500,
            "maxArbiterFeeBps": 0,
            "opener": relayer(settings).address,
            "payWindow": 48 * _HOUR,
            "resolveWindow": 30 * 24 * _HOUR,
            "sunsetWindow": 90 * 24 * _HOUR,
            "deadline": now + 48 * _HOUR,
            "nonce": 1,
        }
        self._shared = shared
        data = typed_data.order_authority(self._domain, order | shared)
        self._authority, self._signature = data["message"], self.seller.sign_typed(data)

    @staticmethod
    def signed_sample() -> tuple[TypedData, str, str]:
        """A decision as it is checked when a party hands it in: data, signature, signer."""
        signer = LocalSigner(bytes(31) + b"\x53")
        zero = "0x" + "11" * 20
        terms = _terms(1, signer.address, zero, 0, {"arbiter": zero, "token": zero, "feeTo": zero})
        data = _decision(Domain(1, zero), terms)
        return data, signer.sign_typed(data), signer.address

    def deals(self, count: int) -> list[Deal]:
        """New trades, signed by both sides."""
        return [self._deal(number) for number in range(1, count + 1)]

    def _deal(self, number: int) -> Deal:
        buyer = self.buyers[number % BUYERS]
        terms = _terms(number, self.seller.address, buyer.address, self._now, self._shared)
        terms = typed_data.typed(self._domain, "Terms", terms)["message"]
        data = _decision(self._domain, terms)
        signatures = (self.seller.sign_typed(data), buyer.sign_typed(data), None)
        return Deal(
            number,
            terms,
            contract.open_call(terms, self._authority, self._signature),
            contract.settle_call(terms, data["message"], *signatures),
        )


def has_batches() -> bool:
    """Whether the packaged contract pays out many trades in one transaction."""
    return any(entry.get("name") == _BATCH for entry in artefact("Escrow")["abi"])


def settle_batches(deals: list[Deal], size: int) -> list[tuple[str, int]]:
    """Calldata for batches of `size`, and how many trades each pays out."""
    groups = [deals[start : start + size] for start in range(0, len(deals), size)]
    return [(_batch(group), len(group)) for group in groups]


def _batch(deals: list[Deal]) -> str:
    interface = Web3().eth.contract(abi=artefact("Escrow")["abi"])
    calls = [interface.decode_function_input(deal.settle)[1] for deal in deals]
    return encode_call("Escrow", _BATCH, [[tuple(call.values()) for call in calls], False])


def _terms(
    number: int, seller: str, buyer: str, now: int, shared: dict[str, Any]
) -> dict[str, Any]:
    pay_by = now + 24 * _HOUR
    return {
        "backupArbiter": shared["arbiter"],
        "sunsetBuyerBps": 5_000,
        **shared,
        "salt": salt(number),
        "seller": seller,
        "buyer": buyer,
        "amount": UNITS,
        "fee": FEE,
        "arbiterFee": 0,
        "payBy": pay_by,
        "resolveBy": pay_by + 30 * 24 * _HOUR,
        "sunset": pay_by + 90 * 24 * _HOUR,
    }


def _decision(domain: Domain, terms: dict[str, Any]) -> TypedData:
    """Everything to the buyer; fields that the contract has not got are left out."""
    message = {
        "tradeId": contract.escrow_id(terms),
        "terms": terms,
        "toBuyer": UNITS,
        "payArbiter": False,
        "deadline": int(terms["payBy"]) + 24 * _HOUR,
    }
    return typed_data.typed(domain, "Settle", message)
