import { describe, expect, it } from 'vitest'
import { explore } from '../src/explore.ts'

const one = () => 1

describe('exploring schedules', () => {
  it('deviates from the usual one as few times as possible, and repeats none', async () => {
    const seen: string[] = []
    await explore((choose) => {
      seen.push([choose(2, 0), choose(3, 1), choose(2, 0)].join(''))
      return undefined
    }, one)
    expect(seen[0]).toBe('010')
    expect(seen).toHaveLength(2 * 3 * 2)
    expect(new Set(seen).size).toBe(seen.length)
    const deviations = seen.map((each) => [...each].filter((option, step) => option !== '010'[step]).length)
    expect(deviations).toEqual(deviations.toSorted())
  })

  it('looks at all schedules with as few deviations, and returns the smallest result', async () => {
    let runs = 0
    const found = await explore(
      (choose) => {
        runs++
        const [first, second] = [choose(2, 0), choose(2, 0)]
        if (first + second === 0) return undefined
        return { size: first === 1 ? 5 : 4, deviations: first + second }
      },
      ({ size }) => size,
    )
    expect(found).toEqual({ size: 4, deviations: 1 })
    expect(runs).toBe(3)
  })

  it('follows programs whose later steps depend on the earlier ones', async () => {
    const seen = new Set<string>()
    await explore((choose) => {
      const first = choose(3, 0)
      const rest = Array.from({ length: first }, () => choose(2, 1))
      seen.add([first, ...rest].join(''))
      return undefined
    }, one)
    expect([...seen].sort()).toEqual(['0', '10', '11', '200', '201', '210', '211'])
  })

  it('takes every choice where something else must happen anyway, for no deviation', async () => {
    const seen = new Set<string>()
    const run: Parameters<typeof explore>[0] = (choose) => {
      seen.add([choose(2, 0), choose(3, 0, true), choose(2, 0)].join(''))
      return undefined
    }
    await explore(run, () => 0, { mostDeviations: 0 })
    expect([...seen].sort()).toEqual(['000', '010', '020'])
    await explore(run, () => 0, { mostDeviations: 1 })
    expect(seen.size).toBe(9)
  })

  it('ends after the number of deviations or runs that it was given, or by its signal', async () => {
    let runs = 0
    const forever = (choose: (options: number, usual: number) => number) => {
      runs++
      for (let step = 0; step < 20; step++) choose(2, 0)
      return undefined
    }
    await explore(forever, one, { mostDeviations: 1 })
    expect(runs).toBe(21)
    runs = 0
    await explore(forever, one, { mostRuns: 50 })
    expect(runs).toBe(50)
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(explore(forever, one, { signal })).rejects.toThrow('enough')
  })

  it('lets through what the program throws', async () => {
    const broken = () => {
      throw new Error('broken')
    }
    await expect(explore(broken, one)).rejects.toThrow('broken')
  })
})
