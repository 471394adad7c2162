/** The pool, for threads and for processes, under everything that tasks can do to their workers. */
import { getEventListeners } from 'node:events'
import { until } from '@repo/common/async/until'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Task } from '../../src/peers/tasks.worker.ts'
import { WorkerPool } from '../../src/pool/pool.ts'
import { processes, threads, type WorkerEvents } from '../../src/pool/workers.ts'
import { isAlive } from '../fixtures/alive.ts'
import { collectGarbage } from '../fixtures/memory.ts'

const tasks = new URL('../../src/peers/tasks.worker.ts', import.meta.url)
const echo = (value: unknown): Task => ({ do: 'echo', value })
const heapMb = 32

afterEach(() => {
  vi.useRealTimers()
})

const kinds = [
  ['threads', () => threads(tasks, { heapMb })],
  ['processes', () => processes(tasks, { heapMb })],
] as const

describe.each(kinds)('a pool of %s', (kind, start) => {
  const startWith = (fixture: string) => {
    const file = new URL(`../fixtures/${fixture}.ts`, import.meta.url)
    return kind === 'threads' ? threads(file) : processes(file)
  }

  it('does every task once and returns its result', async () => {
    await using pool = new WorkerPool<Task, unknown>(start(), 3)
    const values = Array.from({ length: 3_000 }, (_, at) => ({ at }))
    expect(await Promise.all(values.map((value) => pool.run(echo(value))))).toEqual(values)
  })

  it.each([
    ['throw', /^RangeError: a bug in the task$/],
    ['exit', kind === 'threads' ? /^Error: the worker exited with code 3 during its task$/ : /exited with code 3/],
    ['hang', /^TimeoutError: no result within 100 ms: its worker was stopped$/],
    ['exhaust', kind === 'threads' ? /^Error: the worker ran out of memory, its limit is 32 MB/ : /its heap is full$/],
  ] as const)('lives on when a task does this: %s', async (fault, cause) => {
    await using pool = new WorkerPool<Task, unknown>(start(), 2)
    // Both workers have started, so that the deadline ends one that hangs.
    if (fault === 'hang') await Promise.all([pool.run(echo('a')), pool.run(echo('b'))])
    const outcomes = await Promise.allSettled([
      pool.run(echo(0)),
      pool.run({ do: fault }, fault === 'hang' ? { timeoutMs: 100 } : {}),
      ...Array.from({ length: 8 }, (_, at) => pool.run(echo(at + 1))),
    ])
    const [bad] = outcomes.splice(1, 1)
    const { name, message } = (bad as PromiseRejectedResult).reason
    expect(`${name}: ${message}`).toMatch(cause)
    expect(outcomes.map((outcome) => outcome.status === 'fulfilled' && outcome.value)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8,
    ])
    // Both workers are still there, or have been replaced.
    expect(await Promise.all([pool.run(echo('a')), pool.run(echo('b'))])).toEqual(['a', 'b'])
  })

  it('fails a task even if what it throws is undefined', async () => {
    await using pool = new WorkerPool<Task, unknown>(startWith('throws-nothing'), 1)
    await expect(pool.run(echo(1))).rejects.toBeUndefined()
  })

  it('cancels a queued task without starting it, and a running one with its worker', async () => {
    await using pool = new WorkerPool<Task, unknown>(start(), 1)
    const started: string[] = []
    const controllers = [new AbortController(), new AbortController()] as const
    const running = pool.run({ do: 'hang' }, { signal: controllers[0].signal, onStart: () => started.push('running') })
    const queued = pool.run(echo(1), { signal: controllers[1].signal, onStart: () => started.push('queued') })
    const last = pool.run(echo(2), { onStart: () => started.push('last') })
    controllers[1].abort(new Error('not needed'))
    await expect(queued).rejects.toThrow('not needed')
    controllers[0].abort(new Error('enough'))
    await expect(running).rejects.toThrow('enough')
    expect(await last).toBe(2)
    expect(started).toEqual(['running', 'last'])
    await expect(pool.run(echo(3), { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before')
  })

  it('fails every task with the cause when its workers cannot even start', async () => {
    const missing = new URL('../src/no-such-file.ts', import.meta.url)
    await using pool = new WorkerPool<Task, unknown>(kind === 'threads' ? threads(missing) : processes(missing), 2)
    const outcomes = await Promise.allSettled([1, 2, 3].map((value) => pool.run(echo(value))))
    for (const outcome of outcomes) expect(String((outcome as PromiseRejectedResult).reason)).toMatch(/no-such-file/)
  })

  it('refuses what cannot be copied to a worker or back, and goes on', async () => {
    await using pool = new WorkerPool<unknown, unknown>(start(), 1)
    await expect(pool.run(echo(() => {}))).rejects.toThrow(/could not be cloned/)
    await expect(pool.run({ do: 'function' })).rejects.toThrow(/could not be cloned/)
    expect(await pool.run(echo(1))).toBe(1)
  })

  it('takes and returns any value that can be copied', async () => {
    const circular: { self?: object } = {}
    circular.self = circular
    const map = new Map([[1, new Date(0)]])
    const values = [undefined, null, 1n, 'text', Number.NaN, circular, map, { cmd: 'NODE_HANDLE' }, new Uint8Array(3)]
    await using pool = new WorkerPool<unknown, unknown>(startWith('returns'), 1)
    expect(await Promise.all(values.map((value) => pool.run(value)))).toEqual(values)
  })

  it('does not take what a task posts by itself for results', async () => {
    await using pool = new WorkerPool<number, unknown>(startWith('talks'), 2)
    const numbers = Array.from({ length: 10 }, (_, at) => at)
    expect(await Promise.all(numbers.map((value) => pool.run(value)))).toEqual(numbers)
  })

  it('loses no task to a worker that has closed its channel', async () => {
    await using pool = new WorkerPool<{ hangUp: boolean; stay: boolean }, unknown>(startWith('hangs-up'), 1)
    const hungUp = pool.run({ hangUp: true, stay: false })
    // A thread has a channel for its tasks besides the one that it can close.
    if (kind === 'threads') expect(await hungUp).toEqual({ hangUp: true, stay: false })
    else await expect(hungUp).rejects.toThrow(/the worker process \d+ .* during its task/)
    expect(await pool.run({ hangUp: false, stay: false })).toEqual({ hangUp: false, stay: false })
  })

  it('fails a task whose result is too deep to be read here, and goes on', async () => {
    await using pool = new WorkerPool<string, unknown>(startWith('awkward'), 1)
    await expect(pool.run('deep')).rejects.toThrow("the task's result cannot be read: Maximum call stack size exceeded")
    expect(await pool.run('well')).toBe('well')
  })

  it("says what a task's error says, whatever cannot be copied with it", async () => {
    await using pool = new WorkerPool<string, unknown>(startWith('awkward'), 1)
    const error = await pool.run('cause').catch((error: Error) => error)
    expect(error).toMatchObject({ message: 'no page', stack: expect.stringMatching(/awkward\.ts:\d+/) })
    await expect(pool.run('abort')).rejects.toThrow('This operation was aborted')
    expect(await pool.run('well')).toBe('well')
  })

  it('fails the task during which its worker ends with what ended it, even null', async () => {
    await using pool = new WorkerPool<string, unknown>(startWith('awkward'), 1)
    const outcomes = await Promise.allSettled(['late null', 'late error', 'well'].map((task) => pool.run(task)))
    expect(outcomes).toEqual([
      { status: 'rejected', reason: null },
      { status: 'rejected', reason: new Error('late error') },
      { status: 'fulfilled', value: 'well' },
    ])
  })

  it('finishes what it has when it is closed, and takes nothing more', async () => {
    const pool = new WorkerPool<Task, unknown>(start(), 2)
    const given = Array.from({ length: 20 }, (_, at) => pool.run(echo(at)))
    const closing = pool.close()
    await expect(pool.run(echo('late'))).rejects.toThrow('the pool is closed')
    await closing
    expect(await Promise.all(given)).toEqual(Array.from({ length: 20 }, (_, at) => at))
  })

  it('fails what it has when it is disposed of', async () => {
    const pool = new WorkerPool<Task, unknown>(start(), 1)
    const outcomes = Promise.allSettled([pool.run({ do: 'hang' }), pool.run(echo(1))])
    await pool[Symbol.asyncDispose]()
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: new Error('the pool was closed') })
  })
})

it('gives no task to a worker whose reply arrives while the pool ends it', async () => {
  const workers: WorkerEvents[] = []
  const given: number[] = []
  const start = (events: WorkerEvents) => {
    const number = workers.push(events)
    return { send: () => void given.push(number), stop: async () => events.onReply({ value: 'late' }) }
  }
  await using pool = new WorkerPool<Task, unknown>(start, 1)
  const cancellation = new AbortController()
  const cancelled = pool.run(echo(1), { signal: cancellation.signal })
  cancellation.abort(new Error('enough'))
  await expect(cancelled).rejects.toThrow('enough')
  const next = pool.run(echo(2))
  await until(() => given.length === 2)
  expect(given).toEqual([1, 2])
  workers[1]?.onReply({ value: 'in time' })
  expect(await next).toBe('in time')
})

it('gives no task to a worker that ended while it had none', async () => {
  const workers: WorkerEvents[] = []
  const start = (events: WorkerEvents) => {
    const value = workers.push(events)
    return { send: () => events.onReply({ value }), stop: async () => {} }
  }
  await using pool = new WorkerPool<Task, unknown>(start, 1)
  expect(await pool.run(echo(1))).toBe(1)
  workers[0]?.onEnd(new Error('killed'))
  expect(await pool.run(echo(2))).toBe(2)
})

it.each([0, -1, 1.5, Number.NaN, Infinity])('refuses to have %s workers', (size) => {
  const create = () => new WorkerPool<Task, unknown>(threads(tasks), size)
  expect(create).toThrow(new RangeError(`size: received ${size}; accepts a whole number of workers from 1`))
})

it.each([0, -1, 0.5, 1, 15, 16.5, 2 ** 20 + 1, 1e300, Number.NaN, Infinity])('refuses a heap of %s MB', (heapMb) => {
  for (const kind of [threads, processes]) {
    expect(() => kind(tasks, { heapMb })).toThrow(
      new RangeError(`heapMb: received ${heapMb}; accepts a whole number of MB from 16 to 1048576`),
    )
  }
})

it.each([16, 2 ** 20])('does a task with a heap of %s MB', async (heapMb) => {
  for (const kind of [threads, processes]) {
    await using pool = new WorkerPool<Task, unknown>(kind(tasks, { heapMb }), 1)
    expect(await pool.run(echo(1))).toBe(1)
  }
})

it('says that the module of its threads never loads', async () => {
  const file = new URL('../fixtures/never-loads.ts', import.meta.url)
  await using pool = new WorkerPool<Task, unknown>(threads(file), 1)
  await expect(pool.run(echo(1))).rejects.toThrow('the worker has not loaded its module: an await in it never ends')
})

/** Workers whose every step the test takes. */
function controlledWorkers() {
  const started: { events: WorkerEvents; tasks: unknown[]; gone: PromiseWithResolvers<void> }[] = []
  const start = (events: WorkerEvents) => {
    const worker = { events, tasks: [] as unknown[], gone: Promise.withResolvers<void>() }
    started.push(worker)
    return { send: (task: unknown) => void worker.tasks.push(task), stop: () => worker.gone.promise }
  }
  return { start, started }
}

it('has no more workers than its size, even while it ends some', async () => {
  const { start, started } = controlledWorkers()
  const pool = new WorkerPool<number, unknown>(start, 2)
  const cancellation = new AbortController()
  const cancelled = [1, 2, 3].map((task) => pool.run(task, { signal: cancellation.signal }))
  const last = pool.run(4)
  cancellation.abort(new Error('enough'))
  for (const outcome of await Promise.allSettled(cancelled)) expect(outcome).toMatchObject({ status: 'rejected' })
  // Both workers are still being ended.
  expect(started.length).toBe(2)
  started[1]?.gone.resolve()
  await until(() => started.length === 3)
  expect(started[2]?.tasks).toEqual([4])
  started[2]?.events.onReply({ value: 'done' })
  expect(await last).toBe('done')
  for (const { gone } of started) gone.resolve()
  await pool.close()
})

it('has one worker at a time if its size is 1, however many tasks are cancelled', async () => {
  let alive = 0
  let most = 0
  const counting: ReturnType<typeof threads> = (events) => {
    most = Math.max(most, ++alive)
    const worker = threads(tasks)(events)
    return { ...worker, stop: () => worker.stop().finally(() => alive--) }
  }
  await using pool = new WorkerPool<Task, unknown>(counting, 1)
  for (let round = 0; round < 5; round++) {
    const cancellation = new AbortController()
    const onStart = () => void setImmediate(() => cancellation.abort(new Error('enough')))
    await expect(pool.run({ do: 'hang' }, { signal: cancellation.signal, onStart })).rejects.toThrow('enough')
  }
  expect(await pool.run(echo(1))).toBe(1)
  expect(most).toBe(1)
})

it('fails the task whose worker cannot be started, goes on, and closes', async () => {
  let starts = 0
  const start = (events: WorkerEvents) => {
    if (++starts <= 2) throw new Error('no more threads')
    return { send: () => setImmediate(() => events.onReply({ value: 'done' })), stop: async () => {} }
  }
  const pool = new WorkerPool<number, unknown>(start, 1)
  const outcomes = await Promise.allSettled([1, 2, 3].map((task) => pool.run(task)))
  expect(outcomes).toEqual([
    { status: 'rejected', reason: new Error('no more threads') },
    { status: 'rejected', reason: new Error('no more threads') },
    { status: 'fulfilled', value: 'done' },
  ])
  await pool.close()
})

it('gives the next task to a worker that is idle, whichever others have ended', async () => {
  const { start, started } = controlledWorkers()
  const pool = new WorkerPool<number, unknown>(start, 3)
  const running = [1, 2, 3].map((task) => pool.run(task))
  const [first, second, third] = started
  first?.events.onReply({ value: 1 })
  second?.events.onReply({ value: 2 })
  await Promise.all(running.slice(0, 2))
  // A busy one ends, and then an idle one.
  third?.events.onEnd(new Error('killed'))
  await expect(running[2]).rejects.toThrow('killed')
  first?.events.onEnd(new Error('killed'))
  const next = pool.run(4)
  expect(second?.tasks).toEqual([2, 4])
  expect(started.length).toBe(3)
  second?.events.onReply({ value: 4 })
  expect(await next).toBe(4)
  for (const { gone } of started) gone.resolve()
  await pool.close()
})

it('waits for its last task when it is closed', async () => {
  const { start, started } = controlledWorkers()
  const pool = new WorkerPool<number, unknown>(start, 1)
  const last = pool.run(1)
  const closing = pool.close()
  started[0]?.events.onReply({ value: 'done' })
  expect(await last).toBe('done')
  started[0]?.gone.resolve()
  await closing
})

it('replaces a worker that has ended', async () => {
  const { start, started } = controlledWorkers()
  const pool = new WorkerPool<number, unknown>(start, 1)
  const first = pool.run(1)
  started[0]?.events.onEnd(new Error('killed'))
  await expect(first).rejects.toThrow('killed')
  const second = pool.run(2)
  started[1]?.events.onReply({ value: 2 })
  expect(await second).toBe(2)
})

it('waits for any time', async () => {
  await using pool = new WorkerPool<Task, unknown>(threads(tasks), 1)
  for (const timeoutMs of [2 ** 31, 1e15, Infinity]) expect(await pool.run(echo(1), { timeoutMs })).toBe(1)
  for (const timeoutMs of [Number.NaN, -1]) {
    await expect(pool.run(echo(1), { timeoutMs })).rejects.toThrow(
      /^timeoutMs: received .*; accepts milliseconds from 0/,
    )
  }
})

it('fails the task whose onStart throws, and no other', async () => {
  await using pool = new WorkerPool<Task, unknown>(threads(tasks), 1)
  const onStart = () => {
    throw new Error('a bug in the callback')
  }
  const [first, second] = [pool.run(echo(1), { onStart }), pool.run(echo(2))]
  await expect(first).rejects.toThrow('a bug in the callback')
  expect(await second).toBe(2)
})

it('fails the task when the callback for its process throws, and ends the process', async () => {
  const pids: number[] = []
  const onProcess = (pid: number) => {
    pids.push(pid)
    throw new Error('a bug in the callback')
  }
  await using pool = new WorkerPool<Task, unknown>(processes(tasks, { onProcess }), 1)
  await expect(pool.run(echo(1))).rejects.toThrow('a bug in the callback')
  await until(() => !pids.some(isAlive))
})

it('fails a task for a process that has hung up but lives on', async () => {
  type HangUp = { hangUp: boolean; stay: boolean }
  const file = new URL('../fixtures/hangs-up.ts', import.meta.url)
  const pids: number[] = []
  await using pool = new WorkerPool<HangUp, unknown>(processes(file, { onProcess: (pid) => pids.push(pid) }), 1)
  // Its reply cannot be sent, so the process ends, whatever keeps it busy.
  await expect(pool.run({ hangUp: true, stay: true })).rejects.toThrow(/the worker process \d+ .* during its task/)
  expect(await pool.run({ hangUp: false, stay: true })).toEqual({ hangUp: false, stay: true })
  expect(pids.length).toBe(2)
})

it('holds neither a task nor a result that is done with', async () => {
  const { start, started } = controlledWorkers()
  const pool = new WorkerPool<object, object>(start, 1)
  const cancellation = new AbortController()
  const held: WeakRef<object>[] = []
  const watched = () => {
    const value = { large: new Uint8Array(1_000) }
    held.push(new WeakRef(value))
    return value
  }
  async function doOne() {
    const done = pool.run(watched())
    started[0]?.tasks.splice(0)
    started[0]?.events.onReply({ value: watched() })
    await done
  }
  for (let round = 0; round < 20; round++) await doOne()
  // A cancelled task is held no longer either, though it waits behind one that runs.
  const running = pool.run({})
  started[0]?.tasks.splice(0)
  const cancelled = pool.run(watched(), { signal: cancellation.signal })
  cancellation.abort(new Error('enough'))
  await expect(cancelled).rejects.toThrow('enough')
  // What a turn of the event loop has looked at lives until its end.
  await new Promise((resolve) => setImmediate(resolve))
  collectGarbage()
  expect(held.filter((value) => value.deref() !== undefined).length).toBe(0)
  started[0]?.events.onReply({ value: {} })
  await running
})

it('refuses any number of queued tasks that cannot be copied', async () => {
  const workers: WorkerEvents[] = []
  const start = (events: WorkerEvents) => {
    workers.push(events)
    let sent = 0
    const send = () => {
      if (sent++ > 0) throw new Error('could not be cloned')
    }
    return { send, stop: async () => {} }
  }
  await using pool = new WorkerPool<Task, unknown>(start, 1)
  const outcomes = Promise.allSettled(Array.from({ length: 20_000 }, (_, at) => pool.run(echo(at))))
  workers[0]?.onReply({ value: 'first' })
  const [first, ...others] = await outcomes
  expect(first).toEqual({ status: 'fulfilled', value: 'first' })
  expect(others.every(({ status }) => status === 'rejected')).toBe(true)
})

it('ends a worker only once, even if the pool is disposed of while the worker is ending', async () => {
  const gone = Promise.withResolvers<void>()
  let stops = 0
  const stop = () => {
    stops++
    return gone.promise
  }
  const pool = new WorkerPool<Task, unknown>(() => ({ send: () => {}, stop }), 1)
  const cancellation = new AbortController()
  const running = pool.run({ do: 'hang' }, { signal: cancellation.signal })
  cancellation.abort(new Error('enough'))
  await expect(running).rejects.toThrow('enough')
  const disposal = pool[Symbol.asyncDispose]()
  gone.resolve()
  await disposal
  expect(stops).toBe(1)
})

describe('a pool of threads', () => {
  it('carries the stack of an error across', async () => {
    await using pool = new WorkerPool<Task, unknown>(threads(tasks), 1)
    const error = await pool.run({ do: 'throw' }).catch((error: Error) => error)
    expect((error as Error).stack).toMatch(/tasks\.worker\.ts:\d+/)
    expect(error).toBeInstanceOf(RangeError)
  })

  it('starts no more workers than it needs', async () => {
    let count = 0
    const counting: ReturnType<typeof threads> = (events) => {
      count++
      return threads(tasks)(events)
    }
    await using pool = new WorkerPool<Task, unknown>(counting, 4)
    for (const value of [1, 2, 3]) await pool.run(echo(value))
    expect(count).toBe(1)
  })
})

describe('a pool of processes', () => {
  it('replaces a process that is killed, and fails only its task', async () => {
    const pids: number[] = []
    await using pool = new WorkerPool<Task, unknown>(processes(tasks, { onProcess: (pid) => pids.push(pid) }), 2)
    const hanging = Promise.allSettled([pool.run({ do: 'hang' }), pool.run({ do: 'hang' })])
    const others = Array.from({ length: 6 }, (_, at) => pool.run(echo(at)))
    await until(() => pids.length === 2)
    const killed = [...pids]
    for (const pid of killed) process.kill(pid, 'SIGKILL')
    const causes = (await hanging).map((outcome) => String((outcome as PromiseRejectedResult).reason))
    for (const pid of killed) expect(causes.join()).toContain(`process ${pid} was ended by SIGKILL during its task`)
    expect(await Promise.all(others)).toEqual([0, 1, 2, 3, 4, 5])
    expect(pids.length).toBe(4)
    await pool.close()
    expect(pids.filter(isAlive)).toEqual([])
  })

  it('leaves no process behind when it is disposed of while they start', async () => {
    const pids: number[] = []
    const pool = new WorkerPool<Task, unknown>(processes(tasks, { onProcess: (pid) => pids.push(pid) }), 2)
    const outcomes = Promise.allSettled([pool.run({ do: 'hang' }), pool.run({ do: 'hang' })])
    await pool[Symbol.asyncDispose]()
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(pids.filter(isAlive)).toEqual([])
  })
})

it('keeps neither a listener nor a timer of a task that is done', async () => {
  await using pool = new WorkerPool<Task, unknown>(threads(tasks), 1)
  const controller = new AbortController()
  const { signal } = controller
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  expect(await pool.run(echo(1), { signal, timeoutMs: 60_000 })).toBe(1)
  expect(getEventListeners(signal, 'abort')).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
  // Too late to matter, even to the worker's next task.
  const next = pool.run(echo(2))
  controller.abort()
  expect(await next).toBe(2)
})
