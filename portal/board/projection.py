"""What the board has to hold, as SQL over the engine's tables: the one definition of it.

Following the journal and building anew both write what these queries give, and the check compares
with them. Parameters: `shard`, and for events `after` and `until`.
"""

# From that index price on, a floating price rounded half up is `ticks` at least: solved for the
# index from `portal.orders.rules.floating_price`. Numeric, since 64 bits would not hold it.
_INDEX_GIVING = (
    "div(10000::numeric * ({ticks}) - 5000 + 10000 + o.margin_bps - 1, 10000 + o.margin_bps)::int8"
)
_LOW = _INDEX_GIVING.format(ticks="o.floor_ticks")
_HIGH = _INDEX_GIVING.format(ticks="o.ceiling_ticks + 1")

OFFER_COLUMNS = (
    "order_id, shard, market_id, side, kind, rank, priority, owner_id, quantity, min_trade, most,"
    " methods, expires_ms, low_index, high_index"
)

# Without an index price floors hold and ceilings don't, as if it were zero: such offers have no
# price anyway, and every change of the index is a step from one number to another.
_OFFERS = f"""
    SELECT o.id AS order_id, o.shard, o.market_id, o.side, placed.kind,
        CASE o.side WHEN 'sell' THEN placed.value ELSE -placed.value END AS rank,
        o.priority, o.owner_id, o.remaining AS quantity, o.min_trade,
        least(o.max_trade, o.remaining) AS most,
        ARRAY(SELECT jsonb_array_elements_text(o.methods)) AS methods, o.expires_ms,
        bounds.low_index, bounds.high_index
    FROM {{source}}
    JOIN market_state m ON m.market_id = o.market_id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN o.price_kind <> 'fixed' THEN {_LOW} END AS low_index,
            CASE WHEN o.price_kind <> 'fixed' THEN {_HIGH} END AS high_index
    ) AS bounds
    CROSS JOIN LATERAL (
        SELECT CASE
                WHEN o.price_kind = 'fixed' THEN 'fixed'
                WHEN coalesce(m.index_ticks, 0) >= bounds.high_index
                    OR coalesce(m.index_ticks, 0) < bounds.low_index THEN 'bound'
                ELSE 'floating'
            END AS kind,
            CASE
                WHEN o.price_kind = 'fixed' THEN o.price_ticks
                WHEN coalesce(m.index_ticks, 0) >= bounds.high_index THEN o.ceiling_ticks
                WHEN coalesce(m.index_ticks, 0) < bounds.low_index THEN o.floor_ticks
                ELSE o.margin_bps
            END AS value
    ) AS placed
    WHERE o.shard = %(shard)s AND o.status = 'open' AND o.paused IS NULL AND o.link IS NULL
"""
OFFERS = _OFFERS.format(source='"order" o')
# OFFSET 0 keeps the planner from any other way than the primary key, whatever it believes of tables
# that have just begun to grow.
OFFERS_OF_IDS = _OFFERS.format(
    source="""unnest(%(ids)s::int8[]) AS wanted(id)
    CROSS JOIN LATERAL (SELECT * FROM "order" WHERE id = wanted.id OFFSET 0) AS o"""
)

DEPTH_COLUMNS = "market_id, side, kind, rank, shard, quantity, orders"
_BY_LEVEL = "GROUP BY market_id, side, kind, rank, shard"
DEPTH = f"""
    SELECT market_id, side, kind, rank, shard, sum(quantity) AS quantity, count(*) AS orders
    FROM offer WHERE shard = %(shard)s {_BY_LEVEL}
"""

INDEX_COLUMNS = "market_id, shard, index_ticks, index_at_ms, index_reason"
INDEXES = f"SELECT {INDEX_COLUMNS} FROM market_state WHERE shard = %(shard)s"

RECORD_COLUMNS = "user_id, shard, completed, ended, releases, release_ms, first_ms"
# Each trade ends by one event only: its settlement, or in a market that settles at once its match.
# Events, since they stay when the days of old trades are detached.
_RECORDS = """
    WITH ended AS (
        SELECT e.stream, e.subject, e.at_ms,
            e.kind = 'trade.matched' OR e.data ->> 'event' = 'paid_buyer'
                OR (e.data ->> 'event' = 'settled'
                    AND e.data ->> 'came_from' IN ('released', 'resolved_buyer')) AS good
        FROM audit_event e
        LEFT JOIN market_state m
            ON e.kind = 'trade.matched' AND m.market_id = e.data ->> 'market'
        WHERE e.stream = 'shard:' || %(shard)s AND e.seq > %(after)s AND e.seq <= %(until)s
            AND e.kind LIKE 'trade.%%'
            AND (m.terms ->> 'settlement' = 'instant'
                OR e.data ->> 'event' IN ('settled', 'paid_buyer', 'paid_seller', 'paid_split'))
    ), trades AS (
        SELECT ended.at_ms, ended.good,
            max((e.data ->> 'buyer')::int8) AS buyer, max((e.data ->> 'seller')::int8) AS seller,
            max(e.at_ms) FILTER (WHERE e.kind = 'trade.released')
                - min(e.at_ms) FILTER (WHERE e.kind = 'trade.paid') AS release_ms
        FROM ended {events} AND e.stream = ended.stream
            AND e.kind IN ('trade.matched', 'trade.paid', 'trade.released')
        GROUP BY ended.subject, ended.at_ms, ended.good
    ), sides AS (
        SELECT buyer AS user_id, good, at_ms, NULL::int8 AS release_ms FROM trades
        UNION ALL SELECT seller, good, at_ms, release_ms FROM trades
    )
    SELECT user_id, %(shard)s::text AS shard, count(*) FILTER (WHERE good) AS completed,
        count(*) AS ended, count(release_ms) AS releases,
        coalesce(sum(release_ms), 0)::int8 AS release_ms,
        min(at_ms) FILTER (WHERE good) AS first_ms
    FROM sides GROUP BY user_id
"""
RECORDS = _RECORDS.format(events="JOIN audit_event e ON e.subject = ended.subject")
RECORDS_BY_KEY = _RECORDS.format(
    events="""CROSS JOIN LATERAL
            (SELECT * FROM audit_event WHERE subject = ended.subject OFFSET 0) AS e WHERE true"""
)
