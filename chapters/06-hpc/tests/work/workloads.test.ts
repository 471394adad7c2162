/** What runs on the nodes, as functions: studies in parts, a sum over ranks, a computation in several lives. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { until } from '@repo/common/async/until'
import { temporaryFolder } from '@repo/common/process/temporary'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answerAlone, jobNames, prepare, putTogether, type Question, questionsOfSizes } from '../../src/work/answers.ts'
import { advance, begin, isDone, stepsOf } from '../../src/work/collatz.ts'
import { addOrbits } from '../../src/work/orbits.ts'
import { compareJobs } from '../../src/work/outcomes.ts'
import { allReduce, joinRing, passAround, placeIn } from '../../src/work/ring.ts'
import { computePart, filesOf, readStudy } from '../../src/work/study.ts'

const view = { width: 40, height: 30, iterations: 200, centerX: -0.75, centerY: 0, zoom: 1 }
const text = fc
  .array(fc.constantFrom('we', 'the', 'people', 'of', 'union'), { maxLength: 30 })
  .map((words) => words.join(' '))
const picture: Question = { job: 'mandelbrot', view }
const question: fc.Arbitrary<Question> = fc.oneof(
  fc.constant(picture),
  fc.array(text, { minLength: 2, maxLength: 9 }).map((texts) => ({ job: 'similarity' as const, texts })),
)
const answerIn = (question: Question, parts: number) => {
  const study = prepare(question)
  return putTogether(
    question,
    Array.from({ length: parts }, (_, part) => computePart(study, { part, parts })),
  )
}

describe('a study', () => {
  it('has the same answer as one thread, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(question, fc.integer({ min: 1, max: 12 }), async (asked, parts) => {
        expect(Buffer.compare(answerIn(asked, parts), await answerAlone(asked))).toBe(0)
      }),
    )
  })

  it('of texts holds the scores of all pairs by their definition', async () => {
    const texts = ['we the people of the union', '', 'people', 'we the people', 'the people of the union']
    const scores = new Float64Array(Uint8Array.from(answerIn({ job: 'similarity', texts }, 2)).buffer)
    // By hand: the first text has 4 shingles, the fourth 1 of them, and the fifth 3 of them.
    expect([...scores.subarray(0, 5)]).toEqual([1, 0, 0, 1 / 4, 3 / 4])
    expect([...scores.subarray(25)].slice(0, 6)).toEqual([0, 4, 3 / 4, 0, 3, 1 / 4])
  })

  it('may have more texts than the table has rows', async () => {
    const texts = Array.from({ length: 1_203 }, (_, at) => `we the people of ${at % 7} union ${'x'.repeat(at % 3)}`)
    const asked: Question = { job: 'similarity', texts }
    expect(Buffer.compare(answerIn(asked, 3), await answerAlone(asked))).toBe(0)
  })

  it('grows over two decades, with the same letters each time', () => {
    for (const job of jobNames) {
      const { sizes, of } = questionsOfSizes(job)
      expect(sizes.length).toBeGreaterThanOrEqual(4)
      expect(Math.max(...sizes) / Math.min(...sizes)).toBeGreaterThanOrEqual(100)
      expect(of(sizes[0] ?? 0)).toEqual(of(sizes[0] ?? 0))
    }
  })

  it('is written to files and read back unchanged', async () => {
    await fc.assert(
      fc.asyncProperty(question, async (asked) => {
        const sent = prepare(asked)
        const files = filesOf(sent)
        expect(await readStudy(async (name) => Buffer.from(files[name] ?? ''))).toEqual(sent)
      }),
    )
  })
})

describe('the longest Collatz sequence', () => {
  it('matches the known record holders', () => {
    // https://oeis.org/A006877 and A006878
    expect([27, 97, 871, 6171, 77_031, 837_799].map(stepsOf)).toEqual([111, 118, 178, 261, 350, 524])
  })

  it('is the same in any number of lives', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 30 }), (pieces) => {
        const inOneGo = advance(begin(), 2_000, 2_000)
        let state = begin()
        // Through JSON, as between two lives.
        for (let life = 0; !isDone(state, 2_000); life++) {
          state = JSON.parse(JSON.stringify(advance(state, 2_000, pieces[life % pieces.length] ?? 1)))
        }
        expect(state).toEqual(inOneGo)
      }),
    )
  })
})

describe('ranks', () => {
  it('know their place from the program that started them', () => {
    expect(placeIn({ SLURM_PROCID: '3', SLURM_NTASKS: '4' })).toEqual({ rank: 3, size: 4 })
    // mpirun inside a Slurm job: the inner one counts.
    const both = { SLURM_PROCID: '0', SLURM_NTASKS: '1', OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '2' }
    expect(placeIn(both)).toEqual({ rank: 1, size: 2 })
    expect(() => placeIn({})).toThrow('no rank in the environment; looked for OMPI_COMM_WORLD_RANK')
  })

  it.each([1, 2, 3, 5])('%i of them add up vectors of any length, with the same sum everywhere', async (size) => {
    await using folder = await temporaryFolder()
    let round = 0
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: -1_000, max: 1_000 }), { maxLength: 40 }), async (values) => {
        const place = { size, folder: join(folder.path, String(round++)), host: '127.0.0.1', node: 'here' }
        const rings = await Promise.all(Array.from({ length: size }, (_, rank) => joinRing({ ...place, rank })))
        const vectors = rings.map(({ rank }) => Float64Array.from(values, (value) => value * (rank + 1)))
        await Promise.all(rings.map((ring, at) => allReduce(ring, vectors[at] ?? new Float64Array())))
        await Promise.all(rings.map((ring) => passAround(ring, 3)))
        const factor = (size * (size + 1)) / 2
        for (const vector of vectors) expect(vector).toEqual(Float64Array.from(values, (value) => value * factor))
        for (const ring of rings) ring[Symbol.dispose]()
      }),
      { numRuns: 15 },
    )
  })

  it('are compared with one thread at each amount of work, by the medians of the rounds', () => {
    const round = (ms: number, aloneMs: number) => {
      const jobs = [
        { steps: 1, ms, aloneMs: 2 },
        { steps: 10, ms, aloneMs },
      ]
      return { size: 4, nodes: [], hopUs: 1, reduceMs: 1, sum: 0, startMs: 50, jobs }
    }
    const outcomes = {
      ours: [round(60, 90), round(70, 100), round(900, 95)],
      tcp: [{ ...round(1, 1), jobs: undefined }],
    }
    expect(compareJobs(outcomes, 4)).toEqual({
      startMs: 50,
      jobs: [
        { steps: 1, ms: 70, bestSerialMs: 2, cost: 'not up to 4' },
        { steps: 10, ms: 70, bestSerialMs: 95, cost: 4 },
      ],
    })
  })

  it('compute the vectors that one thread computes in turn', () => {
    const [sum, parts] = [new Float64Array(9), [0, 1, 2].map(() => new Float64Array(9))]
    for (const [rank, part] of parts.entries()) {
      addOrbits(part, { rank, size: 3 }, 7)
      addOrbits(sum, { rank, size: 3 }, 7)
    }
    expect(sum).toEqual(
      Float64Array.from({ length: 9 }, (_, at) => parts.reduce((all, part) => all + (part[at] ?? 0), 0)),
    )
    // One step from the first of 28 points: 4 · 1/28 · 27/28 = 0.1377…
    const one = new Float64Array(9)
    addOrbits(one, { rank: 0, size: 3 }, 1)
    expect(one[0]).toBe(137)
  })

  it('let in nobody who does not know the token', async () => {
    await using folder = await temporaryFolder()
    const place = { size: 2, folder: folder.path, host: '127.0.0.1', node: 'here' }
    const first = joinRing({ ...place, rank: 0 })
    const file = join(folder.path, '0.json')
    const { port } = JSON.parse(await until(() => readFile(file, 'utf8'))) as { port: number }
    // Before the right rank: one that says something else, one that says too little, and one that says nothing.
    const intruders = ['0'.repeat(32), 'short', ''].map((said) => {
      const intruder = connect(
        port,
        '127.0.0.1',
        () => void (said === 'short' ? intruder.end(said) : intruder.write(said)),
      )
      return intruder.on('error', () => {}).resume()
    })
    const turnedOut = intruders.map((intruder) => once(intruder, 'close'))
    await turnedOut[0]
    const second = joinRing({ ...place, rank: 1 })
    const rings = await Promise.all([first, second])
    const vectors = rings.map(({ rank }) => Float64Array.of(rank + 1, 10))
    await Promise.all(rings.map((ring, at) => allReduce(ring, vectors[at] ?? new Float64Array())))
    expect(vectors.map((vector) => [...vector])).toEqual([
      [3, 20],
      [3, 20],
    ])
    await Promise.all(turnedOut)
    for (const ring of rings) ring[Symbol.dispose]()
  })

  it('say who has not come, and then can no longer be reached', async () => {
    await using folder = await temporaryFolder()
    const place = { rank: 0, size: 2, folder: folder.path, host: '127.0.0.1', node: 'here', timeoutMs: 200 }
    await expect(joinRing(place)).rejects.toThrow('rank 1 has not come')
    const { port } = JSON.parse(await readFile(join(folder.path, '0.json'), 'utf8')) as { port: number }
    const [error] = await once(connect(port, '127.0.0.1'), 'error').catch((error) => [error])
    expect(error).toMatchObject({ code: 'ECONNREFUSED' })
  })
})
