"""Reading assets: what a code means and how many places its ledger unit has."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.errors import NotFound
from portal.core.money import Asset
from portal.markets.models import AssetRow


def asset(session: Session, code: str) -> Asset:
    """An asset by its code. Raises NotFound."""
    row = session.get(AssetRow, code)
    if row is None:
        raise NotFound(f"There is no asset {code}.", field="asset", value=code)
    return Asset(row.code, row.places)


def assets(session: Session) -> dict[str, Asset]:
    """Every asset of the portal by its code."""
    return {row.code: Asset(row.code, row.places) for row in session.scalars(select(AssetRow))}
