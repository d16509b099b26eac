// Pictures of every screen with made-up data: `npm run shots -- [name…]` writes shots/*.png.
import { mkdirSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { createServer } from 'vite'

const wanted = process.argv.slice(2)
const out = new URL('../shots/', import.meta.url).pathname
mkdirSync(out, { recursive: true })
const server = await createServer({ configFile: new URL('../vite.config.ts', import.meta.url).pathname, server: { port: 0 }, logLevel: 'error' })
await server.listen()
const base = `http://127.0.0.1:${server.httpServer.address().port}`
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
})

const id = (name) => `[data-testid="${name}"]`
const SCREENS = {
  market: async (page) => page.goto(`${base}/market`),
  'market-empty': async (page) => page.goto(`${base}/market`),
  'market-broken': async (page) => page.goto(`${base}/market`),
  'market-btc': async (page) => {
    await page.goto(`${base}/market/BTC-EUR`)
  },
  book: async (page) => {
    await page.goto(`${base}/market`)
    await page.click(id('market-panel-book'))
  },
  sources: async (page) => {
    await page.goto(`${base}/market`)
    await page.click(id('market-index-source'))
  },
  key: async (page) => page.goto(`${base}/wallet`),
  take: async (page) => {
    await makeKey(page)
    await page.goto(`${base}/market`)
    await page.click(`${id('offer-take')} >> nth=0`)
    await page.fill(id('order-quantity'), '100')
    await page.waitForSelector(id('order-preview'))
  },
  sell: async (page) => {
    await makeKey(page)
    await page.goto(`${base}/market`)
    await page.click(id('market-side-sell'))
    await page.click(`${id('offer-take')} >> nth=0`)
    await page.fill(id('order-money'), '100')
    await page.waitForSelector(id('signing-words'))
  },
  post: async (page) => {
    await makeKey(page)
    await page.goto(`${base}/market`)
    await page.click(id('market-post'))
    await page.click(id('order-side-sell'))
    await page.click(id('order-kind-floating'))
    await page.fill(id('order-margin'), '0,5')
    await page.fill(id('order-quantity'), '500')
    await page.waitForSelector(id('signing-words'))
  },
  'post-wrong': async (page) => {
    await page.goto(`${base}/market`)
    await page.click(id('market-post'))
    await page.fill(id('order-quantity'), '9000')
    await page.waitForTimeout(700)
  },
  'post-more': async (page) => {
    await page.goto(`${base}/market`)
    await page.click(id('market-post'))
    await page.click(id('order-kind-floating'))
    await page.click(`${id('order-more')} summary`)
    await page.selectOption(id('order-tif'), 'GTD')
    await page.check(id('order-post-only'))
  },
  login: async (page) => page.goto(`${base}/login`),
  signup: async (page) => page.goto(`${base}/signup`),
  authenticator: async (page) => {
    await page.goto(`${base}/signup`)
    for (const [name, value] of Object.entries({ 'first-name': 'Alice', 'last-name': 'Muster', nickname: 'alice', email: 'a@example.org', password: 'long enough password' })) {
      await page.fill(id(`signup-${name}`), value)
    }
    await page.selectOption(id('signup-country'), 'DE')
    await page.click(id('signup-submit'))
    await page.waitForSelector(`${id('signup-qr')} img`)
  },
  orders: async (page) => page.goto(`${base}/orders`),
  'orders-empty': async (page) => page.goto(`${base}/orders`),
  'orders-cancel': async (page) => {
    await page.goto(`${base}/orders`)
    await page.click(`${id('order-cancel')} >> nth=0`)
  },
  'orders-amend': async (page) => {
    await page.goto(`${base}/orders`)
    await page.click(`${id('order-amend')} >> nth=0`)
  },
  trades: async (page) => page.goto(`${base}/trades`),
  'trade-pay': async (page) => page.goto(`${base}/trades/103260000000101`),
  'trade-qr': async (page) => {
    await page.goto(`${base}/trades/103260000000101`)
    await page.click(id('trade-qr-toggle'))
  },
  'trade-paid': async (page) => {
    await makeKey(page)
    await page.goto(`${base}/trades/103260000000101`)
    await page.click(id('trade-paid'))
    await page.waitForSelector(id('signing-words'))
  },
  'trade-cancel': async (page) => {
    await page.goto(`${base}/trades/103260000000101`)
    await page.click(id('trade-cancel'))
    await page.waitForSelector(id('signing-words'))
  },
  'trade-release': async (page) => {
    await makeKey(page)
    await page.goto(`${base}/trades/103260000000103`)
    await page.click(id('trade-release'))
    await page.waitForSelector(id('signing-words'))
  },
  'trade-verified': async (page) => page.goto(`${base}/trades/103260000000102`),
  'trade-dispute': async (page) => page.goto(`${base}/trades/103260000000104`),
  'trade-dispute-open': async (page) => {
    await page.goto(`${base}/trades/103260000000103`)
    await page.click(id('trade-dispute'))
  },
  'trade-done': async (page) => {
    await page.goto(`${base}/trades/103260000000105`)
    for (const panel of ['escrow', 'price', 'history']) await page.click(`${id(`trade-${panel}`)} summary`)
  },
  wallet: async (page) => {
    await makeKey(page)
    await page.click(id('wallet-qr-toggle'))
  },
  backup: async (page) => {
    await makeKey(page)
    await page.click(id('wallet-backup'))
  },
  me: async (page) => page.goto(`${base}/me`),
  'me-guest': async (page) => page.goto(`${base}/me`),
  account: async (page) => {
    await page.goto(`${base}/me`)
    await page.click(id('me-account-add'))
    await page.fill(id('account-iban'), 'DE89 3704 0044 0532 0130 01')
    await page.locator(id('account-iban')).blur()
  },
  demo: async (page) => {
    await page.goto(`${base}/market`)
    await page.click(id('demo-banner'))
  },
}
const LOOKS = [
  { look: 'light-en', locale: 'en-GB', colorScheme: 'light', viewport: { width: 390, height: 844 } },
  { look: 'dark-zh', locale: 'zh-CN', colorScheme: 'dark', viewport: { width: 390, height: 844 } },
  ...(process.env.ALL ? [
    { look: 'small-en', locale: 'en-GB', colorScheme: 'dark', viewport: { width: 360, height: 640 } },
    { look: 'laptop-zh', locale: 'zh-CN', colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  ] : []),
]

async function makeKey(page) {
  await page.request.post(`${base}/api/v1/dev/reset`)
  await page.goto(`${base}/wallet`)
  await page.click(id('wallet-create'))
  await page.waitForSelector(id('wallet-backup'))
  await page.waitForTimeout(300)
}

for (const { look, ...settings } of LOOKS) {
  for (const [name, visit] of Object.entries(SCREENS)) {
    if (wanted.length && !wanted.includes(name)) continue
    const context = await browser.newContext({ ...settings, timezoneId: 'Europe/Berlin' })
    for (const flag of ['guest', 'empty', 'broken']) {
      if (name.endsWith(flag)) await context.addCookies([{ name: flag, value: '1', url: base }])
    }
    const page = await context.newPage()
    page.on('pageerror', (error) => console.log(`${look} ${name}: ${error.message}`))
    page.on('console', (message) => message.type() === 'error' && !/ERR_|Failed to load|WebSocket/.test(message.text()) && console.log(`${look} ${name}: ${message.text()}`))
    page.setDefaultTimeout(8000)
    try {
      await visit(page)
      await page.waitForTimeout(500)
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      if (wide > 0) console.log(`${look} ${name}: ${wide} px too wide`)
    } catch (error) {
      console.log(`${look} ${name}: ${String(error.message).split('\n').slice(0, 3).join(' ')}`)
    }
    const sheet = await page.locator('.sheet:visible').count()
    await page.screenshot({ path: `${out}${name}.${look}.png`, fullPage: !sheet })
    await context.close()
  }
}
await browser.close()
await server.close()
