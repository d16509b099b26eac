"""Putting the escrow on a real chain, and taking one into use that is there already."""

import time
from collections.abc import Callable
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.conversions import to_hex
from eth_utils.crypto import keccak
from sqlalchemy import select
from sqlalchemy.orm import Session
from web3 import Web3

from portal.core.addresses import public_part
from portal.core.db import Database
from portal.core.errors import Conflict, InvalidInput, Unavailable
from portal.core.settings import Settings
from portal.escrow.chain.agreed import nonce_of
from portal.escrow.chain.attempts import lock_nonces
from portal.escrow.chain.client import ChainClient, chain_client
from portal.escrow.chain.intents import SENT, SIGNED
from portal.escrow.contracts import artefact, created_address
from portal.escrow.deployed_code import code_at, escrow_code_problems
from portal.escrow.deployment import Deployment, find_deployment, save_deployment
from portal.escrow.models import ChainIntent
from portal.escrow.signers.chosen import arbiter, relayer
from portal.escrow.signers.signer import Signer
from portal.markets.models import AssetRow
from portal.trades.models import Trade

MINING_SECONDS = 900.0
_POLL_SECONDS = 0.25
Say = Callable[[str], None]


def deploy(settings: Settings, database: Database, tokens: dict[str, str], say: Say) -> Deployment:
    """Put a new escrow on the chain of the settings, check it, and take it into use.

    `tokens` maps asset codes to token addresses. Raises a PortalError, before any gas is spent
    where that is possible; `say` is told the address before the transaction leaves, so that
    whatever is killed then, `portal escrow record` goes on from there.
    """
    client, signer = _right_chain(settings), relayer(settings)
    with database.transaction() as session:
        tokens = _checked_tokens(session, client, tokens)
        _refuse_while_trades_are_open(session)
        _lock_nonces(session, client.chain_id, signer.address)
        raw, escrow = _creation(client, signer)
        say(f"Making escrow {escrow} in transaction {to_hex(keccak(raw))} …")
        client.broadcast(to_hex(raw))
        block = _mined(client, to_hex(keccak(raw)), settings.chain_confirmations)
        deployment = Deployment(client.chain_id, escrow, tokens, block)
        _check_code(client, deployment, signer.address)
        save_deployment(session, deployment)
    return deployment


def record_deployed(
    settings: Settings, database: Database, escrow: str, block: int, tokens: dict[str, str]
) -> Deployment:
    """Take an escrow into use that is on chain already; `block` is not after the one it was made
    in. Raises a PortalError when it is not the packaged contract with our relayer as co-signer.
    """
    client, signer = _right_chain(settings), relayer(settings)
    with database.transaction() as session:
        checked = _checked_tokens(session, client, tokens)
        deployment = Deployment(client.chain_id, _address(escrow, "address"), checked, block)
        known = find_deployment(session)
        if known is None or known.escrow != deployment.escrow:
            _refuse_while_trades_are_open(session)
        _check_code(client, deployment, signer.address)
        save_deployment(session, deployment)
    return deployment


def deployment_problems(settings: Settings, deployment: Deployment) -> list[str]:
    """What is wrong with the contracts in use, for `portal doctor`."""
    client = _right_chain(settings)
    if deployment.chain_id != client.chain_id:
        return [f"the contracts are on chain {deployment.chain_id}, not on {client.chain_id}"]
    problems = escrow_code_problems(client, deployment.escrow, relayer(settings).address)
    return problems + [
        f"there is no contract at {address}, the token of {asset}"
        for asset, address in deployment.tokens.items()
        if not code_at(client, address)
    ]


def _right_chain(settings: Settings) -> ChainClient:
    """A client whose every node serves CHAIN_ID; refuses one key in both roles."""
    for url in settings.rpc_urls:
        found = ChainClient([url]).chain_id
        if found != settings.chain_id:
            raise Conflict(
                f"{public_part(url)} serves chain {found}, but CHAIN_ID is {settings.chain_id}.",
                field="CHAIN_ID",
            )
    if relayer(settings).address == arbiter(settings).address:
        raise Conflict(
            f"Relayer and arbiter are both {relayer(settings).address}: use two keys.",
            field="ARBITER",
        )
    return chain_client(settings)


def _checked_tokens(
    session: Session, client: ChainClient, tokens: dict[str, str]
) -> dict[str, str]:
    """The tokens with checksummed addresses; refuses one that is not there or counts otherwise."""
    checked = {asset: _address(given, "token") for asset, given in tokens.items()}
    for asset, address in checked.items():
        if not code_at(client, address):
            raise InvalidInput(
                f"There is no contract at {address}, the token of {asset}.", field="token"
            )
        row, decimals = session.get(AssetRow, asset), _decimals(client, address)
        if row is not None and row.places != decimals:
            raise InvalidInput(
                f"The token of {asset} has {decimals} decimals, the ledger {row.places} places.",
                field="token",
                value=address,
            )
    return checked


def _decimals(client: ChainClient, token: str) -> int:
    return int(client.read("TestUSDT", token, "decimals"))


def _address(given: str, field: str) -> str:
    if not Web3.is_address(given):
        raise InvalidInput(f"{field} must be 0x and 40 digits.", field=field, value=given)
    return str(to_checksum_address(given))


def _refuse_while_trades_are_open(session: Session) -> None:
    """Another escrow would leave the coins of open trades behind."""
    query = select(Trade.id).where(Trade.escrow == "evm", ~Trade.closed).limit(1)
    if find_deployment(session) is not None and (found := session.scalar(query)) is not None:
        raise Conflict(
            f"Trade {found} still uses the present escrow.",
            hint="Close the markets on chain and let every trade end first.",
        )


def _lock_nonces(session: Session, chain_id: int, sender: str) -> None:
    """Keep the scheduler from allotting nonces meanwhile: the lock is the intents' own."""
    lock_nonces(session, chain_id, sender)
    going = select(ChainIntent.id).where(ChainIntent.status.in_((SIGNED, SENT)))
    if (found := session.scalar(going.limit(1))) is not None:
        raise Conflict(f"Transaction {found} is still under way.", hint="Wait until it has ended.")


def _creation(client: ChainClient, signer: Signer) -> tuple[bytes, str]:
    """The signed transaction that makes an escrow, and the escrow's address."""
    built = artefact("Escrow")
    factory = Web3().eth.contract(abi=built["abi"], bytecode=built["bytecode"])
    data = str(factory.constructor(signer.address).data_in_transaction)
    nonce = nonce_of(client, signer.address)
    signed = signer.sign_transaction({**priced(client, signer.address, data), "nonce": nonce})
    return signed.raw_transaction, created_address(signer.address, nonce)


def priced(client: ChainClient, sender: str, data: str, to: str | None = None) -> dict[str, Any]:
    """A transaction without nonce, with gas and fees for the next blocks; without `to` it makes a
    contract. Raises Reverted or Unavailable with the node's reason where it would fail.
    """
    target = {} if to is None else {"to": to}
    call = {"from": sender, "data": data, **target}
    gas = int(client.call("eth_estimateGas", call), 16)
    base = int(client.call("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
    tip = int(client.call("eth_maxPriorityFeePerGas"), 16)
    return {
        **target,
        "type": 2,
        "chainId": client.chain_id,
        "data": data,
        "value": 0,
        "gas": gas * 6 // 5,
        "maxFeePerGas": 2 * base + tip,
        "maxPriorityFeePerGas": tip,
    }


def _mined(client: ChainClient, tx_hash: str, confirmations: int) -> int:
    """The block of a transaction once it is that deep."""
    deadline = time.monotonic() + MINING_SECONDS
    while time.monotonic() < deadline:
        receipt = client.receipt(tx_hash)
        if receipt is not None and not receipt.ok:
            raise Conflict(f"Transaction {tx_hash} was mined but failed: no escrow was made.")
        if receipt and client.block_number() - receipt.block_number + 1 >= confirmations:
            return receipt.block_number
        time.sleep(_POLL_SECONDS)
    raise Unavailable(
        f"Transaction {tx_hash} is not {confirmations} blocks deep after {MINING_SECONDS:.0f} s.",
        hint="When it is, take the escrow into use with `portal escrow record`.",
    )


def _check_code(client: ChainClient, deployment: Deployment, co_signer: str) -> None:
    problems = escrow_code_problems(client, deployment.escrow, co_signer)
    if problems:
        raise Conflict(
            f"{deployment.escrow} is not the packaged escrow: {'; '.join(problems)}.",
            field="address",
        )
