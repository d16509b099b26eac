import type { Trade, TypedData } from '../src/api/types'
import { STRUCTS } from '../src/wallet/structs.ts'
import { tradeIdOf } from '../src/wallet/trade-id.ts'

/** Made-up data for looking at screens; states that are rare in real life are all here. */
const ESCROW = '0x5FbDB2315678afecb367f032d93F642f64180aa3'
const TOKEN = '0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512'
const ARBITER = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'
const VAULT = '0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0'
const PARTNER = '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC'
const STRANGER = '0x90F79bf6EB2c4f870365E785982E1f101E93b906'
const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString()
const wallets: Record<string, string | null> = {}
const accounts = [
  { id: 1, method: 'sepa', label: 'Everyday', fields: { iban: 'DE89370400440532013000', holder: 'Alice Muster' }, created_at: ago(9e5) },
]

const index = (price: string | null) => ({
  price,
  at: ago(price ? 4 : 900),
  reason: price ? null : 'stale',
  sources: [
    { name: 'htx', price: '0.9213', used: Boolean(price), reason: price ? null : 'stale' },
    { name: 'kraken', price: '0.9216', used: Boolean(price), reason: price ? null : 'stale' },
    { name: 'binance', price: '0.9702', used: false, reason: 'outlier' },
  ],
})
const usdt = {
  id: 'USDT-EUR', base: 'USDT', quote: 'EUR', base_places: 6, quote_places: 2, price_places: 4, lot: '0.01',
  min_trade: '10.000000', max_trade: '5000.000000', escrow: 'evm', status: 'open', payment_seconds: 1800,
  release_seconds: 7200, max_fee_bps: 100, methods: ['sepa'], index: index('0.9214'), best_bid: '0.9180', best_ask: '0.9230',
}
const btc = {
  ...usdt, id: 'BTC-EUR', base: 'BTC', base_places: 8, price_places: 2, lot: '0.00001', min_trade: '0.00100000',
  max_trade: '1.00000000', escrow: 'ledger', index: index(null), best_bid: null, best_ask: '88120.50',
}
const maker = (nickname: string, trades: number, rate: string | null) => ({
  nickname, kyc_tier: trades ? 2 : 1, completed_trades: trades, completion_rate: rate, member_since: '2024-05-03T10:00:00.000Z',
})
const offer = (order_id: number, side: string, price: string, more: object = {}) => ({
  order_id, side, price, price_kind: 'fixed', margin_bps: null, available: '1250.000000', min_trade: '20.000000',
  max_trade: '800.000000', methods: ['sepa'], floor: null, ceiling: null, expires_at: null, conditions: null, unmet: null, private: false, paused: false, own: false, maker: maker('lena_m', 214, '0.986'), ...more,
})
const offers: Record<string, object[]> = {
  sell: [
    offer(11, 'sell', '0.9230'),
    offer(12, 'sell', '0.9251', { price_kind: 'floating', margin_bps: 40, available: '480.500000', maker: maker('otc-desk', 1032, '0.997') }),
    offer(13, 'sell', '0.9260', { own: true, maker: maker('alice', 3, '1.0') }),
    offer(15, 'sell', '0.9265', { conditions: { words: ['Identity tier 2 or higher.', 'At least 10 completed trades.'] }, unmet: 'It asks for 10 completed trades; you have 2.' }),
    offer(14, 'sell', '0.9275', { price_kind: 'floating', margin_bps: 65, paused: 'no_price', maker: maker('newcomer', 0, null) }),
  ],
  buy: [offer(21, 'buy', '0.9180', { maker: maker('bob', 12, '0.923') }), offer(22, 'buy', '0.9125', { available: '90.00' })],
}
const levels = (from: number, step: number) =>
  Array.from({ length: 7 }, (_, n) => ({ price: (from + step * n).toFixed(4), quantity: (120 + 333 * ((n * 7) % 5)).toFixed(6), orders: 1 + (n % 3) }))

const user = () => ({
  id: 7, email: 'alice@example.org', nickname: 'alice', first_name: 'Alice', last_name: 'Muster', country: 'DE', kyc_tier: 1,
  wallet: { address: wallets.alice ?? null, vault: wallets.alice ? VAULT : null },
})
const session = () => ({ token: 'x', csrf_token: 'c', expires_at: ago(-9e4), user: user() })

const STEPS = ['matched', 'escrow_locked', 'awaiting_payment', 'paid', 'verified', 'released', 'completed']
function trade(id: number, role: 'buyer' | 'seller', state: string, more: Partial<Trade> = {}): Trade {
  const reached = { disputed: 3, held: 0 }[state] ?? STEPS.indexOf(state)
  return {
    id, market: 'USDT-EUR', role, state, quantity: '100.000000', base: 'USDT', price: '0.9230', fiat_total: '92.30', quote: 'EUR',
    counterparty: { nickname: role === 'buyer' ? 'lena_m' : 'bob', legal_name: role === 'buyer' ? 'Lena Maier' : 'Robert Berg', kyc_tier: 2, completed_trades: 214 },
    created_at: ago(400), deadline: null, action: 'wait', method: 'sepa', fee: '0.200000', fee_note: 'Taker 0.20 % of the coins traded', buyer_gets: '99.800000', seller_locks: '100.200000',
    steps: STEPS.map((name, n) => ({ state: name, at: n <= reached ? ago(400 - n * 60) : null, done: n <= reached })),
    history: [
      { state: 'matched', at: ago(400), actor: 'engine', reason: null },
      { state: 'escrow_locked', at: ago(390), actor: 'system', reason: null },
      { state: 'awaiting_payment', at: ago(390), actor: 'system', reason: null },
    ],
    reason: null, timer: null, server_time: ago(0), maker: false,
    price_explained: { index: '0.9214', sources: index('0.9214').sources },
    payment: {
      payee: [{ name: 'holder', label: 'Payee', value: 'Lena Maier' }, { name: 'iban', label: 'IBAN', value: 'DE02120300000000202051' }],
      amount: '92.30', currency: 'EUR', reference: 'OTC-7K2M-9QXD', qr_svg: '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><path d="M1 1h3v3H1zM6 1h3v3H6zM1 6h3v3H1zM6 6h1v1H6z"/></svg>', text: 'Send it as an instant transfer if your bank offers that.',
    },
    verification: null,
    escrow: { backend: 'evm', status: 'open', escrow_id: null, terms: null, transactions: [{ kind: 'open', hash: `0x${'c4'.repeat(32)}`, status: 'mined' }] },
    dispute: null, allowed: [], ...more,
  }
}
const trades: Trade[] = [
  trade(103260000000101, 'buyer', 'awaiting_payment', { action: 'sign_and_pay', timer: 'payment', deadline: ago(-1412), allowed: ['paid', 'cancel'] }),
  trade(103260000000102, 'seller', 'verified', { action: 'check_and_release', timer: 'release', deadline: ago(-7000), allowed: ['release', 'dispute'], verification: { result: 'MTCH', at: ago(30), text: '92.30 EUR from Robert Berg, 22 Nov' } }),
  trade(103260000000103, 'seller', 'paid', { action: 'check_and_release', timer: 'release', deadline: ago(-90), allowed: ['release', 'dispute'] }),
  trade(103260000000104, 'buyer', 'disputed', {
    allowed: ['statement', 'cancel'], timer: null,
    dispute: { reason: 'paid_not_released', opened_by: 'buyer', opened_at: ago(3000), status: 'open', outcome: null, to_buyer: null, decision: null, statements: [{ by: 'buyer', at: ago(3000), text: 'Paid at 10:02 from my account ending 3000.' }, { by: 'seller', at: ago(1200), text: 'I cannot see it yet.' }] },
  }),
  trade(103260000000105, 'buyer', 'completed', { action: null, escrow: { backend: 'evm', status: 'closed', escrow_id: null, terms: null, transactions: [{ kind: 'open', hash: `0x${'c4'.repeat(32)}`, status: 'mined' }, { kind: 'settle', hash: `0x${'d5'.repeat(32)}`, status: 'mined' }] } }),
  trade(106, 'seller', 'held', { payment: null, reason: 'Over the limit of your tier' }),
]
const orders = [
  { id: 103260000000031, market: 'USDT-EUR', side: 'sell', order_type: 'limit', price_kind: 'floating', price: null, effective_price: '0.9260', margin_bps: 50, floor: '0.9100', ceiling: '0.9500', expires_at: ago(-86400 * 3), post_only: true, conditions: { words: ['Identity tier 2 or higher.'] }, paused_by: null, quantity: '500.000000', remaining: '380.000000', min_trade: '10.000000', max_trade: '500.000000', methods: ['sepa'], tif: 'GTC', status: 'open', paused: null, reason: null, held: '383.800000', created_at: ago(3600), trades: [103260000000101] },
  { id: 103260000000032, market: 'BTC-EUR', side: 'buy', order_type: 'limit', price_kind: 'floating', price: null, effective_price: null, margin_bps: -25, quantity: '0.05000000', remaining: '0.05000000', min_trade: '0.00100000', max_trade: '0.05000000', methods: ['sepa'], tif: 'GTC', status: 'open', paused: 'no_price', reason: null, held: '0', created_at: ago(86400 * 9), trades: [] },
  { id: 103260000000030, market: 'USDT-EUR', side: 'buy', order_type: 'market', price_kind: 'fixed', price: null, effective_price: '0.9230', margin_bps: null, quantity: '100.000000', remaining: '0.000000', min_trade: '10.000000', max_trade: '100.000000', methods: ['sepa'], tif: 'IOC', status: 'filled', paused: null, reason: null, held: '0', created_at: ago(90000), trades: [103260000000105] },
]
const entries = [
  ['deposit', '1000.000000', '1000.000000', 'available'], ['place_order', '-383.800000', '616.200000', 'available'],
  ['settle', '99.800000', '716.000000', 'available'],
].map(([kind, amount, balance_after, account_kind], n) => ({ id: 9 - n, at: ago(n * 5000 + 50), kind, asset: 'USDT', amount, balance_after, account_kind, trade_id: n === 2 ? 103260000000105 : null, order_id: n === 1 ? 103260000000031 : null }))

const domain = { name: 'OTC Portal Escrow', version: '1', chainId: 31337, verifyingContract: ESCROW }
const described = (struct: keyof typeof STRUCTS) => ({ [struct]: STRUCTS[struct].map(([name, type]) => ({ name, type })) })
const typed = (primaryType: keyof typeof STRUCTS, message: Record<string, unknown>): TypedData => ({
  domain, primaryType, message, types: { ...described(primaryType), ...('terms' in message && described('Terms')) },
})
/** With the terms that the device's own key makes true: they can't be known before there is one. */
function room(one: Trade): Trade {
  const own = wallets.alice ?? STRANGER
  const [seller, buyer] = one.role === 'seller' ? [own, PARTNER] : [PARTNER, own]
  const salt = `0x${one.id.toString(16).padStart(64, '0')}`
  const terms = { salt, seller, buyer, arbiter: ARBITER, backupArbiter: ARBITER, token: TOKEN, amount: '100200000', fee: '400000', arbiterFee: '0', feeTo: ARBITER, payBy: '4086890000', resolveBy: '4094666000', sunset: '4102442000', sunsetBuyerBps: '5000' }
  return { ...one, server_time: ago(0), escrow: { ...one.escrow, terms, escrow_id: tradeIdOf(terms) } }
}
function signing(one: Trade, act: string): object[] {
  const { terms } = room(one).escrow
  const settle = { kind: 'settle', typed_data: typed('Settle', { terms, toBuyer: '100200000', payArbiter: false, deadline: 4102442000 }) }
  const only = (kind: string, struct: 'MarkPaid' | 'Cancel') => ({ kind, typed_data: typed(struct, { terms }) })
  if (act === 'cancel') return [only('cancel', 'Cancel')]
  return act === 'paid' ? [only('mark_paid', 'MarkPaid'), settle] : [settle]
}
const authority = (total: string) =>
  typed(
    'OrderAuthority',
    { owner: wallets.alice, token: TOKEN, maxTotal: total, minPerTrade: '0', maxPerTrade: total, arbiter: ARBITER, backupArbiter: ARBITER, feeTo: ARBITER, maxFeeBps: '201', maxArbiterFeeBps: 0, opener: ARBITER, payWindow: 5400, resolveWindow: 7776000, sunsetWindow: 15552000, sunsetBuyerBps: 5000, deadline: 4102444800, nonce: '77' },
  )

function quote(body: Record<string, unknown>) {
  const quantity = String(body.quantity)
  const price = body.price ?? '0.9230'
  const units = Math.round(Number(quantity) * 1.01 * 1e6)
  return {
    price, fiat_total: (Number(quantity) * Number(price)).toFixed(2),
    fee: { maker: (Number(quantity) * 0.001).toFixed(6), taker: (Number(quantity) * 0.002).toFixed(6), asset: 'USDT', explanation: 'Taker 0.20 %, maker 0.10 % of the coins traded' },
    reserve: body.side === 'sell' ? (units / 1e6).toFixed(6) : null, index: { price: '0.9214', at: ago(3), reason: null }, warnings: [],
    authority: body.side === 'sell' && body.market === 'USDT-EUR' ? authority(String(units)) : null,
  }
}

type Answer = { status: number; json?: unknown }
const ok = (json: unknown, status = 200): Answer => ({ status, json })
const refuse = (status: number, code: string, message: string, field?: string): Answer => ok({ error: { code, message, field, hint: null } }, status)

export function answers(call: string, query: URLSearchParams, body: Record<string, unknown>, cookies: string): Answer {
  const guest = cookies.includes('guest=1')
  const empty = cookies.includes('empty=1')
  if (cookies.includes('broken=1') && !call.endsWith('/config') && !call.includes('/auth/')) return ok({}, 500)
  const id = Number(/\/(\d+)/.exec(call)?.[1])
  const one = trades.find((candidate) => candidate.id === id)
  switch (call.replace(/\/\d+/, '/:id')) {
    case 'GET /config':
      return ok({ name: 'OTC Portal', environment: 'demo', demo_parts: [{ part: 'prices', text: 'Recorded answers of real exchanges, played back on this machine.' }, { part: 'chain', text: 'A local Ethereum chain; its coins are worth nothing.' }, { part: 'bank', text: 'Statements are files made on this machine.' }], server_time: ago(0), stream_url: 'ws://127.0.0.1:1/', chain: { chain_id: 31337, escrow: ESCROW, tokens: { USDT: TOKEN } } })
    case 'GET /markets':
      return ok({ markets: [{ ...usdt, index: index('0.9214') }, btc] })
    case 'GET /markets/USDT-EUR/offers':
      return ok({ offers: empty ? [] : offers[query.get('side') ?? 'sell'] })
    case 'GET /markets/BTC-EUR/offers':
      return ok({ offers: [] })
    case 'GET /markets/USDT-EUR/book':
      return ok({ market: 'USDT-EUR', seq: 5, at: ago(1), index: { price: '0.9214', reason: null }, bids: levels(0.918, -0.0011), asks: levels(0.923, 0.0014) })
    case 'GET /markets/BTC-EUR/book':
      return ok({ market: 'BTC-EUR', seq: 1, at: ago(1), index: { price: null, reason: 'stale' }, bids: [], asks: [] })
    case 'GET /payment-methods':
      return ok({ methods: [{ slug: 'sepa', name: 'SEPA transfer', currency: 'EUR', window_seconds: 1800, fields: [{ name: 'iban', label: 'IBAN', pattern: '[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}', example: 'DE89 3704 0044 0532 0130 00', required: true }, { name: 'holder', label: 'Account holder', pattern: null, example: 'Alice Muster', required: true }] }] })
    case 'POST /auth/signup':
      return body.email === 'taken@example.org' ? refuse(409, 'conflict', 'This e-mail address is already in use.', 'email') : ok({ user_id: 7, totp_secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP', totp_uri: 'otpauth://totp/OTC%20Portal:alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=OTC%20Portal' }, 201)
    case 'POST /auth/login':
    case 'POST /auth/confirm':
      return body.code === '000000' ? refuse(401, 'unauthorized', 'E-mail, password or code is wrong.') : ok(session())
    case 'GET /auth/session':
      return guest ? refuse(401, 'unauthorized', 'Not signed in') : ok(session())
    case 'POST /auth/logout':
      return ok(undefined, 204)
    case 'POST /dev/reset':
      wallets.alice = null
      return ok(undefined, 204)
    case 'GET /me':
      return ok(user())
    case 'POST /me/wallet/draft':
      return ok({ typed_data: { domain, types: { WalletBinding: [{ name: 'userId', type: 'uint256' }, { name: 'address', type: 'address' }, { name: 'issuedAt', type: 'uint256' }] }, primaryType: 'WalletBinding', message: { userId: 7, address: body.address, issuedAt: String(Math.floor(Date.now() / 1000)) } } })
    case 'POST /me/wallet':
      wallets.alice = String(body.address)
      return ok(user())
    case 'GET /me/payment-accounts':
      return ok({ accounts: empty ? [] : accounts })
    case 'POST /me/payment-accounts':
      return ok(accounts[0], 201)
    case 'GET /me/balances':
      return ok({ balances: empty ? [] : [{ asset: 'USDT', available: '716.000000', held: '383.800000', escrow: '100.200000' }, { asset: 'BTC', available: '0.05000000', held: '0.00000000', escrow: '0.00000000' }], deposit: { asset: 'USDT', address: wallets.alice ? VAULT : null } })
    case 'GET /me/ledger':
      return ok({ entries: empty ? [] : entries, next: null })
    case 'POST /demo/faucet':
      return ok({ asset: body.asset, amount: '1000.000000', transaction_hash: null })
    case 'POST /orders/quote':
      return Number(body.quantity) > 5000 ? refuse(422, 'invalid_input', 'The amount is above the largest trade of this market, 5000 USDT.', 'quantity') : ok(quote(body))
    case 'POST /orders':
      return ok({ order: { ...orders[0], status: 'open' }, trades: body.take_order ? [103260000000101] : [] }, 201)
    case 'GET /orders':
      return ok({ orders: empty ? [] : query.get('status') === 'open' ? orders.slice(0, 2) : orders, next: null })
    case 'POST /orders/:id/cancel':
      return ok({ ...orders[0], status: 'cancelled' })
    case 'GET /trades':
      return ok({ trades: empty ? [] : trades.filter(({ state }) => (state === 'completed') !== (query.get('open') === 'true')), next: null })
    case 'GET /trades/:id':
      return one ? ok(room(one)) : refuse(404, 'not_found', `There is no trade ${id}.`)
    case 'GET /trades/:id/signing':
      return ok({ typed_data: one ? signing(one, query.get('act') ?? '') : [] })
    case 'POST /trades/:id/release':
      return body.totp === '000000' ? refuse(422, 'invalid_input', 'This code was used already. Wait for the next one.', 'totp') : ok(one && room(one))
    default:
      return call.startsWith('POST /trades') && one ? ok(room(one)) : refuse(404, 'not_found', `No fixture for ${call}`)
  }
}
