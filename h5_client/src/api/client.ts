import { request, withQuery } from './http'
import type * as T from './types'

const get = <A>(path: string) => request<A>('GET', path)
const post = <A>(path: string, body: unknown, key?: string) => request<A>('POST', path, { body, key })

/** One function per endpoint of the HTTP API. */
export const api = {
  config: () => get<T.Config>('/config'),
  markets: () => get<{ markets: T.Market[] }>('/markets'),
  book: (market: string, depth = 12) => get<T.Book>(withQuery(`/markets/${market}/book`, { depth })),
  offers: (market: string, side: T.Side, method?: string, quantity?: string) =>
    get<{ offers: T.Offer[] }>(withQuery(`/markets/${market}/offers`, { side, method, quantity })),
  paymentMethods: () => get<{ methods: T.PaymentMethod[] }>('/payment-methods'),

  signup: (body: T.Signup) => post<T.SignupAnswer>('/auth/signup', body),
  confirm: (email: string, password: string, code: string) =>
    request<T.Session>('POST', '/auth/confirm', { body: { email, password, code }, quiet401: true }),
  login: (email: string, password: string, code: string) =>
    request<T.Session>('POST', '/auth/login', { body: { email, password, code }, quiet401: true }),
  session: () => request<T.Session>('GET', '/auth/session', { quiet401: true }),
  logout: () => request<undefined>('POST', '/auth/logout', { quiet401: true }),

  walletDraft: (address: string) => post<{ typed_data: T.TypedData }>('/me/wallet/draft', { address }),
  bindWallet: (address: string, issued_at: number, signature: string) =>
    post<T.Me>('/me/wallet', { address, issued_at, signature }),
  me: () => get<T.Me>('/me'),
  accounts: () => get<{ accounts: T.PaymentAccount[] }>('/me/payment-accounts'),
  addAccount: (body: T.NewPaymentAccount) =>
    post<T.PaymentAccount>('/me/payment-accounts', body),
  removeAccount: (id: number) => request<undefined>('DELETE', `/me/payment-accounts/${id}`),
  balances: () => get<T.Balances>('/me/balances'),
  ledger: (asset?: string, before?: number) =>
    get<T.LedgerPage>(withQuery('/me/ledger', { asset, before })),
  faucet: (asset: string) => post<T.FaucetAnswer>('/demo/faucet', { asset }),

  quote: (body: T.OrderRequest) => post<T.Quote>('/orders/quote', body),
  placeOrder: (body: T.PlaceOrder, key: string) =>
    post<T.Placed>('/orders', body, key),
  orders: (status: 'open' | 'all', before?: number) =>
    get<T.OrderPage>(withQuery('/orders', { status, before })),
  order: (id: number) => get<T.Order>(`/orders/${id}`),
  cancelOrder: (id: number, key: string) => post<T.Order>(`/orders/${id}/cancel`, {}, key),
  pauseOrder: (id: number) => post<T.Order>(`/orders/${id}/pause`, {}),
  resumeOrder: (id: number) => post<T.Order>(`/orders/${id}/resume`, {}),
  amendOrder: (id: number, body: T.OrderChange, key: string) =>
    request<T.Placed>('PATCH', `/orders/${id}`, { body, key }),

  trades: (open: boolean, before?: number) =>
    get<T.TradePage>(withQuery('/trades', { open: String(open), before })),
  trade: (id: number) => get<T.Trade>(`/trades/${id}`),
  signing: (id: number, act: 'paid' | 'release' | 'cancel' | 'claim') =>
    get<{ typed_data: T.SigningRequest[] }>(withQuery(`/trades/${id}/signing`, { act })),
  act: (id: number, act: string, body: unknown, key: string) =>
    post<T.Trade>(`/trades/${id}/${act}`, body, key),
}
