"""Which contracts the portal uses on its chain, and putting the demo's there."""

from dataclasses import dataclass

from eth_utils.address import to_checksum_address
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from web3 import Web3

from portal.core.db import Database
from portal.core.errors import Forbidden, NotFound, Unavailable
from portal.core.settings import DEV_CHAIN_ID, Settings
from portal.escrow.chain import ChainClient, account, encode_call
from portal.escrow.contracts import artefact, vault_address
from portal.escrow.models import ChainCursor, ChainDeployment
from portal.escrow.typed_data import Domain

ESCROW = "escrow"
TOKEN_PREFIX = "token:"  # noqa: S105
# Third account of every anvil and hardhat node: the node signs for it, on development chains only.
DEV_DEPLOYER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


@dataclass(frozen=True)
class Deployment:
    """The contracts in use. `tokens` maps an asset code to its token; `block` is the escrow's."""

    chain_id: int
    escrow: str
    tokens: dict[str, str]
    block: int

    @property
    def domain(self) -> Domain:
        """What signatures for this escrow are bound to."""
        return Domain(self.chain_id, self.escrow)

    def token(self, asset: str) -> str:
        """Token address of an asset. Raises NotFound when it has none here."""
        if asset not in self.tokens:
            raise NotFound(
                f"{asset} has no token contract on chain {self.chain_id}.", field="asset"
            )
        return self.tokens[asset]

    def vault(self, owner: str) -> str:
        """Vault address of a wallet address."""
        return vault_address(self.escrow, owner)

    def rows(self) -> list[ChainDeployment]:
        """As the table `chain_deployment` keeps it."""
        named = {ESCROW: self.escrow} | {
            TOKEN_PREFIX + asset: address for asset, address in self.tokens.items()
        }
        return [
            ChainDeployment(
                chain_id=self.chain_id, name=name, address=address, block_number=self.block
            )
            for name, address in named.items()
        ]


def find_deployment(session: Session) -> Deployment | None:
    """The contracts in use, or None before any were recorded."""
    rows = session.scalars(select(ChainDeployment)).all()
    escrow = next((row for row in rows if row.name == ESCROW), None)
    if escrow is None:
        return None
    tokens = {
        row.name.removeprefix(TOKEN_PREFIX): row.address
        for row in rows
        if row.name.startswith(TOKEN_PREFIX) and row.chain_id == escrow.chain_id
    }
    return Deployment(escrow.chain_id, escrow.address, tokens, escrow.block_number)


def load_deployment(session: Session) -> Deployment:
    """The contracts in use. Raises Unavailable before any were recorded."""
    deployment = find_deployment(session)
    if deployment is None:
        raise Unavailable(
            "No escrow contract is known.",
            hint="Deploy the contracts and record their addresses; the demo does it by itself.",
        )
    return deployment


def save_deployment(session: Session, deployment: Deployment) -> None:
    """Record the contracts in use. Cursors of an earlier chain are forgotten."""
    session.execute(delete(ChainDeployment))
    session.execute(delete(ChainCursor))
    session.add_all(deployment.rows())


def deploy_demo(settings: Settings) -> Deployment:
    """Put escrow and a test USDT on a development chain; the caller saves what it returns.

    Raises Forbidden on any other chain or outside the demo.
    """
    client = _development_chain(settings)
    co_signer = account(settings.relayer_key.get_secret_value()).address
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


def mint_demo_coins(settings: Settings, deployment: Deployment, to: str, units: int) -> str:
    """Mint test USDT to an address and wait until it is mined; returns the transaction hash."""
    client = _development_chain(settings)
    token = deployment.token("USDT")
    data = encode_call("TestUSDT", "mint", [to_checksum_address(to), units])
    return str(client.send_unlocked(DEV_DEPLOYER, token, data)["hash"])


def fee_address(settings: Settings) -> str:
    """Where the platform's fees are paid on chain: FEE_ADDRESS, or the relayer's own address."""
    configured = settings.fee_address
    return configured or str(account(settings.relayer_key.get_secret_value()).address)


def _development_chain(settings: Settings) -> ChainClient:
    client = ChainClient(settings.rpc_urls)
    if not settings.is_demo or client.chain_id != DEV_CHAIN_ID:
        raise Forbidden("Test coins and demo contracts exist on the development chain only.")
    return client


def _create(client: ChainClient, name: str, arguments: list[str]) -> tuple[str, int]:
    built = artefact(name)
    factory = Web3().eth.contract(abi=built["abi"], bytecode=built["bytecode"])
    data = factory.constructor(*arguments).data_in_transaction
    receipt = client.send_unlocked(DEV_DEPLOYER, None, str(data))
    return to_checksum_address(receipt["contractAddress"]), int(receipt["blockNumber"])
