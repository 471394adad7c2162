/** Stores in PostgreSQL: they answer as the simulated ones do, and keep what was prepared. */

import { sleep } from '@repo/common/async/timer'
import { until } from '@repo/common/async/until'
import { findPostgres, installPostgres, type PostgresServer, startPostgres } from '@repo/common/servers/postgres'
import { describeReal } from '@repo/common/testing/vitest'
import { perform } from '@repo/simulator/perform'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createStores, findInDoubt, openStore } from '../../src/transfer/postgres.ts'
import { type State, transact } from '../../src/transfer/store.ts'
import { type Booking, type Message, ways } from '../../src/transfer/ways.ts'

const postgres = { name: 'PostgreSQL', found: await findPostgres(), install: installPostgres }

const key = fc.constantFrom('k1', 'k2', 'k3')
const plain: fc.Arbitrary<Booking> = fc.record({
  at: fc.constant('A'),
  transfer: fc.constant('t'),
  account: fc.constantFrom('anna', 'anna', 'nobody'),
  amount: fc.constantFrom(-60, -30, 20),
})
const keyed = fc.tuple(plain, key).map(([booking, key]): Booking => ({ ...booking, key }))
const sent = fc
  .constantFrom('credit', 'back')
  .map((key): Booking => ({ at: 'B', transfer: 't', account: 'ben', amount: 5, key }))
const chained = fc.tuple(keyed, sent, sent).map(([booking, onDone, onRefused]) => ({ ...booking, onDone, onRefused }))
const debit: Booking = { at: 'A', transfer: 't', account: 'anna', amount: -10, key: 't debit' }
const messages: fc.Arbitrary<Message[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('book'), booking: fc.oneof(plain, keyed, chained) }),
    fc.record({ do: fc.constantFrom('prepare', 'commit', 'abort'), booking: keyed }),
    fc.record({ do: fc.constant('remove'), booking: sent }),
    fc.constant('first'),
  ),
  { minLength: 1, maxLength: 12 },
)

describeReal('PostgreSQL', postgres, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  }, 60_000)
  afterAll(async () => await server?.[Symbol.asyncDispose]())

  it('answers as a simulated store does', { timeout: 60_000 }, async () => {
    const { A } = await createStores(server.url)
    await using store = openStore(A)
    const settle = async () => {
      for (const { gid } of await findInDoubt(store.pool))
        await store.ask({ do: 'abort', booking: { ...debit, key: gid } })
    }
    await fc.assert(
      fc.asyncProperty(messages, async (asked) => {
        await settle()
        await store.pool.query('truncate bookings, outbox; update accounts set balance = 100')
        const simulated: State = { accounts: { anna: 100 }, bookings: [], outbox: [], prepared: [] }
        for (const message of asked) {
          // Where PostgreSQL would wait, there is no answer.
          const expected = transact(simulated, message) ?? 'locked'
          const answer = await store.ask(message).catch(({ code }) => (code === '55P03' ? 'locked' : code))
          expect(answer).toEqual(expected)
        }
        const { rows } = await store.pool.query('select balance from accounts')
        expect(rows[0].balance).toBe(simulated.accounts.anna)
      }),
      { numRuns: 60 },
    )
    await settle()
  })

  it('keeps what is prepared when its coordinator has gone, and lets others wait', async () => {
    await using stack = new AsyncDisposableStack()
    const { A } = await createStores(server.url)
    {
      await using coordinator = openStore(A)
      expect(await coordinator.ask({ do: 'prepare', booking: debit })).toBe('done')
    }
    const store = stack.use(openStore(A))
    expect(await findInDoubt(store.pool)).toEqual([{ gid: 't debit', database: 'a', waiting: 0 }])
    const balance = async () => (await store.pool.query('select balance from accounts')).rows[0].balance
    expect(await balance()).toBe(100)

    // Somebody else who wants the account.
    const other = { ...debit, key: 'u debit' }
    await expect(store.ask({ do: 'book', booking: other })).rejects.toThrow('lock timeout')
    const waiting = store.pool.query('set lock_timeout = 0; update accounts set balance = balance + 1')
    await until(async () => (await findInDoubt(store.pool))[0]?.waiting === 1)
    await store.ask({ do: 'commit', booking: debit })
    await waiting
    expect(await balance()).toBe(91)
    expect(await store.ask({ do: 'commit', booking: debit })).toBe('done')
    expect(await store.ask({ do: 'prepare', booking: debit })).toBe('done')
    expect(await findInDoubt(store.pool)).toEqual([])
  })

  it('takes back a debit as often as it takes, when the credit is refused', async () => {
    await using stack = new AsyncDisposableStack()
    const urls = await createStores(server.url)
    const stores = { A: stack.use(openStore(urls.A)), B: stack.use(openStore(urls.B)) }
    const other = await stores.A.pool.connect()
    let tries = 0
    const answer = await perform(ways.saga({ id: 't', from: 'anna', to: 'nobody', amount: 10 }), {
      async ask(message: Message, to) {
        if (typeof message === 'object' && message.do === 'book' && message.booking.key === 't back') {
          tries++
          // Somebody else has the account locked.
          if (tries === 1) await other.query('begin; update accounts set balance = balance')
          if (tries === 3) await other.query('commit')
        }
        return await stores[to as 'A' | 'B'].ask(message)
      },
      sleep,
      save: async () => {},
    })
    other.release()
    expect({ answer, tries }).toEqual({ answer: 'refused', tries: 3 })
    expect((await stores.A.pool.query('select balance from accounts')).rows).toEqual([{ balance: 100 }])
  })

  it('books a key once when it is asked from two sides at the same time', async () => {
    const { A } = await createStores(server.url)
    await using store = openStore(A)
    const ask = () => until(() => store.ask({ do: 'book', booking: debit }))
    expect(await Promise.all([ask(), ask(), ask()])).toEqual(['done', 'done', 'done'])
    expect((await store.pool.query('select balance from accounts')).rows).toEqual([{ balance: 90 }])
  })
})
