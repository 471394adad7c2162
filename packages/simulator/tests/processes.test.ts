/** Nodes as processes: they reach each other, keep what they saved, and can be killed, cut off and sped up. */
import { existsSync } from 'node:fs'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { until } from '@repo/common/async/until'
import { temporaryFolder } from '@repo/common/process/temporary'
import { leavesNothingRunning } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import { startNode } from '../src/node.ts'
import { startProcesses } from '../src/processes.ts'
import type { Handler } from '../src/simulator.ts'
import type { Ping, Report } from './pinger.program.ts'

const names = ['a', 'b', 'c']
const program = new URL('./pinger.program.ts', import.meta.url)

/** Starts nodes that ping each other, and counts what they report: pings by sender and receiver, such as `a b`. */
async function startPingers(folder: string, everyMs = 5) {
  const counts = new Map<string, number>()
  const processes = await startProcesses<object, Report>({
    program,
    names,
    settings: { names, everyMs },
    folder,
    onReport(to, { counts: own }) {
      for (const [from, count] of own) counts.set(`${from} ${to}`, count)
    },
  })
  const count = (way: string) => counts.get(way) ?? 0
  /** Waits until some more pings have arrived. */
  const more = (...ways: string[]) => {
    const before = ways.map(count)
    return until(() => ways.every((way, at) => count(way) >= (before[at] ?? 0) + 3), { what: `pings ${ways}` })
  }
  return { processes, count, more, [Symbol.asyncDispose]: processes[Symbol.asyncDispose] }
}

it('waits for months, and for ever, where timers of Node would fire at once', async () => {
  const done: number[] = []
  function* waiting(ms: number): Handler<string, object> {
    yield { do: 'wait', ms }
    done.push(ms)
  }
  const ended = Promise.withResolvers<void>()
  await using _node = await startNode<object>({
    name: 'a',
    ports: new Map(),
    begin({ run }) {
      for (const ms of [Infinity, 2 ** 31, 5]) run('a', waiting(ms))
      run(
        'a',
        (function* (): Handler<string, object> {
          yield { do: 'wait', ms: 10 }
          ended.resolve()
        })(),
      )
      return () => undefined
    },
  })
  await ended.promise
  expect(done).toEqual([5])
})

describe('nodes as processes', () => {
  leavesNothingRunning()

  it('keep what they saved when they are killed, and are found again on their new ports', async () => {
    await using folder = await temporaryFolder()
    await using pingers = await startPingers(folder.path)
    const { processes, count, more } = pingers
    await more('a b', 'b a', 'c a', 'a c')
    await processes.children.get('a').kill()
    const reported = count('b a')
    await processes.children.restart('a')
    await more('b a', 'a b')
    expect(count('b a')).toBeGreaterThan(reported)
  })

  it('are cut off from each other, but not from a client, until that is healed', async () => {
    await using folder = await temporaryFolder()
    await using pingers = await startPingers(folder.path)
    const { processes, count, more } = pingers
    await using _client = await processes.join<Ping>('client', (world) => {
      world.run(
        'client',
        (function* () {
          for (;;) {
            yield { do: 'send', to: 'a', message: { ping: 1 } } as const
            yield { do: 'wait', ms: 5 } as const
          }
        })(),
      )
      return () => undefined
    })
    await more('a b', 'b a', 'client a')
    processes.cut('a')
    const cut = () => [count('a b'), count('b a')]
    let before: number[]
    // Until all know of the cut, and have counted what was on its way. On a busy machine that is much.
    do {
      before = cut()
      await more('client a', 'b c', 'c b')
    } while (!isDeepStrictEqual(cut(), before))
    await more('client a', 'b c', 'c b')
    expect(cut()).toEqual(before)
    processes.heal()
    await more('a b', 'b a')
  })

  it('wait for less time when their timers run faster', async () => {
    await using folder = await temporaryFolder()
    // However busy the machine is: c waits for 40 s until it has sent as many.
    await using pingers = await startPingers(folder.path, 2_000)
    const { processes, count } = pingers
    await until(() => count('a b') > 0 && count('c b') > 0)
    processes.setPace('a', 400)
    const [fast, slow] = [count('a b'), count('c b')]
    await until(() => count('a b') >= fast + 40)
    expect(count('c b') - slow).toBeLessThan(20)
  })

  it.runIf(existsSync('/dev/full'))('end with one line when they cannot save', async () => {
    await using folder = await temporaryFolder()
    await mkdir(join(folder.path, 'b'))
    await symlink('/dev/full', join(folder.path, 'b', 'journal'))
    await using pingers = await startPingers(folder.path)
    expect(await pingers.processes.failed).toEqual(new Error('b ended: ENOSPC: no space left on device, write'))
  })

  it('do not start on a damaged disk, and leave nothing', async () => {
    await using folder = await temporaryFolder()
    await mkdir(join(folder.path, 'b', 'journal'), { recursive: true })
    await expect(startPingers(folder.path)).rejects.toThrow('EISDIR')
  })
})
