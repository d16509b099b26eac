import type { Plugin } from 'vite'

/**
 * Vant's icon stylesheet carries its font as a data address and falls back to a third party's server.
 * The font becomes a file of our own, so that the page needs neither `font-src data:` nor the outside.
 */
export function ownIconFont(): Plugin {
  let building = false
  return {
    name: 'own-icon-font',
    enforce: 'pre',
    configResolved(config) {
      building = config.command === 'build'
    },
    transform(css, id) {
      if (!/vant\/es\/icon\/index\.css/.test(id)) return null
      const data = /data:font\/woff2;charset=utf-8;base64,([A-Za-z0-9+/=]+)/.exec(css)
      if (!data?.[1]) throw new Error('the icon font is not where it was in the stylesheet of vant/es/icon')
      const source = building ? emit.call(this, data[1]) : data[0]
      return css.replace(/src:[^}]*}/, `src:url("${source}") format("woff2");font-display:block}`)
    },
  }
}

function emit(this: { emitFile(file: { type: 'asset'; name: string; source: Uint8Array }): string }, base64: string) {
  const reference = this.emitFile({ type: 'asset', name: 'icons.woff2', source: Buffer.from(base64, 'base64') })
  return `__VITE_ASSET__${reference}__`
}
