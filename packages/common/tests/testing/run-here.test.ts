/** Running an example in the test's own process: what it printed, its exit code, and that nothing of it stays. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { describe, expect, it, vi } from 'vitest'
import { example } from '../../src/example/example.ts'
import { wholeNumber } from '../../src/example/options.ts'
import { abortHere, runHere } from '../../src/testing/run-here.ts'

const counting = example(import.meta, {
  options: { to: wholeNumber(1, 9).default(3).describe('how far') },
  async run({ to }, { print }) {
    print(`counting to ${to}`)
    return { to }
  },
  figure: ({ to }) => String(to),
})

describe('runHere', () => {
  it('returns what was printed, and the exit code', async () => {
    expect(await runHere(counting, '--to', '4')).toMatchObject({ code: 0, stdout: 'counting to 4\n', stderr: '' })
    expect((await runHere(counting, '--json')).json()).toEqual({ to: 3 })
    const refused = await runHere(counting, '--to', '10', '--json')
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(() => refused.json()).toThrow(
      /^it ended with 2 and did not print one JSON document: error: --to: received "10"/,
    )
  })

  it('leaves the outputs as they were', async () => {
    const state = () => [process.stdout, process.stderr].map((stream) => [stream.write, stream.listenerCount('error')])
    const before = state()
    await runHere(counting)
    await runHere(counting, '--to', '10')
    expect(state()).toEqual(before)
  })
})

describe('abortHere', () => {
  const servers: Server[] = []
  const serving = (leave: boolean) =>
    example(import.meta, {
      options: {},
      async run(_, { signal }) {
        const server = createServer().listen(0, '127.0.0.1')
        servers.push(server)
        try {
          await once(server, 'connection', { signal })
        } finally {
          if (!leave) server.close()
        }
      },
      figure: () => '',
    })

  it('returns the error of a run that it has aborted', async () => {
    expect(await abortHere(serving(false))).toMatchObject({ name: 'AbortError' })
  })

  it('notices a thread, even if something that was left open before closes meanwhile', async () => {
    const left = createServer().listen(0, '127.0.0.1')
    await once(left, 'listening')
    const thread = example(import.meta, {
      options: {},
      async run(_, { signal }) {
        const worker = new Worker('setInterval(() => {}, 1000)', { eval: true })
        left.close()
        await once(worker, 'exit', { signal }).finally(() => worker.terminate())
      },
      figure: () => '',
    })
    expect(await abortHere(thread)).toMatchObject({ name: 'AbortError' })
  })

  it('fails for a run that ends first', async () => {
    await expect(abortHere(counting)).rejects.toThrow('the run ended before it was aborted')
  })

  it('waits until nothing is open', async () => {
    let ended = false
    const aborted = abortHere(serving(true)).finally(() => {
      ended = true
    })
    // As long as a look at what is open takes, several times over.
    for (let turn = 0; turn < 20; turn++) await delay(10)
    expect(ended).toBe(false)
    servers.at(-1)?.close()
    expect(await aborted).toBeInstanceOf(Error)
  })

  it('says what is open when it gives up, not what was open before', async () => {
    const [closing, staying] = [createServer(), createServer()]
    const waiting = Promise.withResolvers<void>()
    const leaving = example(import.meta, {
      options: {},
      async run(_, { signal }) {
        for (const server of [closing, staying]) server.listen(0, '127.0.0.1')
        await once(closing, 'connection', { signal }).finally(waiting.resolve)
      },
      figure: () => '',
    })
    const message = abortHere(leaving).catch((error: Error) => error.message)
    await waiting.promise
    await delay(1)
    closing.close()
    await once(closing, 'close')
    // A look that had begun before has ended.
    for (let turn = 0; turn < 20; turn++) await delay(10)
    // Its patience has come to an end.
    const now = performance.now()
    using _clock = vi.spyOn(performance, 'now').mockImplementation(() => now + 60_000)
    expect(await message).toMatch(/^not within 30 s: nothing of the run open; last: .*TCPSERVERWRAP/)
    expect(String(await message).match(/TCPSERVERWRAP/g)).toHaveLength(1)
    staying.close()
  })
})
