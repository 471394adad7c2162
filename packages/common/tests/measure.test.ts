import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareWithSerial, interleave, median, quantile, startSpinners } from '../src/measure.ts'

describe('interleave', () => {
  it('runs the ways in turn, with one more round than those that count', async () => {
    const calls: string[] = []
    const ways = { a: () => void calls.push('a'), b: async () => void calls.push('b') }
    const progress: number[] = []
    const timings = await interleave(ways, { rounds: 3, onProgress: (done, total) => progress.push(done / total) })
    expect(calls.join('')).toBe('abababab')
    expect(timings.a.samplesMs).toHaveLength(3)
    expect(progress.at(-1)).toBe(1)
  })

  it('takes the time that a way returns, and drops the warm-up', async () => {
    const own = [1000, 3, 1, 2]
    expect((await interleave({ a: () => own.shift() }, { rounds: 3 })).a).toEqual({ ms: 2, samplesMs: [3, 1, 2] })
  })

  it('stops when it is aborted', async () => {
    const controller = new AbortController()
    let calls = 0
    const way = () => {
      if (++calls === 3) controller.abort(new Error('enough'))
    }
    await expect(interleave({ way }, { rounds: 9, signal: controller.signal })).rejects.toThrow('enough')
    expect(calls).toBe(3)
  })
})

describe('compareWithSerial', () => {
  it('returns figures that agree', async () => {
    const result = await compareWithSerial({ serial: () => 80, parallel: () => 40, workers: 2 }, { rounds: 1 })
    expect(result).toMatchObject({ serialMs: 80, parallelMs: 40, speedup: 2, workers: 2 })
    expect(result.efficiency).toBeCloseTo(2 / result.ceiling, 10)
  })

  it('passes on an error and leaves no thread behind', async () => {
    const fails = () => {
      throw new Error('worker 1 failed')
    }
    await expect(compareWithSerial({ serial: () => 1, parallel: fails, workers: 2 })).rejects.toThrow('worker 1 failed')
    expect(process.getActiveResourcesInfo().filter((name) => name === 'MessagePort')).toEqual([])
  })
})

describe('spinners', () => {
  it('calibrate their steps, and run them on one thread or several', async () => {
    await using spinners = await startSpinners(2)
    const steps = await spinners.calibrate(20)
    expect(Number.isSafeInteger(steps)).toBe(true)
    for (const threads of [1, 2]) await spinners.run(threads, steps)
  })
})

describe('quantile', () => {
  it('is between the smallest and the largest value and grows with q', () => {
    const values = fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1 })
    const share = fc.double({ noNaN: true, min: 0, max: 1 })
    fc.assert(
      fc.property(values, share, share, (list, p, q) => {
        const [low, high] = [quantile(list, Math.min(p, q)), quantile(list, Math.max(p, q))]
        expect(low).toBeGreaterThanOrEqual(Math.min(...list))
        expect(high).toBeLessThanOrEqual(Math.max(...list))
        expect(low).toBeLessThanOrEqual(high + 1e-6)
      }),
    )
  })

  it('is the median at one half', () => {
    expect(median([5, 1, 3])).toBe(3)
    expect(median([4, 1, 2, 3])).toBe(2.5)
    expect(median([])).toBeNaN()
  })
})
