import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkpointFile } from '@repo/common/async/checkpoint'
import { type TemporaryFolder, temporaryFolder } from '@repo/common/process/temporary'
import { runHere } from '@repo/common/testing/run-here'
import { type Run, type RunOptions, runExample } from '@repo/common/testing/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import example from '../../examples/checkpoint.ts'
import { runCheckpointed } from '../../src/checkpoint/checkpointed.ts'
import { noPrimes, primesBelow, primesState, publishedPrimes } from '../../src/checkpoint/primes.ts'

const chapter = join(import.meta.dirname, '../..')
const run = (args: string[], options?: RunOptions) => runExample(chapter, 'checkpoint', args, options)
const count = (limit: number, state = noPrimes) => {
  const step = primesBelow(limit)
  let at = state
  while (at.next < limit) at = step(at)
  return at
}

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder[Symbol.asyncDispose]())

describe('counting primes', () => {
  it('finds the published counts and gaps', () => {
    for (const limit of [1e6, 1e7]) expect(count(limit)).toMatchObject(publishedPrimes[limit] ?? {})
    expect(count(100)).toEqual({ next: 100, primes: 25, twins: 8, gap: 8, gapAfter: 89, last: 97 })
  })

  it('agrees with trial division at every limit, including near the end of a segment', () => {
    const isPrime = (n: number) => {
      for (let d = 2; d * d <= n; d++) if (n % d === 0) return false
      return n > 1
    }
    let primes = 0
    for (let limit = 2; limit < 500; limit++) {
      if (isPrime(limit - 1)) primes++
      expect(count(limit).primes, `below ${limit}`).toBe(primes)
    }
    for (const limit of [524_287, 524_288, 524_289, 524_290]) {
      const below = count(limit)
      expect(below.primes).toBe(Array.from({ length: limit }, (_, n) => n).filter(isPrime).length)
      expect(isPrime(below.last)).toBe(true)
    }
  })
})

describe('a checkpointed computation', () => {
  const limit = 20 * 524_288
  const computation = (signal?: AbortSignal) => ({
    file: checkpointFile(join(folder.path, 'state'), {
      computation: 'primes',
      parse: (value) => primesState.parse(value),
    }),
    begin: noPrimes,
    step: primesBelow(limit),
    isDone: ({ next }: typeof noPrimes) => next >= limit,
    everyMs: 3_600_000,
    ...(signal && { signal }),
  })

  it('saves on request and when told to stop, and resumes exactly there', async () => {
    const saved: string[] = []
    let steps = 0
    const ending = new AbortController()
    const interrupted = runCheckpointed({
      ...computation(ending.signal),
      saveNow: () => steps === 3,
      onStep: () => {
        if (++steps === 7) ending.abort(new Error('SIGTERM'))
      },
      onSaved: ({ next }, _, why) => saved.push(`${why} ${next / 524_288}`),
    })
    await expect(interrupted).rejects.toThrow('SIGTERM')
    expect(saved).toEqual(['asked 3', 'end 7'])

    const begun: unknown[] = []
    const state = await runCheckpointed({
      ...computation(),
      onLoaded: ({ state, generation }) => begun.push(state?.next, generation),
    })
    expect(begun).toEqual([7 * 524_288, 2])
    expect(state).toEqual(count(limit))
  })

  it('is not done again once it is done', async () => {
    await runCheckpointed(computation())
    let steps = 0
    expect(await runCheckpointed({ ...computation(), onStep: () => steps++ })).toEqual(count(limit))
    expect(steps).toBe(0)
  })
})

describe('the example', () => {
  it('saves on Ctrl-C and resumes when it is run again', async () => {
    // The only save is the one that Ctrl-C causes.
    async function interrupted(tries = 1): Promise<{ file: string[]; first: Run }> {
      const file = ['--file', join(folder.path, `mine ${tries}`), '--limit', '500000000', '--every', '3600000']
      const first = await run(file, { interruptWhen: /Counting the primes/ })
      // On a busy machine everything may be done before Ctrl-C comes.
      return first.code === 0 ? await interrupted(tries + 1) : { file, first }
    }
    const { file, first } = await interrupted()
    expect(first.code).toBe(130)
    const at = /Saved at ([\d,]+)\./.exec(first.stdout)?.[1]
    const second = await run(file)
    expect(second.stdout).toMatch(`Going on from ${at}, saved 1×`)
    // As in the tables of pi(x).
    expect(second.stdout).toContain('26,355,867 primes')
  })

  it('says which file is damaged, and refuses the state of another computation', async () => {
    // Saved once, at its end: only `mine.a` is there.
    const file = ['--file', join(folder.path, 'mine'), '--every', '3600000', '--limit']
    await runHere(example, ...file, '1000000')
    await truncate(join(folder.path, 'mine.a'), 20)
    const damaged = await runHere(example, ...file, '1000000')
    expect(damaged.stdout).toMatch(/mine\.a is damaged: truncated: 20 bytes/)
    expect(damaged.code).toBe(0)

    const other = await runHere(example, ...file, '2000000')
    expect(other).toMatchObject({ code: 2, stdout: 'Counting the primes below 2,000,000 …\n' })
    expect(other.stderr).toMatch(/^--file: .*"primes below 1000000", not of "primes below 2000000"\n$|^error: --file: /)
    expect(await readFile(join(folder.path, 'mine.a'), 'utf8')).toMatch(/primes below 1000000/)
  })

  it('prints its help, and refuses invalid options', async () => {
    expect((await runHere(example, '--help')).stdout).toMatch(/--kills/)
    await writeFile(join(folder.path, 'file'), '')
    for (const [args, says] of [
      [['--limit', '12'], /--limit: received "12"; accepts a whole number from 1000 to 100000000000/],
      [['--kills', '-1'], /--kills: received "-1"/],
      [['--every', '0'], /--every: received "0"/],
    ] as const) {
      expect(await runHere(example, ...args)).toMatchObject({ code: 2, stderr: expect.stringMatching(says) })
    }
    const nowhere = await runHere(example, '--file', join(folder.path, 'no', 'folder'), '--limit', '1000')
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: .* cannot be read: ENOENT.*\n$/) })
  })
})
