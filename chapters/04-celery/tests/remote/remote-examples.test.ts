/** The remote examples as a reader runs them, in three terminals, and remote-currency by its result, in this process. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readHeader } from '@repo/common/example/header'
import { UsageError } from '@repo/common/example/usage'
import { loader, startServer } from '@repo/common/process/child'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { readRate } from '@repo/common/workloads/rates'
import { afterEach, describe, expect, it, vi } from 'vitest'
import remoteCurrency from '../../examples/remote-currency.ts'
import remoteNames from '../../examples/remote-names.ts'
import remoteWorker from '../../examples/remote-worker.ts'
import { newSecret } from '../../src/remote/processes.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const examples = ['remote-names', 'remote-worker', 'remote-currency']

afterEach(() => void vi.unstubAllEnvs())

describe('remote-names', () => {
  it('needs a secret to stay', async () => {
    for (const secret of [undefined, 'too short']) {
      vi.stubEnv('REMOTE_SECRET', secret)
      const error = await remoteNames.run({ stay: true }).catch((error: Error) => error)
      expect(error).toBeInstanceOf(UsageError)
      const { message } = error as Error
      expect(message).toMatch(/^REMOTE_SECRET: received "?[\w ]+"?; accepts a secret of at least 16 characters[^\n]*$/)
      if (secret) expect(message).not.toContain(secret)
    }
  })
})

describe('remote-currency', () => {
  it('calls in all ways, with the same results', async () => {
    const result = await remoteCurrency.run({ pairs: 7, delay: 5 })
    let worth = 100
    const journey = ['usd', 'eur', 'jpy', 'gbp', 'cny', 'aud']
    for (const [at, to] of journey.slice(1).entries()) worth *= (await readRate({ from: journey[at] ?? '', to })).rate
    expect(result.worth).toBeCloseTo(worth, 9)
    expect(result).toMatchObject({
      pairs: 7,
      delayMs: 5,
      reports: 7,
      purses: [2, 0],
      ways: [{ received: 7 }, { received: 7 }, { received: 5 }, { received: 1 }],
    })
    expect(result.faults.map(({ type }) => type)).toEqual([
      'UnknownCurrencyError',
      'TypeError',
      'TypeError',
      'CallTimeoutError',
      'DisconnectedError',
      'DisconnectedError',
      'DisconnectedError',
    ])
  })

  it('reports a name server that is not there', async () => {
    vi.stubEnv('REMOTE_SECRET', newSecret())
    await expect(remoteCurrency.run({ names: 'ws://127.0.0.1:1' })).rejects.toThrow(
      /^ws:\/\/127\.0\.0\.1:1 cannot be reached: .+$/,
    )
  })
})

it('the three work together in three terminals until Ctrl-C, and do not tell the secret', async () => {
  const env = { REMOTE_SECRET: newSecret() }
  const output: string[] = []
  async function inTerminal(name: string, ...args: string[]) {
    const server = await startServer({
      command: process.execPath,
      args: [...loader(), `examples/${name}.ts`, ...args],
      cwd: chapter,
      env,
      ready: /Ctrl-C/,
      onLine: (line) => output.push(line),
    })
    const address = /ws:\/\/[\d.]+:\d+/.exec(output.at(-1) ?? '')?.[0] ?? ''
    return { ...server, address }
  }
  await using names = await inTerminal('remote-names', '--stay')
  const given = ['--names', names.address, '--name', 'exchange.mine']
  await using worker = await inTerminal('remote-worker', ...given, '--latency', '0', '--instances', 'single')
  const run = await runExample(chapter, 'remote-currency', [...given, '--quick', '--pairs', '3'], { env })
  expect(run.code).toBe(0)
  expect(await run.leftBehind()).toEqual([])
  expect(run.stdout).toContain(`says that exchange.mine is at ${worker.address}`)
  // The three of the cut connections, and those of before, are gone; the name is there until the worker ends.
  expect(await worker.stop()).toEqual({ code: 143, signal: null })
  vi.stubEnv('REMOTE_SECRET', env.REMOTE_SECRET)
  const gone = await runHere(remoteCurrency, ...given, '--quick')
  expect(gone).toMatchObject({ code: 1, stderr: 'error: no object is registered as exchange.mine\n' })
  vi.stubEnv('REMOTE_SECRET', newSecret())
  const wrong = remoteCurrency.run({ names: names.address, name: 'exchange.mine' })
  await expect(wrong).rejects.toThrow(new RegExp(`^${names.address} refuses the secret$`))
  names.process.kill('SIGINT')
  expect(await names.exited).toEqual({ code: 130, signal: null })
  expect([output.join(), run.stdout, run.stderr, gone.stderr].join()).not.toContain(env.REMOTE_SECRET)
})

describe('options', () => {
  it.each(examples)('of %s are explained', async (name) => {
    const { text } = await readHeader(join(chapter, 'examples', `${name}.ts`))
    expect(text).toMatch(new RegExp(`^${name}: `))
    expect(text).toContain('REMOTE_SECRET')
  })

  it.each<[string, () => Promise<unknown>]>([
    ['--lease: received "0"', () => remoteNames.run({ lease: 0 })],
    ['--host: received "; rm -rf /"', () => remoteNames.run({ host: '; rm -rf /' })],
    ['--instances: received "many"', () => remoteWorker.run({ instances: 'many' as never })],
    ['--name: received "__proto__"', () => remoteWorker.run({ name: '__proto__' })],
    ['--pairs: received "0"', () => remoteCurrency.run({ pairs: 0 })],
    ['--names: received "ws://"', () => remoteCurrency.run({ names: 'ws://' })],
  ])('are refused in one line: %s', async (said, run) => {
    const error = await run().catch((error: Error) => error)
    expect(error).toBeInstanceOf(UsageError)
    expect((error as Error).message).toMatch(new RegExp(`^${said}; accepts [^\n]+$`))
  })
})
