import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Plugin } from 'vite'
import { answers } from './answers.ts'

/** Serves made-up answers under /api while developing screens. Never part of a build. */
export function fixtures(): Plugin {
  return {
    name: 'fixtures',
    apply: 'serve',
    configureServer(server) {
      server.middlewares.use('/api/v1', (request, response) => void serve(request, response))
    },
  }
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = '', query = ''] = (request.url ?? '').split('?')
  const body = await readBody(request)
  const cookies = request.headers.cookie ?? ''
  const { status, json } = answers(`${request.method} ${path}`, new URLSearchParams(query), body, cookies)
  response.statusCode = status
  response.setHeader('Content-Type', 'application/json')
  response.end(status === 204 ? '' : JSON.stringify(json))
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text ? (JSON.parse(text) as Record<string, unknown>) : {}
}
