import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { latencyOf, mostPairs, pairsOf, ratesFolder, readRate } from '../../src/workloads/rates.ts'

describe('rates', () => {
  it('are those in the package', async () => {
    for (const { from, to } of pairsOf(40)) {
      const day = JSON.parse(readFileSync(join(ratesFolder(), `${from}.json`), 'utf8'))
      expect(await readRate({ from, to })).toEqual({ from, to, date: day.date, rate: day[from][to] })
    }
  })

  it.each([
    ['usd', 'nosuch'],
    ['usd', '__proto__'],
    ['usd', 'constructor'],
    ['nosuch', 'usd'],
    ['../currencies/usd', 'eur'],
    ['__proto__', 'usd'],
    ['', 'usd'],
  ])('from %s to %s do not exist, and the error says so every time', async (from, to) => {
    for (const _ of ['first', 'again']) await expect(readRate({ from, to })).rejects.toThrow(/^there is no currency "/)
  })
})

it('pairs are different, and of different currencies', () => {
  const pairs = pairsOf(mostPairs)
  expect(new Set(pairs.map(({ from, to }) => `${from}/${to}`)).size).toBe(mostPairs)
  expect(pairs.every(({ from, to }) => from !== to && to !== '')).toBe(true)
})

it('latencies depend only on seed and currency, and are near the mean', () => {
  const currencies = [...new Set(pairsOf(mostPairs).map(({ from }) => from))]
  const latencies = currencies.map((currency) => latencyOf(currency, 1, 100))
  expect(currencies.map((currency) => latencyOf(currency, 1, 100))).toEqual(latencies)
  expect(currencies.map((currency) => latencyOf(currency, 2, 100))).not.toEqual(latencies)
  expect(Math.min(...latencies)).toBeGreaterThanOrEqual(50)
  expect(Math.max(...latencies)).toBeLessThan(150)
  expect(new Set(latencies).size).toBe(currencies.length)
})
