"""What the scheduler writes down about the endpoints, for people to look at."""

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from portal.core.clock import utc_now
from portal.core.db import Database
from portal.escrow.chain.blocks import ChainEndpoint
from portal.escrow.chain.client import ChainClient
from portal.escrow.chain.endpoint import Endpoint


def note_endpoints(database: Database, client: ChainClient) -> int:
    """Ask every endpoint for its height and keep what is known of it; how many are well."""
    client.pool.probe()
    endpoints = client.pool.endpoints
    with database.transaction() as session:
        session.execute(delete(ChainEndpoint).where(ChainEndpoint.position >= len(endpoints)))
        for position, endpoint in enumerate(endpoints):
            values = _values(endpoint)
            statement = insert(ChainEndpoint).values(position=position, **values)
            session.execute(
                statement.on_conflict_do_update(index_elements=["position"], set_=values)
            )
    return sum(endpoint.state == "ok" for endpoint in endpoints)


def _values(endpoint: Endpoint) -> dict[str, object]:
    health = endpoint.health
    return {
        "name": endpoint.name,
        "state": str(endpoint.state),
        "height": health.height,
        "latency_ms": health.latency_ms,
        "errors": health.errors,
        "disagreements": health.disagreements,
        "last_error": health.last_error,
        "at": utc_now(),
    }
