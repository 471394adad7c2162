/** An owner's children and folders do not outlive it, however it ends. */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { rmdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { until } from '../../src/async/until.ts'
import { temporaryFolder } from '../../src/process/temporary.ts'
import { findRedisServer, installRedis } from '../../src/servers/redis.ts'
import { type Run, runProgram } from '../../src/testing/testing.ts'
import { describeReal } from '../../src/testing/vitest.ts'

const testsFolder = fileURLToPath(new URL('..', import.meta.url))

const redis = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }
describeReal('an owner of a server, a blocked program, a stubborn one, a grandchild and a folder', redis, () => {
  // Most of the time they wait for the reaper's patience to end.
  const run = (ending: string, options = {}) =>
    runProgram('fixtures/owner.ts', [ending], {
      cwd: testsFolder,
      env: { REDIS_URL: undefined },
      timeoutMs: 50_000,
      ...options,
    })
  /** Fails if a process, the server's port or the folder still exists after the time. */
  async function expectNothingLeft({ stdout, leftBehind }: Run, waitMs: number) {
    expect(await leftBehind(waitMs)).toEqual([])
    const { folder, port, pids } = JSON.parse(stdout.split('\n')[0] ?? '')
    expect(pids).toEqual(Array(4).fill(expect.any(Number)))
    const socket = connect(port, '127.0.0.1')
    const [error] = await once(socket, 'error')
    expect(error.code).toBe('ECONNREFUSED')
    // Folders are removed last.
    await until(() => !existsSync(folder), { timeoutMs: waitMs })
  }

  it.concurrent('leaves nothing when it disposes of them and waits', async () => {
    const result = await run('dispose')
    expect(result.code, result.stderr).toBe(0)
    expect(JSON.parse(result.stdout.split('\n')[1] ?? '')).toEqual([
      { code: 0, signal: null },
      { code: null, signal: 'SIGKILL' },
      { code: null, signal: 'SIGKILL' },
      { code: null, signal: 'SIGTERM' },
    ])
    await expectNothingLeft(result, 0)
  })

  it.concurrent.each(['exit', 'throw'])('leaves nothing when it ends with %s', async (ending) => {
    const result = await run(ending)
    expect(result.code).toBe(ending === 'exit' ? 7 : 1)
    await expectNothingLeft(result, 15_000)
  })

  it.concurrent('leaves nothing when it is killed', async () => {
    const result = await run('wait', { interruptWhen: /}\n/, interruptWith: 'SIGKILL' })
    expect(result.signal).toBe('SIGKILL')
    await expectNothingLeft(result, 15_000)
  })

  it.concurrent('stops them itself after Ctrl-C, which reaches none of them', async () => {
    const result = await run('wait', { interruptWhen: /}\n/ })
    expect(result.code, result.stderr).toBe(0)
    expect(result.stdout).toContain('[{"code":0,"signal":null},')
    expect(result.stdout).not.toContain('SIGINT')
    await expectNothingLeft(result, 0)
  })
})

it('leaves alone what was no longer guarded when its owner was killed', async () => {
  await using folder = await temporaryFolder()
  const owner = join(folder.path, 'owner.ts')
  await writeFile(
    owner,
    `import { mkdir } from 'node:fs/promises'
     import { temporaryFolder } from ${JSON.stringify(fileURLToPath(new URL('../../src/process/temporary.ts', import.meta.url)))}
     const [kept, returned] = [await temporaryFolder(), await temporaryFolder()]
     await returned[Symbol.asyncDispose]()
     // Now it belongs to somebody else.
     await mkdir(returned.path)
     console.log(JSON.stringify([kept.path, returned.path]))
     setInterval(() => {}, 1_000)`,
  )
  const run = await runProgram(owner, [], { interruptWhen: /]/, interruptWith: 'SIGKILL' })
  const [kept, returned] = run.json<[string, string]>()
  expect(await run.leftBehind()).toEqual([])
  expect([existsSync(kept), existsSync(returned)]).toEqual([false, true])
  await rmdir(returned)
})
