/** Our own PostgreSQL: it answers on loopback, and nothing of it outlives its owner. */
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { until } from '../../src/async/until.ts'
import { temporaryFolder } from '../../src/process/temporary.ts'
import { findPostgres, installPostgres, startPostgres } from '../../src/servers/postgres.ts'
import { runProgram } from '../../src/testing/testing.ts'
import { describeReal } from '../../src/testing/vitest.ts'

/** Asks whether the server speaks TLS: it says no, in one letter. Undefined if nobody listens. */
async function answer(port: number): Promise<string | undefined> {
  const socket = connect({ host: '127.0.0.1', port })
  try {
    socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]))
    // A server that is stopping may close the connection without a word.
    for await (const bytes of socket) return String(bytes)
    return undefined
  } catch {
    return undefined
  } finally {
    socket.destroy()
  }
}
const portOf = (url: string) => Number(new URL(url).port)

describeReal('PostgreSQL', { name: 'PostgreSQL', found: await findPostgres(), install: installPostgres }, () => {
  it('answers on its port until it is stopped', async () => {
    let url: string
    {
      await using server = await startPostgres()
      url = server.url('postgres')
      expect(server.version).toMatch(/^\d+\.\d+/)
      expect(new URL(url)).toMatchObject({ hostname: '127.0.0.1', password: expect.stringMatching(/^.{32}$/) })
      expect(server.url('a')).not.toBe(url)
      expect(await answer(portOf(url))).toBe('N')
    }
    expect(await answer(portOf(url))).toBeUndefined()
  })

  it('has its data again after a crash, and is a new one on a new disk', async () => {
    await using server = await startPostgres()
    const url = server.url('postgres')
    // Each initdb gives it another one.
    const identifier = async () => (await readFile(join(server.folder, 'global', 'pg_control'))).readBigUInt64LE()
    const first = await identifier()
    await server.server.kill()
    await server.restart()
    expect(await identifier()).toBe(first)
    expect(await answer(portOf(url))).toBe('N')
    await server.server.kill()
    await server.restart({ withoutData: true })
    expect(await identifier()).not.toBe(first)
    expect(await answer(portOf(url))).toBe('N')
    expect(server.url('postgres')).toBe(url)
  })

  it('does not start once it is aborted', async () => {
    await expect(startPostgres({ signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('abort')
  })

  it('ends, and its folder goes, when its owner is killed', async () => {
    await using folder = await temporaryFolder()
    // As root, the server runs as nobody.
    await chmod(folder.path, 0o711)
    const owner = join(folder.path, 'owner.ts')
    const module = new URL('../../src/servers/postgres.ts', import.meta.url).href
    await writeFile(
      owner,
      `import { startPostgres } from ${JSON.stringify(module)}
      const server = await startPostgres()
      console.log(server.url('postgres'))
      setInterval(() => {}, 1_000)`,
    )
    const env = { TMPDIR: folder.path }
    const run = await runProgram(owner, [], { interruptWhen: /postgres:.*\n/, interruptWith: 'SIGKILL', env })
    expect(run.signal).toBe('SIGKILL')
    await until(async () => (await answer(portOf(run.stdout.trim()))) === undefined)
    // Only the program that was started is left.
    await until(async () => (await readdir(folder.path)).join() === 'owner.ts')
  })
})
