/**
 * `npm run book`: builds the book's site, unless nothing has changed, and serves it. `npm run book:build` only builds it.
 * `npm run book:draw` and `npm run book:times` renew what the build takes from files: diagrams and how long examples take.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { install } from './install.mjs'
import { fail, root, run, say } from './run.mjs'

const help = `npm run book: builds the book as a site, in book/dist, with an EPUB beside it, and serves it

  npm run book                             builds it, if anything has changed, and serves it
  npm run book -- --port 8080              there; 4321 by default, 0 for any free port
  npm run book:build                       only builds it
  npm run book:build -- --source URL       links to source files begin with URL, such as https://…/blob/main
  npm run book:draw                        draws new diagrams, in Chromium
  npm run book:times -- 03-parallel/fib    measures how long an example takes; all of them by default
`

const options = { port: { type: 'string' }, source: { type: 'string' }, help: { type: 'boolean', short: 'h' } }
const accepts = 'received %; accepts --port, --source, --help'
const [command, ...words] = ['build', 'draw', 'times'].includes(process.argv[2])
  ? process.argv.slice(2)
  : ['serve', ...process.argv.slice(2)]

const { values, positionals, tokens } = parseArgs({ args: words, options, strict: false, tokens: true })
for (const { kind, name, rawName } of tokens) {
  if (kind === 'option' && !(name in options)) fail(`option: ${accepts.replace('%', `"${rawName}"`)}`, 2)
}
if (values.help) {
  process.stdout.write(help)
} else {
  if (command !== 'times' && positionals.length > 0) fail(`word: ${accepts.replace('%', `"${positionals[0]}"`)}`, 2)
  const { port = '4321', source } = values
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    fail(`--port: received "${port}"; accepts a whole number from 0 to 65535`, 2)
  }
  if (source !== undefined && !/^https?:\/\/./.test(source)) {
    fail(`--source: received "${source}"; accepts an address such as https://host/repository/blob/main`, 2)
  }
  if (command === 'serve') await requireFree(Number(port))
  process.exitCode = await book(port, source)
}

async function book(port, source) {
  if (command === 'serve' || command === 'build') say('building the book …')
  const node = await install()
  const cwd = join(root, 'book')
  const program = (name, ...args) =>
    run(node, ['--import', 'tsx', join('src', 'site', `${name}.program.ts`), ...args], { cwd, stdout: true })
  if (command === 'draw' || command === 'times') return (await program(command, ...positionals)).code

  const started = performance.now()
  const turbo = join(root, 'node_modules', 'turbo', 'bin', 'turbo')
  const env = {
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
    ASTRO_TELEMETRY_DISABLED: '1',
    ...(source && { BOOK_SOURCE: source.replace(/\/$/, '') }),
  }
  const args = [turbo, 'run', 'build', '--filter=book', '--ui=stream', '--output-logs=errors-only']
  const { code } = await run(node, args, { env })
  if (code !== 0) return code
  say(`built in ${((performance.now() - started) / 1000).toFixed(1)} s: ${join('book', 'dist', 'index.html')}`)
  return command === 'build' ? 0 : (await program('serve', port)).code
}

/** Says at once that a port is in use, and not after the build. */
async function requireFree(port) {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
    server.close()
  } catch (error) {
    fail(`--port: received "${port}", which cannot be used (${error.code}); accepts a free port, or 0 for any`, 2)
  }
}
