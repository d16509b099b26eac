"""The demo's contracts and coins, on a development chain only."""

import secrets

from eth_utils.address import to_checksum_address
from sqlalchemy import select
from web3 import Web3

from portal.core.db import Database
from portal.core.errors import Forbidden
from portal.core.settings import DEV_CHAIN_ID, Settings
from portal.escrow.chain.client import ChainClient, chain_client, encode_call
from portal.escrow.chain.intents import queue_intent
from portal.escrow.chain.relayer import Policy, Relayer
from portal.escrow.chain.runner import IntentRunner
from portal.escrow.contracts import artefact
from portal.escrow.deployment import Deployment, find_deployment, save_deployment
from portal.escrow.models import ChainIntent
from portal.escrow.signers.chosen import relayer

# Third account of every anvil and hardhat node: the node signs for it, on development chains only.
DEV_DEPLOYER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


def deploy_demo(settings: Settings) -> Deployment:
    """Put escrow and a test USDT on a development chain; the caller saves what it returns.

    Raises Forbidden on any other chain or outside the demo.
    """
    client = _development_chain(settings)
    co_signer = relayer(settings).address
    escrow, block = _create(client, "Escrow", [co_signer])
    token, _ = _create(client, "TestUSDT", [])
    return Deployment(client.chain_id, escrow, {"USDT": token}, block)


def ensure_demo_deployment(settings: Settings, database: Database) -> Deployment:
    """The recorded contracts if the chain has them, else newly deployed and recorded ones."""
    with database.reader() as session:
        known = find_deployment(session)
    client = _development_chain(settings)
    if known and known.chain_id == client.chain_id and client.has_code(known.escrow):
        return known
    deployment = deploy_demo(settings)
    with database.transaction() as session:
        save_deployment(session, deployment)
    return deployment


def mint_demo_coins(
    settings: Settings, database: Database, deployment: Deployment, to: str, units: int
) -> str | None:
    """Have test USDT minted to an address; returns the transaction hash once it is sent.

    It goes the way of every transaction of ours, so a chain that lost it gets it again.
    """
    client = _development_chain(settings)
    data = encode_call("TestUSDT", "mint", [to_checksum_address(to), units])
    key = f"mint:{secrets.token_hex(12)}"
    with database.transaction() as session:
        queue_intent(session, key=key, kind="mint", to=deployment.token("USDT"), data=data)
        intent_id = session.scalars(select(ChainIntent.id).where(ChainIntent.key == key)).one()
    sending = Relayer(
        database,
        client,
        relayer(settings),
        deployment.chain_id,
        Policy.of(settings),
        lambda *_: None,
        lambda *_: None,
    )
    runner = IntentRunner(sending)
    runner.sign(intent_id)
    runner.send(intent_id)
    with database.reader() as session:
        return session.get_one(ChainIntent, intent_id).tx_hash


def _development_chain(settings: Settings) -> ChainClient:
    client = chain_client(settings)
    if not settings.is_demo or client.chain_id != DEV_CHAIN_ID:
        raise Forbidden("Test coins and demo contracts exist on the development chain only.")
    return client


def _create(client: ChainClient, name: str, arguments: list[str]) -> tuple[str, int]:
    built = artefact(name)
    factory = Web3().eth.contract(abi=built["abi"], bytecode=built["bytecode"])
    data = factory.constructor(*arguments).data_in_transaction
    receipt = client.send_unlocked(DEV_DEPLOYER, None, str(data))
    return to_checksum_address(receipt["contractAddress"]), int(receipt["blockNumber"])
