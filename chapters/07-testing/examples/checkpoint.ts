/**
 * checkpoint: a long computation that is killed again and again, loses little each time, and still gets it right
 *
 *     pnpm --filter 07-testing start checkpoint
 *     pnpm --filter 07-testing start checkpoint --limit 10000000000 --kills 20 --every 1000
 *     pnpm --filter 07-testing start checkpoint --file primes.state --limit 100000000000
 *
 * Counts primes and twin primes (src/checkpoint/primes.ts). Its process is killed at random moments and in the middle
 * of a save, its files are truncated and corrupted, and each new process resumes from the newest intact state. With
 * --file the computation is yours: press Ctrl-C, and run the same command again.
 *
 * Look for: where each life begins, and where the previous one ended; and that the result is the same as that of an
 * undisturbed computation.
 */
import { checkpointFile } from '@repo/common/async/checkpoint'
import { example } from '@repo/common/example/example'
import { path, seedNumber, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { median } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, percent, table } from '@repo/common/output/terminal'
import { temporaryFolder } from '@repo/common/process/temporary'
import { runCheckpointed } from '../src/checkpoint/checkpointed.ts'
import { deathsOf, drawLives, live } from '../src/checkpoint/lives.ts'
import { noPrimes, type PrimesState, primesBelow, primesState, publishedPrimes } from '../src/checkpoint/primes.ts'

export default example(import.meta, {
  options: {
    limit: wholeNumber(1_000, 100_000_000_000).default(1_000_000_000).describe('count the primes below it'),
    kills: wholeNumber(0, 100).default(10).describe('how many times it is killed at a random moment'),
    every: wholeNumber(1, 3_600_000).default(100).describe('ms between two saves'),
    seed: seedNumber().default(1).describe('for the random moments'),
    file: path().optional().describe('go on with your own computation, which is saved there'),
  },
  quick: { limit: 100_000_000, kills: 3, every: 20 },

  async run({ limit, kills, every, seed, file }, { signal, print, picture }) {
    const published = publishedPrimes[limit]
    const describe = ({ primes, twins, gap, gapAfter }: PrimesState) =>
      `${count(primes)} primes and ${count(twins)} pairs of twins below ${count(limit)}; largest gap ${gap}, after ${count(gapAfter)}`
    const isPublished = (state: PrimesState) =>
      published && Object.entries(published).every(([name, value]) => state[name as keyof PrimesState] === value)
    using bar = progress('counting', limit)
    print(`Counting the primes below ${count(limit)} …`)

    if (file !== undefined) {
      // Two files: a save replaces the older one, and the newer one stays intact whatever happens.
      const checkpoint = checkpointFile(file, {
        computation: `primes below ${limit}`,
        parse: (value) => primesState.parse(value),
      })
      // Loads the newest intact state, resumes from it, and saves from time to time and on Ctrl-C.
      const state = await runCheckpointed<PrimesState>({
        file: checkpoint,
        begin: noPrimes,
        step: primesBelow(limit),
        isDone: ({ next }) => next >= limit,
        signal,
        everyMs: every,
        onLoaded: ({ state, generation, savedAt, damaged }) => {
          for (const { file, why } of damaged) print(`${file} is damaged: ${why}`)
          if (state)
            print(`Going on from ${count(state.next)}, saved ${generation}×, last at ${savedAt?.toISOString()}`)
        },
        onStep: ({ next }) => bar.update(next),
        onSaved: ({ next }, _, why) => {
          if (signal.aborted && why === 'end') print(`Saved at ${count(next)}. The same command goes on from there.`)
        },
      }).catch((error: Error) => {
        if (/is the state of/.test(error.message))
          throw new UsageError('--file', file, `a state to go on with; ${error.message}`)
        throw error
      })
      print(describe(state))
      return { limit, ...state, published: isPublished(state), lives: [] }
    }

    await using folder = await temporaryFolder()
    const settings = { limit, everyMs: every }
    const rounds = { signal, onReached: (next: number) => bar.update(next) }
    // First undisturbed, with a single save at the end.
    const quiet = await live({ limit, everyMs: 3_600_000, path: `${folder.path}/quiet` }, [], rounds)
    // The start of the process does not count: it takes equally long for short and long computations.
    const [samples = []] = quiet.lives.map((life) => life.samples)
    const computingMs = (samples.at(-1)?.ms ?? 0) - (samples[0]?.ms ?? 0)
    const deaths = deathsOf({ kills, seed, lifeMs: computingMs / (kills + 2) })
    print(`Undisturbed: ${milliseconds(quiet.ms)}. The same in ${deaths.length + 1} lives …`)

    // Then the same in many lives. Each is a process that resumes from what the previous one saved.
    const disturbed = await live({ ...settings, path: `${folder.path}/disturbed` }, deaths, rounds)
    const { lives, state, savesMs } = disturbed
    const same = JSON.stringify(state) === JSON.stringify(quiet.state)
    const again = lives.slice(1).map((life, at) => (lives[at]?.reached ?? 0) - life.resumedAt)
    const lostShare = again.reduce((sum, lost) => sum + lost, 0) / limit

    print(
      table(
        ['life', 'began at', 'save', 'reached', 'done again', 'saves', 'ended by'],
        lives.map(({ resumedAt, generation, reached, saves, ended }, at) => {
          const lost = at ? count(again[at - 1] ?? 0) : ''
          return [at + 1, count(resumedAt), generation, count(reached), lost, saves, ended]
        }),
      ),
      '',
      ...lives.flatMap((life, at) =>
        life.damaged.map((what) => `Life ${at + 1} found file ${what}; it took the other.`),
      ),
      `${describe(state)}.`,
      `${same ? 'The same' : 'NOT THE SAME'} as undisturbed${published ? `, and ${isPublished(state) ? 'as' : 'NOT AS'} published` : ''}.`,
      `Done again: ${percent(lostShare)} of the work, at most ${count(Math.max(0, ...again))} numbers at a time.`,
      `A save takes ${milliseconds(median(savesMs))} (median of ${savesMs.length}), every ${milliseconds(every)}.`,
    )
    if (lives.length > 1) {
      const betweenMs = disturbed.ms / (lives.length - 1)
      const best = Math.sqrt(2 * median(savesMs) * betweenMs)
      print(`With a failure every ${milliseconds(betweenMs)}, Young's formula saves every ${milliseconds(best)}.`)
    }
    const svg = drawLives(lives, `Primes below ${count(limit)}, saved every ${milliseconds(every)}`)
    print(`Picture: ${await picture('checkpoint.svg', svg)}`)
    if (!same) throw new Error('the disturbed computation has another result than the undisturbed one')
    const { ms, savedOnSignal } = disturbed
    const times = { quietMs: quiet.ms, ms, saveMs: median(savesMs), saves: savesMs.length }
    const told = lives.map(({ samples: _, ...life }) => life)
    return { limit, ...state, published: isPublished(state), same, lostShare, savedOnSignal, ...times, lives: told }
  },

  figure: ({ lives, primes }) => `${count(primes)} primes in ${lives.length} lives`,
})
