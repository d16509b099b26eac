/// <reference types="vitest/config" />
import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'
import { fixtures } from './dev/fixtures.ts'
import { ownIconFont } from './scripts/icon-font.ts'

// `npm run dev` talks to a running portal when PORTAL_URL is set, else to made-up data in dev/.
const portal = process.env.PORTAL_URL

export default defineConfig({
  plugins: [vue(), ownIconFont(), ...(portal || process.env.VITEST ? [] : [fixtures()])],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: { __VUE_I18N_LEGACY_API__: false, __VUE_I18N_FULL_INSTALL__: false, __INTLIFY_PROD_DEVTOOLS__: false },
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { host: '127.0.0.1', proxy: portal ? { '/api': portal } : {} },
  test: { environment: 'happy-dom', include: ['test/**/*.test.ts'] },
})
