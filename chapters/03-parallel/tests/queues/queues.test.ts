/** Queues between processes: every task is done once, every consumer ends, and killed consumers are replaced. */
import { leavesNothingRunning } from '@repo/common/testing/vitest'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { AsyncQueue } from '../../src/queues/async-queue.ts'
import { Fifo } from '../../src/queues/fifo.ts'
import { type ConsumerTask, startConsumers, stop, type TaskResult } from '../../src/queues/process-queues.ts'
import { isAlive } from '../fixtures/alive.ts'

// A test says which start of a process fails, counted from 1. Another file may have loaded it in this process.
const failing = vi.hoisted(() => {
  vi.resetModules()
  return { start: 0 }
})
vi.mock('@repo/common/process/child', async (original) => {
  const actual = await original<typeof import('@repo/common/process/child')>()
  const startProgram: typeof actual.startProgram = async (...args) => {
    if (--failing.start === 0) throw new Error('no more processes')
    return await actual.startProgram(...args)
  }
  return { ...actual, startProgram }
})

/** Has consumers do all tasks and end. Returns the results in the order in which they arrived. */
async function consume(
  list: ConsumerTask[],
  { consumers, signal, onReady }: { consumers: number; signal?: AbortSignal; onReady?: (pids: number[]) => void },
): Promise<TaskResult[]> {
  const tasks = new AsyncQueue<ConsumerTask | typeof stop>()
  const results = new AsyncQueue<TaskResult>()
  await using running = await startConsumers(consumers, { tasks, results, signal })
  onReady?.(running.pids)
  for (const task of list) tasks.put(task)
  for (let consumer = 0; consumer < consumers; consumer++) tasks.put(stop)
  const taken: TaskResult[] = []
  while (taken.length < list.length) taken.push(await results.take())
  await running.ended
  return taken
}

const echoes = (count: number): ConsumerTask[] => Array.from({ length: count }, (_, at) => ({ echo: `text ${at}` }))

describe('a task queue between processes', () => {
  leavesNothingRunning()

  it('hands out every task once and ends with its consumers', async () => {
    let pids: number[] = []
    const onReady = (ready: number[]) => {
      pids = ready
    }
    const results = await consume(echoes(200), { consumers: 3, onReady })
    expect(results.map(({ value }) => value).sort()).toEqual(
      echoes(200)
        .map((task) => 'echo' in task && task.echo)
        .sort(),
    )
    expect(pids.length).toBe(3)
    expect(new Set(results.map(({ pid }) => pid)).isSubsetOf(new Set(pids))).toBe(true)
    expect(pids.filter(isAlive)).toEqual([])
  })

  it('ends even with more consumers than tasks, and with no tasks', async () => {
    expect((await consume(echoes(1), { consumers: 3 })).length).toBe(1)
    expect(await consume([], { consumers: 2 })).toEqual([])
  })

  it('fails the task of a consumer that is killed, and no other', async () => {
    const tasks: ConsumerTask[] = [...echoes(5), { kill: true }, ...echoes(20), { kill: true }, { kill: true }]
    const results = await consume(tasks, { consumers: 2 })
    expect(results.length).toBe(tasks.length)
    const failed = results.filter(({ error }) => error !== undefined)
    expect(failed.map(({ task }) => task)).toEqual([{ kill: true }, { kill: true }, { kill: true }])
    for (const { pid, error } of failed) expect(error).toBe(`its consumer, process ${pid}, was ended by SIGKILL`)
  })

  it('ends only when the replacement of the last consumer has ended', async () => {
    const results = await consume([{ kill: true }, { kill: true }, { echo: 'at last' }], { consumers: 1 })
    for (const { error } of results.slice(0, 2)) expect(error).toMatch(/was ended by SIGKILL$/)
    expect(results[2]?.value).toBe('at last')
  })

  it.each([
    ['a consumer', 2, echoes(3)],
    ['a replacement', 3, [{ kill: true } as const, ...echoes(100)]],
  ])('fails, and stops all the others, when %s cannot be started', async (_, start, tasks) => {
    failing.start = start
    await expect(consume(tasks, { consumers: 2 })).rejects.toThrow('no more processes')
  })

  it('replaces a consumer that is killed from outside while it waits for a task', async () => {
    const killFirst = (pids: number[]) => void process.kill(pids[0] as number, 'SIGKILL')
    const results = await consume(echoes(100), { consumers: 2, onReady: killFirst })
    const lost = results.filter(({ error }) => error !== undefined).length
    expect(results.length).toBe(100)
    // At most the task that it had just been given.
    expect(lost).toBeLessThanOrEqual(1)
  })

  it('hands out whatever can be copied, and fails what cannot, and no other task', async () => {
    const circular: { echo: string; self?: object } = { echo: 'round' }
    circular.self = circular
    const lines = () => {
      // Its message would have several lines.
    }
    const strange = [{ echo: 1n }, { echo: undefined }, circular, lines, { echo: Symbol('s') }] as ConsumerTask[]
    const results = await consume([...echoes(1), ...strange, ...echoes(1)], { consumers: 1 })
    expect(results.map(({ value, error }) => error ?? value)).toEqual([
      'text 0',
      1n,
      undefined,
      'round',
      '() => { // Its message would have several lines. } could not be cloned.',
      'Symbol(s) could not be cloned.',
      'text 0',
    ])
  })

  it('needs a consumer', async () => {
    await expect(consume(echoes(1), { consumers: 0 })).rejects.toThrow('count: received 0; accepts a whole number')
  })

  it('stops its consumers when it is aborted', async () => {
    const controller = new AbortController()
    let pids: number[] = []
    const onReady = (ready: number[]) => {
      pids = ready
      controller.abort(new Error('enough'))
    }
    await expect(consume(echoes(10_000), { consumers: 2, signal: controller.signal, onReady })).rejects.toThrow(
      'enough',
    )
    expect(pids.filter(isAlive)).toEqual([])
  })
})

describe('a queue on one thread', () => {
  it('serves takers in order and keeps items that no taker waits for, even null', async () => {
    const queue = new AsyncQueue<number | null>()
    const [first, second] = [queue.take(), queue.take()]
    for (const item of [1, 2, null, 4]) queue.put(item)
    queue.putBack(0)
    expect(await Promise.all([first, second, queue.take(), queue.take(), queue.take()])).toEqual([1, 2, 0, null, 4])
  })

  it('gives what is put back to a taker that waits', async () => {
    const queue = new AsyncQueue<number>()
    const waiting = queue.take()
    queue.putBack(1)
    expect(await waiting).toBe(1)
    queue.put(2)
    expect(await queue.take()).toBe(2)
  })

  it('is the queue that arrays make, in any order of calls', () => {
    const step = fc.oneof(fc.constant('take' as const), fc.nat(), fc.record({ back: fc.nat() }))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const fifo = new Fifo<number>()
        const model: number[] = []
        for (const step of steps) {
          expect(fifo.first).toBe(model[0])
          if (step === 'take') expect(fifo.shift()).toBe(model.shift())
          else if (typeof step === 'number') {
            fifo.push(step)
            model.push(step)
          } else {
            fifo.putBack(step.back)
            model.unshift(step.back)
          }
          expect(fifo.size).toBe(model.length)
        }
        expect(fifo.clear()).toEqual(model)
        expect([fifo.size, fifo.first]).toEqual([0, undefined])
      }),
    )
  })

  it('hands out a million items, one after the other', async () => {
    // With an array's own shift this takes hours.
    const queue = new AsyncQueue<number>()
    const waiting = Array.from({ length: 500_000 }, () => queue.take())
    for (let item = 0; item < 1_000_000; item++) queue.put(item)
    let sum = 0
    for (const item of waiting) sum += await item
    for (let item = waiting.length; item < 1_000_000; item++) sum += await queue.take()
    expect(sum).toBe(499_999_500_000)
  })

  it('that has failed hands out what it has, then its error', async () => {
    const queue = new AsyncQueue<number>()
    const waiting = queue.take()
    queue.fail(new Error('no more'))
    await expect(waiting).rejects.toThrow('no more')
    queue.put(1)
    expect(await queue.take()).toBe(1)
    await expect(queue.take()).rejects.toThrow('no more')
  })
})
