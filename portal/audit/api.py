"""HTTP: the audit log's checkpoints, for whoever wants to see that it only grows."""

from typing import Annotated

from flask import Blueprint
from pydantic import Field

from portal.api.context import services
from portal.api.operation import operation
from portal.api.shapes import Answer, Query
from portal.audit import proofs
from portal.audit.checkpoints import newest_checkpoint, signing
from portal.core.errors import NotFound
from portal.core.units import MAX_UNITS

blueprint = Blueprint("audit_api", __name__)


class CheckpointAnswer(Answer):
    """The newest signed checkpoint (C2SP tlog-checkpoint), and the key that it is checked with."""

    checkpoint: str
    key: str


class GrowthQuery(Query):
    """`since`: the size of a checkpoint that was kept."""

    since: Annotated[int, Field(ge=0, le=MAX_UNITS)]


class GrowthAnswer(Answer):
    """What proves that the log of `since` entries is the beginning of the checkpoint's.

    `path` has the hashes of RFC 9162, 2.1.4, in base64.
    """

    since: int
    path: list[str]
    checkpoint: str


@operation(
    blueprint, "GET", "/audit/checkpoint", answer=CheckpointAnswer, access="open", fails=(404,)
)
def read_checkpoint() -> CheckpointAnswer:
    """The newest checkpoint of the audit log."""
    with services().database.reader() as session:
        newest = newest_checkpoint(session)
    if newest is None:
        raise NotFound("There is no checkpoint yet.", hint="One is made every minute.")
    return CheckpointAnswer(checkpoint=newest.note, key=str(signing(services().settings).verifier))


@operation(
    blueprint,
    "GET",
    "/audit/consistency",
    answer=GrowthAnswer,
    access="open",
    query=GrowthQuery,
    fails=(404, 422),
)
def read_consistency(query: GrowthQuery) -> GrowthAnswer:
    """Proof that the log has only grown since a checkpoint that I kept."""
    with services().database.reader() as session:
        path, newest = proofs.consistency(session, query.since)
    return GrowthAnswer(since=query.since, path=path, checkpoint=newest.note)
