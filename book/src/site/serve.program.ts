/** `serve <port>`: serves the built book on this machine. Port 0 is any free one. */
import { once } from 'node:events'
import { describeError } from '@repo/common/example/usage'
import { serveFolder } from './serve.ts'

const [port = '0'] = process.argv.slice(2)
try {
  const server = await serveFolder('dist', { port: Number(port) })
  process.stdout.write(`The book: ${server.url} (Ctrl-C ends it)\n`)
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(signal, () => {
      process.exitCode = code
      server.close()
    })
  }
  await once(server.http, 'close')
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = 1
}
