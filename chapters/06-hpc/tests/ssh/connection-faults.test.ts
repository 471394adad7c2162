import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '@repo/common/async/until'
import { startProxy } from '@repo/common/servers/proxy'
import { describeReal } from '@repo/common/testing/vitest'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { describe, expect, it } from 'vitest'
import {
  findOpenSsh,
  installOpenSsh,
  type OpenSsh,
  type OpenSshOptions,
  startOpenSsh,
} from '../../src/real/open-ssh.ts'
import { type Connection, type ConnectOptions, connect } from '../../src/ssh/connection.ts'
import { ConnectionLostError } from '../../src/ssh/errors.ts'

interface Setting extends AsyncDisposable {
  server: OpenSsh
  proxy: Awaited<ReturnType<typeof startProxy>>
  connection: Connection
  changes: string[]
}

/** A real sshd, a proxy that can fail before it, and a connection through that. */
async function setUp({ settings, ...options }: OpenSshOptions & Partial<ConnectOptions> = {}): Promise<Setting> {
  await using stack = new AsyncDisposableStack()
  const server = stack.use(await startOpenSsh({ ...(settings && { settings }) }))
  const proxy = stack.use(await startProxy({ port: server.port }))
  const changes: string[] = []
  const onChange = (change: string) => void changes.push(change)
  const connection = stack.use(await connect({ ...server.options, port: proxy.port, onChange, ...options }))
  const all = stack.move()
  return { server, proxy, connection, changes, [Symbol.asyncDispose]: () => all.disposeAsync() }
}

/** What a promise is rejected with. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    (value) => {
      throw new Error(`fulfilled with ${String(value)}`)
    },
    (error) => error,
  )
}

/** A command that records in a file that it has begun, and then waits until the file is removed. */
const waitsFor = (file: string) =>
  ['sh', '-c', 'echo begun >> "$1"; while [ -e "$1" ]; do sleep 0.05; done', 'sh', file] as const

async function hasBegun(file: string, times = 1): Promise<void> {
  await until(async () => (await readFile(file, 'utf8').catch(() => '')) === 'begun\n'.repeat(times))
}

describeReal('faults', { name: 'OpenSSH', found: await findOpenSsh(), install: installOpenSsh }, () => {
  describe('a connection that is lost', () => {
    it('leaves it unknown whether a command ran, and is re-established for the next one', async () => {
      await using set = await setUp()
      const { connection, server, proxy, changes } = set
      const file = join(server.folder, 'mark')
      const lost = rejection(connection.run(waitsFor(file)))
      await hasBegun(file)
      proxy.cut()
      const error = await lost
      expect(error).toBeInstanceOf(ConnectionLostError)
      expect((error as ConnectionLostError).outcome).toBe('unknown')
      expect((error as Error).message).toMatch(
        new RegExp(
          `^${connection.name}: the connection was lost during sh -c .*; whether it was done is unknown$`,
          's',
        ),
      )
      expect(await connection.output(['echo', 'again'])).toBe('again\n')
      expect(changes).toEqual(['lost', 'connected again'])
      // It was begun once: nobody repeated it.
      expect(await readFile(file, 'utf8')).toBe('begun\n')
      await connection.remove(file)
    })

    it('makes a repeatable command run again', async () => {
      await using set = await setUp()
      const { connection, server, proxy } = set
      const file = join(server.folder, 'mark')
      const asked = connection.run(waitsFor(file), { repeatable: true })
      await hasBegun(file)
      proxy.cut()
      await hasBegun(file, 2)
      await connection.remove(file)
      expect((await asked).code).toBe(0)
    })

    it('lets an unsent command run, once, over the next one', async () => {
      await using set = await setUp({ maxSessions: 1 })
      const { connection, server, proxy } = set
      const file = join(server.folder, 'mark')
      const first = rejection(connection.run(waitsFor(file)))
      await hasBegun(file)
      const log = join(server.folder, 'log')
      const waiting = Array.from({ length: 5 }, (_, at) =>
        connection.run(['sh', '-c', 'echo "$1" >> "$2"', 'sh', String(at), log]),
      )
      proxy.cut()
      expect(((await first) as ConnectionLostError).outcome).toBe('unknown')
      await Promise.all(waiting)
      expect((await readFile(log, 'utf8')).split('\n').sort()).toEqual(['', '0', '1', '2', '3', '4'])
      await connection.remove(file)
    })

    it('is given up when the host stays down, and tried again by the next command', async () => {
      await using set = await setUp({ reconnectMs: 300 })
      const { connection, proxy } = set
      proxy.refuse()
      await until(async () =>
        /no connection/.test(String(await rejection(connection.run(['true'], { repeatable: true })))),
      )
      proxy.heal()
      expect(await connection.output(['echo', 'again'])).toBe('again\n')
    })

    it('is not re-established with a host that now has another key', async () => {
      await using set = await setUp()
      const { connection, proxy, server } = set
      const known = await readFile(server.knownHostsFile, 'utf8')
      await writeFile(server.knownHostsFile, known.replace(/^/, '@revoked '))
      proxy.cut()
      await until(async () => /revoked/.test(String(await rejection(connection.run(['true'], { repeatable: true })))))
    })

    it('ends what was being followed live, on the host too', async () => {
      await using set = await setUp()
      const { connection, proxy, server } = set
      const file = join(server.folder, 'mark')
      const follower = await connection.start(waitsFor(file))
      follower.stdout.resume()
      await hasBegun(file)
      const before = await server.sessions()
      proxy.cut()
      await expect(follower.exited).rejects.toBeInstanceOf(ConnectionLostError)
      await until(async () => !(await server.sessions()).some((pid) => before.includes(pid)))
      await until(async () => {
        // If it were still there, it would continue once the file is gone, and only another file would end it.
        const { stdout } = await connection.run(['ps', '-A', '-o', 'args='])
        return !stdout.includes(file)
      })
    })
  })

  it('a killed sshd is survived by polls, and comes back', async () => {
    await using set = await setUp({ reconnectMs: 30_000 })
    const { connection, server } = set
    const file = join(server.folder, 'mark')
    const poll = connection.run(waitsFor(file), { repeatable: true })
    await hasBegun(file)
    await server.kill()
    await server.restart()
    await hasBegun(file, 2)
    await connection.remove(file)
    expect((await poll).code).toBe(0)
  })

  it('a host that has fallen silent is noticed', async () => {
    await using set = await setUp({ keepAliveMs: 1_000 })
    const { connection, proxy, server, changes } = set
    const file = join(server.folder, 'mark')
    const lost = rejection(connection.run(waitsFor(file)))
    await hasBegun(file)
    // Silence for this connection only; the next one gets through.
    proxy.block()
    expect(await lost).toBeInstanceOf(ConnectionLostError)
    expect(changes).toEqual(['lost'])
    proxy.cut()
    proxy.heal()
    // Repeatable, because a busy host may be silent for as long.
    expect(await connection.output(['echo', 'again'], { repeatable: true })).toBe('again\n')
    await connection.remove(file)
  })

  it('an aborted signal ends the connection and everything that waits for it', async () => {
    await using server = await startOpenSsh()
    const controller = new AbortController()
    await using connection = await connect({ ...server.options, signal: controller.signal })
    const file = join(server.folder, 'mark')
    const running = Array.from({ length: 30 }, () => rejection(connection.run(waitsFor(file))))
    await until(async () => (await readFile(file, 'utf8').catch(() => '')).length > 0)
    controller.abort(new Error('Ctrl-C'))
    const errors = await Promise.all([...running, rejection(connection.readFile(file))])
    expect(new Set(errors.map((error) => (error as Error).message))).toEqual(new Set(['Ctrl-C']))
    await expect(connection.run(['true'])).rejects.toThrow('Ctrl-C')
    await until(async () => (await server.sessions()).length === 0)
    await rm(file)
  })
})
