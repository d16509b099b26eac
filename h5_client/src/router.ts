import { createRouter, createWebHistory } from 'vue-router'
import MarketView from './views/MarketView.vue'
import { useSession } from './stores/session'

declare module 'vue-router' {
  interface RouteMeta {
    /** reachable without signing in */
    open?: boolean
    /** a tab of the bottom bar */
    tab?: 'market' | 'orders' | 'trades' | 'wallet' | 'me'
  }
}

export const router = createRouter({
  history: createWebHistory(),
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
  routes: [
    { path: '/', redirect: '/market' },
    { path: '/market/:id?', name: 'market', component: MarketView, meta: { open: true, tab: 'market' } },
    { path: '/orders', name: 'orders', component: () => import('./views/OrdersView.vue'), meta: { tab: 'orders' } },
    { path: '/trades', name: 'trades', component: () => import('./views/TradesView.vue'), meta: { tab: 'trades' } },
    { path: '/trades/:id(\\d+)', name: 'trade', component: () => import('./views/TradeView.vue') },
    { path: '/wallet', name: 'wallet', component: () => import('./views/WalletView.vue'), meta: { tab: 'wallet' } },
    { path: '/me', name: 'me', component: () => import('./views/MeView.vue'), meta: { tab: 'me', open: true } },
    { path: '/login', name: 'login', component: () => import('./views/LoginView.vue'), meta: { open: true } },
    { path: '/signup', name: 'signup', component: () => import('./views/SignupView.vue'), meta: { open: true } },
    { path: '/:rest(.*)*', name: 'lost', component: () => import('./views/LostView.vue'), meta: { open: true } },
  ],
})

router.beforeEach(async (to) => {
  const session = useSession()
  if (to.meta.open) {
    void session.restore().catch(() => undefined)
    return true
  }
  try {
    await session.restore()
  } catch {
    // No answer from the server: the screen itself says so and offers another try.
    return true
  }
  return session.user ? true : { name: 'login', query: { next: to.fullPath } }
})
