import { spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { root } from '../../src/site/repository.ts'

const book = (...args: string[]) =>
  spawnSync(process.execPath, [join(root, 'setup', 'book.mjs'), ...args], { encoding: 'utf8' })

it.each([
  [['--prot', '80'], 'error: option: received "--prot"; accepts --port, --source, --help'],
  [['serve'], 'error: word: received "serve"; accepts --port, --source, --help'],
  [['--port', '65536'], 'error: --port: received "65536"; accepts a whole number from 0 to 65535'],
  [['--port', 'http'], 'error: --port: received "http"; accepts a whole number from 0 to 65535'],
  [
    ['build', '--source', 'main'],
    'error: --source: received "main"; accepts an address such as https://host/repository/blob/main',
  ],
])('npm run book refuses %j in one line', (args, line) => {
  const { status, stdout, stderr } = book(...args)
  expect({ status, stdout, stderr }).toEqual({ status: 2, stdout: '', stderr: `${line}\n` })
})

it('npm run book says before the build that its port is in use', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const { status, stderr } = book('--port', String(port))
  server.close()
  expect({ status, stderr }).toEqual({
    status: 2,
    stderr: `error: --port: received "${port}", which cannot be used (EADDRINUSE); accepts a free port, or 0 for any\n`,
  })
})
