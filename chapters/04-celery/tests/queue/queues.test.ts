/** Queues: which task goes where, in which order, at which times, and how often its effect happens. */
import { until } from '@repo/common/async/until'
import { defaultRepeatStrategy } from 'bullmq'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { gather } from '../../src/queue/results.ts'
import { routed } from '../../src/queue/routing.ts'
import { schedule, schedules, unschedule, type When } from '../../src/queue/schedule.ts'
import { defineTask, type Signature, signature } from '../../src/queue/task.ts'
import { type Effect, once } from '../../src/worker/idempotency.ts'
import { describeRedis, useLayer } from '../fixtures/layer.ts'

const layer = useLayer({ appendOnly: true })

describeRedis('routes', () => {
  it('take the first matching pattern', () => {
    const routes = { 'mail.send': 'urgent', 'mail.*': 'mail', '*.image.*': 'images', '*': 'rest' }
    const queues = ['mail.send', 'mail.list', 'x.image.y', 'x.image', 'mail'].map((task) => routed(task, routes))
    expect(queues).toEqual(['urgent', 'mail', 'images', 'rest', 'rest'])
    expect(routed('a', { b: 'c' })).toBeUndefined()
    expect(routed('ab', { 'ab*b': 'c' })).toBeUndefined()
  })

  it('match exactly what a regular expression would match', () => {
    const piece = fc.constantFrom('a', 'b', '.', 'ab')
    const name = fc.array(piece, { maxLength: 8 }).map((parts) => parts.join(''))
    const pattern = fc.array(fc.oneof(piece, fc.constant('*')), { maxLength: 8 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(name, pattern, (task, glob) => {
        const expression = new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll('*', '.*')}$`)
        expect(routed(task, { [glob]: 'q' })).toBe(expression.test(task) ? 'q' : undefined)
      }),
    )
  })

  it('give way to the call, and come before the task', async () => {
    const where = defineTask({ name: 'where', queue: 'own', args: z.object({}), run: (_, { queue }) => queue })
    const client = await layer.openClient({ routes: { 'x.*': 'x' } })
    const routed = await layer.openClient({ routes: { where: 'routed' } })
    await layer.startWorker({ tasks: [where], queues: ['own', 'routed', 'called'] })
    expect(await (await client.send(where, {})).get()).toBe('own')
    expect(await (await routed.send(where, {})).get()).toBe('routed')
    expect(await (await routed.send(where, {}, { queue: 'called' })).get()).toBe('called')
  })

  it('keep a queue from workers that do not listen to it', async () => {
    const where = defineTask({ name: 'where', args: z.object({}), run: (_, { worker }) => worker })
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [where], queues: ['a'], name: 'of a' })
    const mine = await client.send(where, {}, { queue: 'b' })
    expect(await (await client.send(where, {}, { queue: 'a' })).get()).toBe('of a')
    expect(await mine.state()).toBe('waiting')
    await layer.startWorker({ tasks: [where], queues: ['b'], name: 'of b' })
    expect(await mine.get()).toBe('of b')
  })
})

describeRedis('priorities', () => {
  const order: number[] = []
  const note = defineTask({
    name: 'note',
    args: z.object({ n: z.number() }),
    run: ({ n }) => void order.push(n),
  })

  it('order all tasks of a queue that keeps them, those without one in the middle, equal ones as they were sent', async () => {
    order.length = 0
    const queueSettings = { urgent: { priorities: true } }
    const client = await layer.openClient({ queueSettings })
    const sent = await client.sendAll([
      signature(note, { n: 5 }, { queue: 'urgent' }),
      signature(note, { n: 9 }, { queue: 'urgent', priority: 9 }),
      signature(note, { n: 5.1 }, { queue: 'urgent' }),
      signature(note, { n: 1 }, { queue: 'urgent', priority: 1 }),
      signature(note, { n: 4 }, { queue: 'urgent', priority: 4 }),
      signature(note, { n: 5.2 }, { queue: 'urgent', priority: 5 }),
      signature(note, { n: 1.1 }, { queue: 'urgent', priority: 1 }),
    ])
    // Sent by a program with BullMQ alone, without a priority: the layer cannot change that, and it comes first.
    await client.queue('urgent').add('note', { args: { n: 0 }, version: 1 }, { jobId: 'urgent.raw.1' })
    await layer.startWorker({ tasks: [note], queues: ['urgent'], concurrency: 1, queueSettings })
    await gather(sent)
    expect(order).toEqual([0, 1, 1.1, 4, 5, 5.1, 5.2, 9])
  })

  it('are refused in a queue that keeps none, where they would not mean what they say', async () => {
    const client = await layer.openClient()
    await expect(client.send(note, { n: 1 }, { priority: 1 })).rejects.toThrow(
      'note: the queue "default" keeps no priorities; declare it with { priorities: true }',
    )
    const keeps = await layer.openClient({ queueSettings: { default: { priorities: true } } })
    await expect(keeps.send(note, { n: 1 }, { priority: 10 })).rejects.toThrow('received 10; accepts 1 to 9')
  })
})

describeRedis('a schedule', () => {
  const tick = (ticks: string[]) =>
    defineTask({ name: 'tick', args: z.object({}), run: (_, { id }) => void ticks.push(id) })

  it('fires again and again, once each time, even when many programs declare it often', async () => {
    const ticks: string[] = []
    const task = tick(ticks)
    const clients = await Promise.all([layer.openClient(), layer.openClient(), layer.openClient()])
    const declare = async () =>
      await Promise.all(clients.map((client) => schedule(client, 'clock', { everyMs: 100 }, signature(task, {}))))
    await declare()
    await Promise.all([layer.startWorker({ tasks: [task] }), layer.startWorker({ tasks: [task], name: 'second' })])
    await until(async () => {
      await declare()
      return ticks.length >= 6
    })
    // The id of such a task ends with its moment: none may come twice, and none may lie between two others.
    const moments = ticks.map((id) => Number(id.split(':').at(-1)))
    for (const [at, moment] of moments.entries()) {
      if (at > 0) expect((moment - (moments[at - 1] ?? 0)) % 100).toBe(0)
      if (at > 0) expect(moment).toBeGreaterThan(moments[at - 1] ?? 0)
    }
    const [client] = clients
    if (!client) throw new Error('no client')
    expect(await schedules(client, 'default')).toMatchObject([{ name: 'clock', task: 'tick', when: { everyMs: 100 } }])
    expect(await unschedule(client, 'default', 'clock')).toBe(true)
    expect(await unschedule(client, 'default', 'clock')).toBe(false)
    expect(await schedules(client, 'default')).toEqual([])
  })

  it('has one task waiting while no worker runs, and does not pile up', async () => {
    const task = tick([])
    const client = await layer.openClient()
    const first = await schedule(client, 'clock', { everyMs: 10 }, signature(task, {}))
    await until(async () => (await first?.state()) === 'waiting')
    const counts = async () => await client.queue('default').getJobCountByTypes('waiting', 'delayed', 'prioritized')
    const begun = Date.now()
    await until(() => Date.now() > begun + 100)
    expect(await counts()).toBe(1)
  })

  it('survives a restart of Redis', async () => {
    const ticks: string[] = []
    const task = tick(ticks)
    const client = await layer.openClient()
    await schedule(client, 'clock', { everyMs: 50 }, signature(task, {}))
    await layer.redis.server?.kill()
    await layer.redis.restart()
    await layer.startWorker({ tasks: [task] })
    await until(() => ticks.length >= 3)
  })

  it('replaces one with the same name, by a cron pattern in a time zone', async () => {
    const task = tick([])
    const client = await layer.openClient()
    await schedule(client, 'report', { everyMs: 60_000 }, signature(task, {}))
    const when = { cron: '30 6 * * 1-5', timeZone: 'Europe/Rome' }
    await schedule(client, 'report', when, signature(task, {}))
    const [known, ...others] = await schedules(client, 'default')
    expect([known?.when, others]).toEqual([when, []])
    const rome = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Rome', timeStyle: 'short', dateStyle: 'full' })
    const next = rome.format(known?.next)
    expect(next).toMatch(/^(Monday|Tuesday|Wednesday|Thursday|Friday).*06:30$/)
  })

  it('that is never due is refused', async () => {
    const task = tick([])
    const client = await layer.openClient()
    for (const cron of ['0 0 30 2 *', '0 0 31 4 *', '0 0 31 2,4 *', '99 * * * *', '0 0 * * 9']) {
      const declared = schedule(client, 'never', { cron }, signature(task, {}))
      await expect(declared).rejects.toThrow(RangeError)
      await expect(declared).rejects.toThrow(`schedule "never": cron: received "${cron}"`)
    }
    for (const cron of ['', '* * *', '* * * * * * *']) {
      await expect(schedule(client, 'never', { cron }, signature(task, {}))).rejects.toThrow('five or six fields')
    }
    const mars = { cron: '0 0 * * *', timeZone: 'Mars/Base' }
    await expect(schedule(client, 'never', mars, signature(task, {}))).rejects.toThrow(
      'schedule "never": timeZone: received "Mars/Base"; accepts names like Europe/Berlin',
    )
    for (const everyMs of [-5, 0, 0.5, Number.NaN, Infinity]) {
      const declared = schedule(client, 'never', { everyMs }, signature(task, {}))
      await expect(declared).rejects.toThrow(`everyMs: received ${everyMs}; accepts whole milliseconds from 1`)
    }
    await expect(schedule(client, '', { everyMs: 1 }, signature(task, {}))).rejects.toThrow('an empty name')
    const unclear: [when: object, received: string][] = [
      [{ cron: '0 0 * * *', everyMs: 5 }, 'received cron and everyMs; accepts'],
      [{ cron: '0 0 * * *', timezone: 'UTC' }, 'received cron and timezone; accepts'],
      [{ cron: '0 0 * * *', timeZone: '' }, 'timeZone: received ""; accepts names like Europe/Berlin'],
      [{}, 'received no time; accepts'],
    ]
    for (const [when, received] of unclear) {
      await expect(schedule(client, 'never', when as When, signature(task, {}))).rejects.toThrow(received)
    }
    for (const options of [{ eta: new Date() }, { countdownMs: 5 }, { idempotencyKey: 'k' }]) {
      const declared = schedule(client, 'never', { everyMs: 5 }, signature(task, {}, options))
      await expect(declared).rejects.toThrow(`received ${Object.keys(options)[0]}; a schedule says by itself`)
    }
    expect(await schedules(client, 'default')).toEqual([])
    await schedule(client, 'leap year', { cron: '0 0 29 2 *', timeZone: 'UTC' }, signature(task, {}))
    const [known] = await schedules(client, 'default')
    expect(known?.next?.toISOString()).toMatch(/^20\d[048]-02-29T00:00:00|^20\d[26]-02-29T00:00:00/)
  })

  it('that differs in anything replaces the one of the same name, and the same one changes nothing', async () => {
    const task = tick([])
    const client = await layer.openClient()
    const when = { everyMs: 600_000 }
    const declare = async (what: Signature) => (await schedule(client, 'clock', when, what)) !== undefined
    const variants = [
      signature(task, {}),
      signature({ ...task, name: 'tock' }, {}),
      signature(task, {}, { maxRetries: 3 }),
      signature(task, {}, { hardLimitMs: 5 }),
      signature(task, {}, { expiresInMs: 5 }),
      signature({ ...task, version: 2 }, {}),
    ]
    const answers: boolean[][] = []
    for (const what of variants) answers.push([await declare(what), await declare(what)])
    expect(answers).toEqual(variants.map(() => [true, false]))
    expect(await client.queue('default').getJobCountByTypes('waiting', 'delayed')).toBe(1)
  })

  it('survives a purge, which does not count its next task', async () => {
    const client = await layer.openClient()
    const task = tick([])
    await client.sendMany(task, [{}, {}])
    await schedule(client, 'clock', { everyMs: 600_000 }, signature(task, {}))
    expect(await client.purge('default')).toBe(2)
    expect(await client.queue('default').getJobCountByTypes('waiting', 'delayed')).toBe(1)
  })

  it('fires once even on the nights when its hour is missing or comes twice', async () => {
    const repeat = { pattern: '30 2 * * *', tz: 'Europe/Rome' }
    const after = async (moment: string) => new Date((await defaultRepeatStrategy(Date.parse(moment), repeat)) ?? 0)
    expect(await after('2027-03-27T12:00:00Z')).toEqual(new Date('2027-03-28T03:30:00+02:00'))
    expect(await after('2027-03-28T01:30:00Z')).toEqual(new Date('2027-03-29T02:30:00+02:00'))
    expect(await after('2027-10-30T12:00:00Z')).toEqual(new Date('2027-10-31T02:30:00+02:00'))
    expect(await after('2027-10-31T00:30:00Z')).toEqual(new Date('2027-11-01T02:30:00+01:00'))
  })

  it('leaves out the day whose first hour is missing, as the chapter says', async () => {
    const cairo = { pattern: '0 0 * * *', tz: 'Africa/Cairo' }
    const next = await defaultRepeatStrategy(Date.parse('2027-04-29T12:00:00Z'), cairo)
    expect(new Date(next ?? 0)).toEqual(new Date('2027-05-01T00:00:00+03:00'))
  })

  it('sends tasks that expire when no worker came in time, counted from when they were due', async () => {
    const ticks: string[] = []
    const task = tick(ticks)
    const client = await layer.openClient()
    const first = await schedule(client, 'clock', { everyMs: 600_000 }, signature(task, {}, { expiresInMs: 0 }))
    const begun = Date.now()
    await until(() => Date.now() > begun + 50)
    await layer.startWorker({ tasks: [task] })
    await expect(first?.get()).rejects.toThrow('TaskExpired')
    expect(ticks).toEqual([])
  })
})

describeRedis('an effect', () => {
  it('happens once even when it is asked for often, all of it or none', async () => {
    const { redis } = await layer.openClient()
    const keys = ['done', 'count', 'list'].map((name) => `${layer.prefix}:${name}`)
    const [done = '', count = '', list = ''] = keys
    const asked = Array.from({ length: 50 }, () =>
      once(redis, done, [
        ['INCRBY', count, 5],
        ['RPUSH', list, 'a', 'b'],
      ]),
    )
    expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(1)
    expect([await redis.get(count), await redis.lrange(list, '0', '-1')]).toEqual(['5', ['a', 'b']])
    // Seven days, unless told otherwise.
    expect(await redis.pttl(done)).toBeGreaterThan(6 * 24 * 3_600_000)
  })

  it('that fails is not noted, and leaves everything as it was', async () => {
    const { redis } = await layer.openClient()
    const keys = ['done', 'count', 'other', 'moved', 'list'].map((name) => `${layer.prefix}:${name}`)
    const [done = '', count = '', other = '', moved = '', list = ''] = keys
    await redis.mset(count, 'abc', other, 7)
    await redis.pexpire(other, 600_000)
    const effects: Effect[] = [
      ['RPUSH', list, 'a'],
      ['INCRBY', other, 1],
      ['RENAME', other, moved],
      ['INCRBY', count, 5],
    ]
    await expect(once(redis, done, effects)).rejects.toThrow('value is not an integer')
    expect(await redis.mget(done, count, other, moved)).toEqual([null, 'abc', '7', null])
    expect([await redis.exists(list), (await redis.pttl(other)) > 0]).toEqual([0, true])
    await expect(once(redis, done, [['INCRBY', count, 5]])).rejects.toThrow('value is not an integer')
    await redis.set(count, 1)
    expect([await once(redis, done, effects), await once(redis, done, effects)]).toEqual([true, false])
    expect([await redis.mget(count, moved), await redis.lrange(list, '0', '-1')]).toEqual([['6', '8'], ['a']])
  })

  it('that Redis cannot run or keep is refused, and not noted', async () => {
    const { redis } = await layer.openClient()
    const [done, list] = [`${layer.prefix}:done`, `${layer.prefix}:list`] as const
    const values = Array.from({ length: 10_000 }, (_, at) => at)
    await expect(once(redis, done, [['RPUSH', list, ...values.slice(0, 6_999)]])).rejects.toThrow(
      'RPUSH: received 7001 words; accepts 7000 in one command',
    )
    for (const keepMs of [0, Number.NaN, Infinity, 3_153_600_000_001, 1e21]) {
      await expect(once(redis, done, [['RPUSH', list, 1]], { keepMs })).rejects.toThrow(`keepMs: received ${keepMs}`)
    }
    const onItself: Effect[] = [
      ['INCRBY', done, 5],
      ['MSET', list, 1, done, 5],
    ]
    for (const effect of onItself) {
      await expect(once(redis, done, [effect])).rejects.toThrow(`${effect[0]} received the key of its own note`)
      await expect(once(redis, done, [effect, ['RPUSH', list, 1]])).rejects.toThrow('the key of its own note')
    }
    expect(await redis.exists(done, list)).toBe(0)
    // Many words in all, and numbers that JSON in Lua would round.
    const effects = Array.from({ length: 30 }, (): Effect => ['RPUSH', list, ...values.slice(0, 6_998)])
    expect(await once(redis, done, [...effects, ['RPUSH', list, 9_007_199_254_740_991]])).toBe(true)
    expect(await redis.lindex(list, '-1')).toBe('9007199254740991')
    expect(await redis.llen(list)).toBe(30 * 6_998 + 1)
  })
})
