"""Which contracts the portal uses on its chain."""

from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from portal.core.errors import NotFound, Unavailable
from portal.core.settings import Settings
from portal.escrow.chain.client import account
from portal.escrow.contracts import vault_address
from portal.escrow.models import ChainCursor, ChainDeployment
from portal.escrow.typed_data import Domain

ESCROW = "escrow"
TOKEN_PREFIX = "token:"  # noqa: S105


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


def fee_address(settings: Settings) -> str:
    """Where the platform's fees are paid on chain: FEE_ADDRESS, or the relayer's own address."""
    configured = settings.fee_address
    return configured or str(account(settings.relayer_key.get_secret_value()).address)


def arbiters(settings: Settings) -> dict[str, str]:
    """Who decides on chain: our key, and after the resolve date BACKUP_ARBITER or still our key."""
    ours = str(account(settings.arbiter_key.get_secret_value()).address)
    return {"arbiter": ours, "backupArbiter": settings.backup_arbiter_address or ours}
