"""Coins in the vaults are booked once, whoever sends them and whenever the vault became known."""

import pytest
from sqlalchemy import select

from portal.core.errors import Conflict, InvalidInput
from portal.escrow import authorities, jobs
from portal.escrow.chain import encode_call
from portal.escrow.contracts import vault_address, vault_implementation
from portal.escrow.demo import DEV_DEPLOYER, ensure_demo_deployment, mint_demo_coins
from portal.escrow.models import ChainCursor
from portal.ledger.models import Account
from portal.markets.models import Market
from portal.users.models import User
from tests.factories.engine import USDT
from tests.integration.escrow.world import FUNDED, QUANTITY, Person, World

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
    with world.database.transaction() as session:
        user = User(
            first_name="Carol",
            last_name="Test",
            username="carol",
            email="carol@test.test",
            active=True,
            wallet_address=carol.account.address,
        )
        session.add(user)
        session.flush()
        carol.id = user.id
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


def test_coins_that_left_from_under_an_order_are_a_difference(world: World) -> None:
    sell = {"quantity": 400 * USDT, "owner": world.alice.id, "price": 9200}
    world.engine.submit(
        {
            "kind": "place_order",
            "market": "USDT-EUR",
            "side": "sell",
            "order_type": "limit",
            "methods": ["sepa"],
            "max_fee_bps": 100,
            **sell,
        }
    )
    world.burn(world.alice, 200 * USDT)
    jobs.scan_deposits(world.context)
    (difference,) = world.differences()
    assert world.vault(world.alice).lower() in difference


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
