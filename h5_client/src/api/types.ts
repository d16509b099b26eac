/** The HTTP contract of /api/v1. Amounts and prices are decimal strings, times ISO 8601 UTC. */

export type Side = 'buy' | 'sell'
export type PriceKind = 'fixed' | 'floating'
export type OrderType = 'limit' | 'market'
export type Role = 'buyer' | 'seller'

export interface Config {
  name: string
  environment: 'demo' | 'production'
  demo_parts: { part: string; text: string }[]
  server_time: string
  stream_url: string
  chain: { chain_id: number; escrow: string | null; tokens: Record<string, string> } | null
}

export interface Index {
  price: string | null
  at: string | null
  reason: string | null
  sources: { name: string; price: string | null; used: boolean; reason: string | null }[]
}

export interface Market {
  id: string
  base: string
  quote: string
  base_places: number
  quote_places: number
  price_places: number
  lot: string
  min_trade: string
  max_trade: string
  escrow: 'evm' | 'ledger'
  status: string
  payment_seconds: number
  release_seconds: number
  max_fee_bps: number
  methods: string[]
  index: Index
  best_bid: string | null
  best_ask: string | null
}

export interface Level {
  price: string
  quantity: string
  orders: number
}

export interface Book {
  market: string
  seq: number
  at: string
  index: { price: string | null; reason: string | null }
  bids: Level[]
  asks: Level[]
}

export interface Offer {
  order_id: number
  side: Side
  price: string
  price_kind: PriceKind
  margin_bps: number | null
  available: string
  min_trade: string
  max_trade: string
  methods: string[]
  paused: false | string
  own: boolean
  maker: {
    nickname: string
    kyc_tier: number
    completed_trades: number
    completion_rate: string | number | null
    member_since: string
  }
}

export interface MethodField {
  name: string
  label: string
  pattern?: string | null
  example?: string | null
  required: boolean
}

export interface PaymentMethod {
  slug: string
  name: string
  currency: string
  window_seconds: number
  fields: MethodField[]
}

export interface Me {
  id: number
  email: string
  nickname: string
  first_name: string
  last_name: string
  country: string
  kyc_tier: number
  wallet: { address: string | null; vault: string | null }
}

export interface Session {
  csrf_token: string
  expires_at: string
  user: Me
}

export interface Signup {
  email: string
  password: string
  first_name: string
  last_name: string
  nickname: string
  country: string
}

export interface SignupAnswer {
  user_id: number
  totp_secret: string
  totp_uri: string
}

export interface PaymentAccount {
  id: number
  method: string
  label: string | null
  fields: Record<string, string>
  created_at: string
}

export interface Balance {
  asset: string
  available: string
  held: string
  escrow: string
}

export interface Balances {
  balances: Balance[]
  deposit: { asset: string; address: string | null }
}

export interface LedgerEntry {
  id: number
  at: string
  kind: string
  asset: string
  amount: string
  balance_after: string
  account_kind: string
  trade_id: number | null
  order_id: number | null
}

export interface TypedData {
  domain: Record<string, unknown>
  types: Record<string, { name: string; type: string }[]>
  primaryType: string
  message: Record<string, unknown>
}

export interface OrderRequest {
  market: string
  side: Side
  order_type: OrderType
  price_kind: PriceKind
  price?: string
  margin_bps?: number
  quantity: string
  min_trade?: string
  max_trade?: string
  methods: string[]
  take_order?: number
}

export interface Quote {
  price: string | null
  fiat_total: string | null
  fee: { maker: string; taker: string; asset: string; explanation: string }
  reserve: string | null
  index: { price: string | null; at: string | null; reason: string | null }
  warnings: string[]
  authority: TypedData | null
}

export interface PlaceOrder extends OrderRequest {
  payment_accounts: Record<string, number>
  tif: 'GTC' | 'IOC'
  authority?: { message: Record<string, unknown>; signature: string }
}

export interface Order {
  id: number
  market: string
  side: Side
  order_type: OrderType
  price_kind: PriceKind
  price: string | null
  effective_price: string | null
  margin_bps: number | null
  quantity: string
  remaining: string
  min_trade: string
  max_trade: string
  methods: string[]
  tif: string
  status: 'open' | 'filled' | 'cancelled'
  paused: string | null
  reason: string | null
  held: string
  created_at: string
  trades: number[]
}

export type Action = 'sign_and_pay' | 'wait' | 'check_and_release' | 'claim'

export interface TradeSummary {
  id: number
  market: string
  role: Role
  state: string
  quantity: string
  base: string
  price: string
  fiat_total: string
  quote: string
  counterparty: { nickname: string }
  created_at: string
  deadline: string | null
  action: Action | null
}

export type Act = 'paid' | 'release' | 'cancel' | 'dispute' | 'claim' | 'statement'

export interface Payment {
  payee: { name: string; label: string; value: string }[]
  amount: string
  currency: string
  reference: string
  qr_svg: string | null
  text: string | null
}

export interface Trade extends TradeSummary {
  counterparty: {
    nickname: string
    legal_name: string | null
    kyc_tier: number
    completed_trades: number
  }
  method: string
  fee: string
  buyer_gets: string
  seller_locks: string
  steps: { state: string; at: string | null; done: boolean }[]
  history: { state: string; at: string; actor: string; reason: string | null }[]
  reason: string | null
  timer: 'payment' | 'release' | null
  server_time: string
  maker: boolean
  price_explained: { index: string | null; sources: Index['sources'] }
  payment: Payment | null
  verification: { result: string; at: string; text: string } | null
  escrow: {
    backend: 'evm' | 'ledger'
    status: string
    escrow_id: string | null
    transactions: { kind: string; hash: string | null; status: string }[]
  }
  dispute: {
    reason: string
    opened_by: string
    opened_at: string
    status: string
    statements: { by: string; at: string; text: string }[]
    outcome: string | null
    decision: string | null
  } | null
  allowed: Act[]
}

export interface SigningRequest {
  kind: 'mark_paid' | 'settle' | 'cancel'
  typed_data: TypedData
}

export interface FaucetAnswer {
  asset: string
  amount: string
  transaction_hash: string | null
}

export type DisputeReason = 'not_received' | 'paid_not_released' | 'wrong_amount' | 'other'
