/** The contract of /api/v1 by the names that screens use; generated from the server's OpenAPI document. */
import type { components } from './schema'

type Schemas = components['schemas']

export type Config = Schemas['ConfigAnswer']
export type Index = Schemas['MarketIndex']
export type Market = Schemas['MarketView']
export type Level = Schemas['BookLevel']
export type Book = Schemas['BookView']
export type Offer = Schemas['OfferView']
export type MethodField = Schemas['MethodField']
export type PaymentMethod = Schemas['MethodAnswer']

export type Me = Schemas['Me']
export type Session = Schemas['SessionState']
export type Signup = Schemas['SignUpBody']
export type SignupAnswer = Schemas['EnrolmentAnswer']
export type PaymentAccount = Schemas['PaymentAccountAnswer']
export type NewPaymentAccount = Schemas['PaymentAccountBody']
export type Balance = Schemas['BalanceView']
export type Balances = Schemas['BalancesAnswer']
export type LedgerEntry = Schemas['EntryView']
export type LedgerPage = Schemas['LedgerPage']
export type FaucetAnswer = Schemas['FaucetAnswer']

export type OrderRequest = Schemas['QuoteBody']
export type Quote = Omit<Schemas['OrderQuote'], 'authority'> & { authority: TypedData | null }
export type PlaceOrder = Schemas['OrderBody']
export type Order = Schemas['OrderView']
export type OrderPage = Schemas['OrderPage']
export type Placed = Schemas['PlacedAnswer']
export type OrderChange = Schemas['AmendBody']

export type TradeSummary = Schemas['TradeSummary']
export type TradePage = Schemas['TradePage']
export type Trade = Schemas['TradeView']
export type SigningRequest = Omit<Schemas['ToSign'], 'typed_data'> & { typed_data: TypedData }
export type DisputeReason = Schemas['DisputeBody']['reason']

export type Side = Order['side']
export type PriceKind = Order['price_kind']
export type OrderType = Order['order_type']
export type TimeInForce = Order['tif']
export type Role = TradeSummary['role']
export type Action = NonNullable<TradeSummary['action']>
export type Act = Trade['allowed'][number]

/** EIP-712 typed data, which the document describes only as an object. */
export interface TypedData {
  domain: Record<string, unknown>
  types: Record<string, { name: string; type: string }[]>
  primaryType: string
  message: Record<string, unknown>
}
