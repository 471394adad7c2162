/** The rates of the package through a real server, in every way; and what can go wrong with servers. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startProgram } from '@repo/common/process/child'
import { pairsOf, ratesFolder } from '@repo/common/workloads/rates'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ways } from '../../src/currency/currency.ts'
import { fetchRate } from '../../src/currency/rates.ts'

let server: Awaited<ReturnType<typeof startProgram<{ address: string }>>>
beforeAll(async () => {
  server = await startProgram(new URL('../../src/currency/rate-server.program.ts', import.meta.url), {
    args: ['0', '1'],
  })
})
afterAll(() => server.stop())

describe('rates', () => {
  it('are those of the package, in every way', async () => {
    const pairs = pairsOf(4)
    const inPackage = pairs.map(({ from, to }) => {
      const day = JSON.parse(readFileSync(join(ratesFolder(), `${from}.json`), 'utf8'))
      return { from, to, date: day.date, rate: day[from][to] }
    })
    for (const way of Object.values(ways)) {
      const rates = await way(server.info.address, pairs)
      const place = new Map(pairs.map(({ from, to }, at) => [`${from}/${to}`, at]))
      rates.sort((a, b) => (place.get(`${a.from}/${a.to}`) ?? 0) - (place.get(`${b.from}/${b.to}`) ?? 0))
      expect(rates).toEqual(inPackage)
    }
  })

  it('that do not exist are an error that says so', async () => {
    const { address } = server.info
    await expect(fetchRate(address, { from: 'usd', to: 'nosuch' })).rejects.toThrow(/usd\.json has no rate for nosuch/)
    await expect(fetchRate(address, { from: 'nosuch', to: 'usd' })).rejects.toThrow(/nosuch\.json answered 404/)
    await expect(fetchRate(address, { from: '../x', to: 'usd' })).rejects.toThrow(/answered 404/)
    for (const way of Object.values(ways)) {
      await expect(way(address, [{ from: 'nosuch', to: 'usd' }])).rejects.toThrow(/answered 404/)
    }
  })

  it('of a server that does not exist are an error in one line', async () => {
    await expect(fetchRate('http://127.0.0.1:2/', { from: 'usd', to: 'eur' })).rejects.toThrow(
      /^http:\/\/127\.0\.0\.1:2 cannot be reached \(connect ECONNREFUSED .*\)$/,
    )
  })
})
