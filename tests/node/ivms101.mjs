// Reads a JSON list of payloads, writes for each whether the ivms101 validators take it.
import { readFileSync } from 'node:fs'
import { isValidIVMS101_2023 } from 'ivms101'

const payloads = JSON.parse(readFileSync(0, 'utf8'))
process.stdout.write(JSON.stringify(payloads.map((one) => isValidIVMS101_2023(one))))
