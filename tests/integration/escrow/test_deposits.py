"""Coins in the vaults are booked once, whoever sends them and whenever the vault became known."""

from typing import Any

import pytest
from sqlalchemy import select

from portal.core.errors import Conflict, InvalidInput, Unavailable
from portal.escrow import authorities, contract, jobs, typed_data
from portal.escrow.chain.client import ChainClient, encode_call
from portal.escrow.chain.deposits import scan_vaults
from portal.escrow.contracts import vault_address, vault_implementation
from portal.escrow.demo import DEV_DEPLOYER, ensure_demo_deployment, mint_demo_coins
from portal.escrow.models import ChainCursor
from portal.ledger.models import Account
from portal.markets.models import Market
from portal.orders.models import Order
from portal.users.models import User
from tests.factories.engine import USDT, place_order
from tests.integration.escrow.world import DEAD, FUNDED, QUANTITY, Person, World

pytestmark = [pytest.mark.postgres, pytest.mark.chain]


def available(world: World, person: Person) -> int:
    """What the ledger says the person has."""
    with world.database.reader() as session:
        query = select(Account.balance).where(
            Account.owner_id == person.id, Account.kind == "available"
        )
        return session.scalar(query) or 0


def test_python_and_contract_agree_on_every_vault_address(world: World) -> None:
    escrow = world.deployment.escrow
    on_chain = world.client.read("Escrow", escrow, "vaultImplementation")
    assert vault_implementation(escrow) == on_chain
    for person in (world.alice, world.bob, Person("carol")):
        owner = person.account.address
        assert vault_address(escrow, owner) == world.client.read("Escrow", escrow, "vaultOf", owner)


def test_a_deployed_vault_is_at_that_address(world: World) -> None:
    data = encode_call("Escrow", "deployVault", [world.bob.account.address])
    world.client.send_unlocked(DEV_DEPLOYER, world.deployment.escrow, data)
    assert world.client.has_code(world.vault(world.bob))
    owner = world.client.read("Vault", world.vault(world.bob), "owner")
    assert owner == world.bob.account.address


def test_a_deposit_is_counted_once(world: World) -> None:
    for _ in range(3):
        jobs.scan_deposits(world.context)
    assert available(world, world.alice) == FUNDED


def test_a_scan_that_starts_over_counts_nothing_twice(world: World) -> None:
    with world.database.transaction() as session:
        for cursor in session.scalars(select(ChainCursor)):
            session.delete(cursor)
    jobs.scan_deposits(world.context)
    assert available(world, world.alice) == FUNDED


def test_coins_sent_before_the_wallet_was_known_are_found(world: World) -> None:
    carol = Person("carol")
    world.fund(carol, 7 * USDT)
    world.fund(world.bob, 1 * USDT)
    world.join(carol)
    jobs.scan_deposits(world.context)
    jobs.scan_deposits(world.context)
    assert available(world, carol) == 7 * USDT
    assert available(world, world.bob) == 1 * USDT


def test_coins_that_leave_a_vault_are_booked_as_withdrawn(world: World) -> None:
    world.burn(world.alice, 20 * USDT)
    jobs.scan_deposits(world.context)
    jobs.scan_deposits(world.context)
    assert available(world, world.alice) == FUNDED - 20 * USDT
    assert world.differences() == []


def test_coins_that_leave_from_under_an_order_close_it(world: World) -> None:
    old = world.engine.submit(place_order(owner=world.alice.id, quantity=100 * USDT))
    new = world.engine.submit(place_order(owner=world.alice.id, quantity=300 * USDT))
    world.burn(world.alice, 200 * USDT)
    jobs.scan_deposits(world.context)
    with world.database.reader() as session:
        assert session.get_one(Order, old["order_id"]).status == "open"
        closed = session.get_one(Order, new["order_id"])
        assert (closed.status, closed.reason) == ("cancelled", "Its coins have left.")
    assert world.differences() == []


def test_coins_that_leave_from_under_a_trade_are_booked_when_it_ends(world: World) -> None:
    """Held by a trade they can't be booked at once, and must not be forgotten."""
    trade_id = world.match()
    world.burn(world.alice, FUNDED)
    jobs.scan_deposits(world.context)
    jobs.scan_deposits(world.context)
    assert available(world, world.alice) == FUNDED - QUANTITY - QUANTITY // 100
    assert len(world.differences()) == 1
    world.work()
    assert world.trade(trade_id).state == "cancelled"
    world.work()
    assert available(world, world.alice) == 0
    assert world.differences() == []


def test_coins_moved_through_a_trade_of_their_own_are_booked(world: World) -> None:
    """Alice and Bob use the contract past the portal: no delay, no co-signature."""
    terms, authority = own_trade(world, 200 * USDT)
    world.send_as(world.alice, contract.open_call(terms, authority, ""))
    jobs.scan_deposits(world.context)
    assert available(world, world.alice) == FUNDED - 200 * USDT
    signed = typed_data.settle(world.deployment.domain, terms, 150 * USDT, 2**39)
    bobs, decision = world.bob.sign(signed), signed["message"]
    world.send_as(world.alice, contract.settle_call(terms, decision, None, bobs, None))
    jobs.scan_deposits(world.context)
    assert available(world, world.alice) == FUNDED - 150 * USDT
    assert available(world, world.bob) == 150 * USDT
    assert world.differences() == []


def own_trade(world: World, units: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Terms that the portal knows nothing of, with an authority that Alice need not sign."""
    alice, bob = world.alice.account.address, world.bob.account.address
    shared = {"token": world.deployment.token("USDT"), "arbiter": DEAD, "feeTo": DEAD}
    shared |= {"backupArbiter": DEAD, "sunsetBuyerBps": 5_000}
    terms = {"salt": "0x" + "07" * 32, "seller": alice, "buyer": bob, "amount": units, "fee": 0}
    limits = {"maxTotal": units, "minPerTrade": 0, "maxPerTrade": units, "nonce": 1}
    limits |= {"maxFeeBps": 0, "maxArbiterFeeBps": 0}
    opener = "0x0000000000000000000000000000000000000000"
    soon = world.client.timestamp() + 600
    times = {"payBy": soon, "resolveBy": soon + 100, "sunset": soon + 200, "arbiterFee": 0}
    windows = {"payWindow": 900, "resolveWindow": 100, "sunsetWindow": 200, "deadline": soon}
    authority = {"owner": alice, "opener": opener, **windows, **limits}
    return {**terms, **shared, **times}, {**authority, **shared}


def test_more_coins_than_can_be_counted_block_nobody_elses(world: World) -> None:
    """Whoever can mint a worthless coin without limit must not stop the scan for everybody."""
    token = world.deployment.token("USDT")
    for units in (2**64 + 1, 2**63 - 1, 2**63 - 1):
        data = encode_call("TestUSDT", "mint", [world.vault(world.bob), units])
        world.send_as(world.bob, data, to=token)
    world.fund(world.alice, 5 * USDT)
    assert available(world, world.alice) == FUNDED + 5 * USDT


def test_a_node_that_lags_makes_no_vault_lose_a_deposit(world: World) -> None:
    class Lagging(ChainClient):
        def block_number(self) -> int:
            return super().block_number() - 3

    carol = Person("carol")
    mint_demo_coins(world.settings, world.database, world.deployment, world.vault(carol), 7 * USDT)
    world.fund(world.bob, 1 * USDT)
    world.join(carol)
    scan_vaults(world.context, Lagging(world.settings.rpc_urls))
    jobs.scan_deposits(world.context)
    assert available(world, carol) == 7 * USDT


def test_a_node_without_the_blocks_does_not_answer_for_them(world: World) -> None:
    with pytest.raises(Unavailable, match="has not got block"):
        world.client.logs(world.deployment.escrow, [], 0, world.client.block_number() + 5)


def test_the_demo_deploys_once(world: World) -> None:
    assert ensure_demo_deployment(world.settings, world.database) == world.deployment


def test_minting_answers_with_the_transaction(world: World) -> None:
    hash_ = mint_demo_coins(
        world.settings, world.database, world.deployment, world.vault(world.bob), 5 * USDT
    )
    assert world.client.receipt(str(hash_)) is not None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("maxTotal", QUANTITY),
        ("maxPerTrade", 1),
        ("maxFeeBps", 0),
        ("payWindow", 60),
        ("opener", DEV_DEPLOYER),
        ("arbiter", DEV_DEPLOYER),
        ("feeTo", DEV_DEPLOYER),
        ("token", DEV_DEPLOYER),
        ("owner", DEV_DEPLOYER),
        ("deadline", 1_700_000_000),
        ("nonce", -1),
        ("maxTotal", 2**128),
        ("maxTotal", "1e9"),
        ("owner", "0x12"),
    ],
)
def test_an_authority_that_does_not_cover_the_order_is_refused(
    world: World, field: str, value: object
) -> None:
    order = {"quantity": QUANTITY, "max_trade": None, "max_fee_bps": 100}
    with world.database.transaction() as session:
        market = session.get_one(Market, "USDT-EUR")
        owner, settings = world.alice.id, world.settings
        asked = authorities.authority_request(session, settings, owner, market, **order)
        changed = {**asked["message"], field: value}
        with pytest.raises(InvalidInput) as caught:
            authorities.store_authority(
                session, settings, owner, market, message=changed, signature="0x", **order
            )
    assert caught.value.field == f"authority.message.{field}"


def test_an_authority_by_another_key_is_refused(world: World) -> None:
    order = {"quantity": QUANTITY, "max_trade": None, "max_fee_bps": 100}
    with world.database.transaction() as session:
        market = session.get_one(Market, "USDT-EUR")
        owner, settings = world.alice.id, world.settings
        asked = authorities.authority_request(session, settings, owner, market, **order)
        signature = world.bob.sign(asked)
        with pytest.raises(InvalidInput) as caught:
            authorities.store_authority(
                session,
                settings,
                owner,
                market,
                message=asked["message"],
                signature=signature,
                **order,
            )
    assert caught.value.field == "authority.signature"


def test_a_seller_without_a_wallet_is_told_so(world: World) -> None:
    with world.database.transaction() as session:
        session.get_one(User, world.alice.id).wallet_address = None
        session.flush()
        market = session.get_one(Market, "USDT-EUR")
        with pytest.raises(Conflict, match="needs a wallet"):
            authorities.authority_request(
                session,
                world.settings,
                world.alice.id,
                market,
                quantity=QUANTITY,
                max_trade=None,
                max_fee_bps=100,
            )
