// Writes the CSS variables of both faces of the product from tokens.json.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const home = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const tokens = JSON.parse(readFileSync(resolve(home, 'tokens.json'), 'utf8'))
const name = (...parts) => `--${[tokens.prefix, ...parts].join('-')}`
const lines = (pairs) => pairs.map(([key, value]) => `  ${key}: ${value};`).join('\n')

/** Variables that differ between light (0) and dark (1). */
function themed(theme) {
  return ['color', 'shadow'].flatMap((group) =>
    Object.entries(tokens[group]).map(([key, values]) => [name(group, key), values[theme]]),
  )
}

/** Variables that are the same in both themes. */
function constant() {
  const groups = ['space', 'radius', 'font', 'size', 'line', 'weight', 'motion']
  const pairs = groups.flatMap((group) =>
    Object.entries(tokens[group]).map(([key, value]) => [name(group, key), value]),
  )
  return pairs.concat(Object.entries(tokens.extra).map(([key, value]) => [name(key), value]))
}

function productCss() {
  const dark = lines([...themed(1), ['color-scheme', 'dark']])
  const light = lines([...themed(0), ['color-scheme', 'light']])
  return [
    '/* Generated from h5_client/tokens.json by `npm run tokens`. Do not edit. */',
    `:root {\n${lines(constant())}\n${light}\n}`,
    `@media (prefers-color-scheme: dark) {\n:root:not([data-theme='light']) {\n${dark}\n}\n}`,
    `:root[data-theme='dark'] {\n${dark}\n}`,
    '',
  ].join('\n')
}

/** Vant reads its own names; the doubled :root outweighs the defaults of its stylesheets. */
function vantCss() {
  const pairs = Object.entries(tokens.vant).map(([key, target]) => [`--van-${key}`, `var(${name(target)})`])
  return `:root:root {\n${lines(pairs)}\n}\n`
}

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  console.log(`wrote ${path}`)
}

const written = [
  ['src/styles/tokens.css', productCss() + vantCss()],
  ['../portal/backoffice/static/tokens.css', productCss()],
]
if (process.argv.includes('--print')) process.stdout.write(written.map(([, text]) => text).join('\n'))
else for (const [path, text] of written) write(resolve(home, path), text)
