/** What every store must do that gives leases. */
import { until } from '@repo/common/async/until'
import { expect, it } from 'vitest'
import type { StoreName } from '../../src/lease/lease.ts'
import { stores } from '../../src/lease/stores.ts'

const leaseMs = 1_000
/** By default the lease does not run out in a test, however busy the machine is. */
const take = (by: string, ms = 600_000) => ({ do: 'take', by, ms }) as const
const release = (by: string, compares = true) => ({ do: 'release', by, compares }) as const
const read = (token?: number) => ({ do: 'read', token }) as const
const write = (value: string, token?: number) => ({ do: 'write', value, token }) as const

/** Declares the tests. */
export function givesLeases(name: StoreName) {
  const store = stores[name]

  it('gives a lock to one at a time, with tokens that grow, and takes it back when the lease has run out', async () => {
    await using running = await store.start()
    await using connection = await store.connect(running.place)
    const ask = connection.ask.bind(connection, 'x')
    expect(running.version).toMatch(/^\d+\.\d+/)

    const first = await ask(take('p'))
    expect(first).toMatchObject({ isDone: true, token: expect.any(Number) })
    expect(await ask(take('q'))).toEqual({ isDone: false })
    // Whoever holds it asks again: the lease is longer, and the token the same.
    expect(await ask(take('p'))).toEqual(first)
    // Another lock is free, and its document empty.
    expect(await connection.ask('y', take('q'))).toMatchObject({ isDone: true })
    expect(await connection.ask('y', read())).toMatchObject({ isDone: true, value: '' })

    expect(await ask(release('q'))).toEqual({ isDone: false })
    expect(await ask(take('q'))).toEqual({ isDone: false })
    expect(await ask(release('p'))).toEqual({ isDone: true })
    expect(await ask(release('p'))).toEqual({ isDone: false })
    const sentMs = performance.now()
    const second = await ask(take('q', leaseMs))
    expect(second.token).toBeGreaterThan(first.token ?? 0)

    // Nobody frees it: it is free when the lease has run out.
    const third = await until(async () => {
      const answer = await ask(take('r'))
      return answer.isDone ? answer : undefined
    })
    // Not before. (Its clock and ours may round differently.)
    expect(performance.now() - sentMs).toBeGreaterThan(leaseMs - 20)
    expect(third.token).toBeGreaterThan(second.token ?? 0)
    // The mistake.
    expect(await ask(release('p', false))).toMatchObject({ isDone: true })
    expect(await ask(take('q'))).toMatchObject({ isDone: true })
  })

  it('keeps a document, and refuses the token of an earlier grant', async () => {
    await using running = await store.start()
    await using connection = await store.connect(running.place)
    const ask = connection.ask.bind(connection, 'x')
    const { token: old } = await ask(take('p'))
    expect(await ask(read(old))).toEqual({ isDone: true, value: '' })
    expect(await ask(write('p', old))).toEqual({ isDone: true, value: 'p' })
    await ask(release('p'))
    const { token } = await ask(take('q'))
    expect(await ask(read(token))).toEqual({ isDone: true, value: 'p' })
    expect(await ask(write('lost', old))).toMatchObject({ isDone: false })
    expect(await ask(read(old))).toMatchObject({ isDone: false })
    expect(await ask(write('p q', token))).toEqual({ isDone: true, value: 'p q' })
    // Without a token, everybody may.
    expect(await ask(write('late'))).toEqual({ isDone: true, value: 'late' })
    expect(await ask(read())).toEqual({ isDone: true, value: 'late' })
  })
}
