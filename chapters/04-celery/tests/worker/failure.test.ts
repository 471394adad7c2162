/** The border between tasks and BullMQ: whatever a task throws or returns, it ends once, with a reason that can be read. */
import { expect, it } from 'vitest'
import { z } from 'zod'
import { linkError, step } from '../../src/canvas/canvas.ts'
import { apply } from '../../src/canvas/plan.ts'
import { taskErrorSchema } from '../../src/queue/message.ts'
import { gather } from '../../src/queue/results.ts'
import { defineTask, signature } from '../../src/queue/task.ts'
import { checkedResult, Failure, textsOf } from '../../src/worker/failure.ts'
import { describeRedis, useLayer } from '../fixtures/layer.ts'

const layer = useLayer()

/** An error under a name that BullMQ takes for an order. */
function named(name: string) {
  const error = new Error('mine')
  error.name = name
  return error
}

function raise(message: string): never {
  throw new Error(message)
}

/** An error whose stack is a text only when it is asked for the first time. */
function fickle() {
  const error = new Error('mine')
  let asked = 0
  return Object.defineProperty(error, 'stack', { get: () => (asked++ === 0 ? 'text' : Symbol('none')) })
}

const thrown: Record<string, [value: unknown, message: string]> = {
  null: [null, 'Error: null'],
  undefined: [undefined, 'Error: undefined'],
  text: ['just text', 'Error: just text'],
  number: [17, 'Error: 17'],
  message: [Object.assign(new Error('x'), { message: { code: 7 } }), 'Error: { code: 7 }'],
  hostile: [new Proxy({}, { get: () => Promise.reject }), 'Error: '],
  waiting: [named('WaitingError'), 'WaitingError: mine'],
  delayed: [named('DelayedError'), 'DelayedError: mine'],
  children: [named('WaitingChildrenError'), 'WaitingChildrenError: mine'],
  limited: [new Error('bullmq:rateLimitExceeded'), 'Error: Error: bullmq:rateLimitExceeded'],
  odd: [named('a name\nof two lines'), 'Error: mine'],
  classless: [new Proxy(new Error('mine'), { getPrototypeOf: () => raise('trap') }), 'Error: '],
  fickle: [fickle(), 'Error: mine'],
}

let tries = 0
const throws = defineTask({
  name: 'throws',
  args: z.object({ what: z.string() }),
  run: ({ what }): string => {
    tries++
    throw thrown[what]?.[0]
  },
})

const returned: Record<string, unknown> = { nan: Number.NaN, date: new Date(), large: 'x'.repeat(1_000), bigint: 10n }
const returns = defineTask({
  name: 'returns',
  args: z.object({ what: z.string() }),
  retries: { max: 3, baseMs: 1 },
  run: ({ what }): unknown => {
    tries++
    return returned[what]
  },
})

describeRedis('a task', () => {
  it('that throws anything at all has failed once, with that', async () => {
    tries = 0
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [throws] })
    const kinds = Object.keys(thrown)
    const sent = await client.sendMany(
      throws,
      kinds.map((what) => ({ what })),
    )
    const outcomes = await Promise.all(sent.map((result) => result.settled()))
    for (const [at, outcome] of outcomes.entries()) {
      if (outcome.ok) throw new Error('it succeeded')
      expect(outcome.error.message).toContain(thrown[kinds[at] ?? '']?.[1])
    }
    expect(tries).toBe(kinds.length)
    expect(await sent[0]?.state()).toBe('failed')
  })

  it('is retried after anything it throws, unless the policy fails itself', async () => {
    tries = 0
    const client = await layer.openClient()
    const patient = { ...throws, retries: { max: 2, baseMs: 1 } }
    const broken = {
      ...throws,
      name: 'broken',
      retries: {
        max: 2,
        when: (error: Error) => (error as unknown as { response: { status: number } }).response.status === 503,
      },
    }
    await layer.startWorker({ tasks: [patient, broken] })
    await expect((await client.send(patient, { what: 'null' })).get()).rejects.toThrow('Error: null')
    expect(tries).toBe(3)
    await expect((await client.send(broken, { what: 'text' })).get()).rejects.toThrow('Error: just text')
    expect(tries).toBe(4)
  })

  it('whose result would not arrive as it is has failed, and is not retried', async () => {
    tries = 0
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [returns], maxPayloadBytes: 1_000 })
    const messages = {
      nan: 'InvalidResult: returns: the result: JSON cannot carry NaN',
      date: 'InvalidResult: returns: the result: JSON cannot carry a Date',
      bigint: 'InvalidResult: returns: the result: JSON cannot carry it: Do not know how to serialize a BigInt',
      large: 'PayloadTooLarge: returns: received a result of 1002 bytes; accepts 1000: store large data elsewhere',
    }
    for (const [what, message] of Object.entries(messages)) {
      await expect((await client.send(returns, { what })).get()).rejects.toThrow(message)
    }
    expect(tries).toBe(4)
    await layer.startWorker({ tasks: [{ ...returns, maxPayloadBytes: 1_002 }], queues: ['roomy'], maxPayloadBytes: 1 })
    expect(await (await client.send(returns, { what: 'large' }, { queue: 'roomy' })).get()).toHaveLength(1_000)
  })

  it('refuses arguments that would arrive as something else, and converts those that can convert themselves', async () => {
    const client = await layer.openClient()
    const value = z.object({ value: z.unknown() })
    const same = defineTask({ name: 'same', args: value, run: ({ value }) => value })
    await layer.startWorker({ tasks: [same] })
    await expect(client.send(same, { value: Number.NaN })).rejects.toThrow('same: JSON cannot carry NaN at value')
    await expect(client.send(same, { value: new Map() })).rejects.toThrow('same: JSON cannot carry a Map at value')
    const at = new Date(0)
    expect(await (await client.send(same, { value: at })).get()).toBe(at.toISOString())
    const dated = { ...same, args: z.object({ value: z.date() }) }
    await expect(client.send(dated, { value: at })).rejects.toThrow('same: value: Invalid input: expected date')
  })

  it('reports no progress that is too large', async () => {
    const client = await layer.openClient()
    const reports = defineTask({
      name: 'reports',
      args: z.object({}),
      maxPayloadBytes: 10,
      run: async (_, { progress }) => await progress({ text: 'x'.repeat(10) }),
    })
    await layer.startWorker({ tasks: [reports] })
    await expect((await client.send(reports, {})).get()).rejects.toThrow('reports: received progress of 21 bytes')
  })

  it('that fails with anything has its error links', async () => {
    const client = await layer.openClient()
    const note = defineTask({
      name: 'note',
      args: z.object({ error: taskErrorSchema }),
      run: ({ error: { name, message } }) => `${name}: ${message}`,
    })
    await layer.startWorker({ tasks: [throws, note] })
    const sent = await Promise.all(
      ['null', 'text'].map((what) => apply(client, linkError(signature(throws, { what }), step(note, 'error')))),
    )
    const noted = sent.flatMap(({ linked }) => linked.map(({ id }) => client.result<string>(id)))
    await Promise.allSettled(sent.map((canvas) => canvas.get()))
    expect(await gather(noted)).toEqual(['Error: null', 'Error: just text'])
  })
})

describeRedis('a failure', () => {
  it('has texts even if the error answers otherwise when it is asked again', () => {
    expect(textsOf(fickle())).toEqual({ name: 'Error', message: 'mine', stack: 'Error: mine' })
  })

  it('keeps the frames of the error under the name it has now, and is short', () => {
    const error = new RangeError('x'.repeat(5_000_000))
    error.name = 'TooFar'
    const failure = new Failure(error, 0)
    expect(failure.message).toHaveLength('x'.repeat(10_000).length + '… (of 5000000 characters)'.length)
    expect(failure.stack).toMatch(/^TooFar: x+… \(of 5000000 characters\)\n {4}at .*failure\.test\.ts/)
    expect(failure.stack?.length).toBeLessThan(31_000)
    expect([failure.name, failure.cause]).toEqual(['Failure', error])
    expect(new Failure(error, -1).name).toBe('UnrecoverableError')
  })

  it('has its own frames, its whole message up to 10,000 characters, and no colon without one', () => {
    const silent = new TypeError('')
    expect(textsOf(silent).stack).toMatch(/^TypeError\n {4}at .*failure\.test\.ts/)
    const stack = Object.assign(new Error('x'.repeat(10_000)), { stack: 'without frames' })
    expect(textsOf(stack)).toEqual({ name: 'Error', message: stack.message, stack: `Error: ${stack.message}` })
    expect(textsOf(new Error('x'.repeat(10_001))).message).toBe(`${'x'.repeat(10_000)}… (of 10001 characters)`)
    const deep = Object.assign(new Error('x'), { stack: `Error: x\n${'    at f (file.ts:1:1)\n'.repeat(10_000)}` })
    expect(textsOf(deep).stack.length).toBeLessThan(20_100)
    // What is no error was not thrown where an error is made of it.
    expect(textsOf('text')).toEqual({ name: 'Error', message: 'text', stack: 'Error: text' })
    const named = (name: string) => textsOf(Object.assign(new Error('x'), { name })).name
    expect(['$a.b_C1', '_', '1a', 'a b', ''].map(named)).toEqual(['$a.b_C1', '_', 'Error', 'Error', 'Error'])
  })

  it('has no message that BullMQ takes for an order', () => {
    const order = new RangeError('bullmq:rateLimitExceeded')
    expect(new Failure(order, 7)).toMatchObject({ message: 'RangeError: bullmq:rateLimitExceeded', retryInMs: 7 })
  })
})

describeRedis('a result', () => {
  it('of nothing, or of yes and no, always arrives', () => {
    for (const result of [null, undefined, true, false])
      expect(checkedResult(result, returns, { maxPayloadBytes: 1 })).toBe(result)
    expect(checkedResult('é', returns, { maxPayloadBytes: 4 })).toBe('é')
    expect(() => checkedResult('é', returns, { maxPayloadBytes: 3 })).toThrow('received a result of 4 bytes; accepts 3')
  })
})
