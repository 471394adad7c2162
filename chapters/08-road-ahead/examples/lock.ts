/**
 * lock: a lock is given to another while its holder is paused, and a write is lost; a fencing token prevents that
 *
 *     pnpm --filter 08-road-ahead start lock
 *     pnpm --filter 08-road-ahead start lock --show 'frees any lock' --seed 7
 *     pnpm --filter 08-road-ahead start lock --stores redis --rounds 50
 *
 * Clients add items to a document: they take the lock, read, write, and free the lock. In the simulator, a search looks for
 * histories in which a write is lost. Then two processes do the same on Redis and on etcd, and in each round one of them
 * is paused with SIGSTOP until its lease has run out.
 *
 * etcd takes part where it is installed: npm run stores. A store that is missing says what installs it.
 *
 * Look for: the shortest history in which two hold the lock; how many writes are lost without a token, and with one; and
 * what happens to others when a holder frees the lock without looking whose it is.
 */
import { example } from '@repo/common/example/example'
import { listOf, oneOf, seedNumber, wholeNumber } from '@repo/common/example/options'
import { messageOf } from '@repo/common/output/errors'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, table } from '@repo/common/output/terminal'
import { outcomeOf, search } from '@repo/simulator/search'
import { drawSequence } from '@repo/simulator/sequence-picture'
import { historyText } from '@repo/simulator/simulator'
import { leaseGroup, lockScenarios, nodes } from '../src/lease/group.ts'
import type { StoreName } from '../src/lease/lease.ts'
import { lockMistakes as mistakes } from '../src/lease/mistakes.ts'
import { runRounds } from '../src/lease/rounds.ts'
import { stores as kinds, storeNames } from '../src/lease/stores.ts'

const names = Object.keys(mistakes) as (keyof typeof mistakes)[]
/** What processes try. The servers are those of others: they do not forget their tokens on demand. */
const tried = ['checks its clock', 'no token on reads', 'frees any lock', undefined] as const

export default example(import.meta, {
  options: {
    histories: wholeNumber(1, 10_000_000).default(20_000).describe('how many are run before a lock counts as correct'),
    seed: seedNumber().default(1).describe('for everything that is made up'),
    show: oneOf(...names)
      .default('trusts its lease')
      .describe('the mistake whose shortest history is shown'),
    stores: listOf(oneOf(...storeNames), `a list of ${storeNames.join(', ')}`, { distinct: true })
      .default(storeNames)
      .describe('on which processes do it'),
    rounds: wholeNumber(1, 1_000).default(20).describe('on each store'),
    lease: wholeNumber(1, 60).default(1).describe('of the processes, in seconds'),
  },
  quick: { histories: 3_000, rounds: 2 },

  async run({ histories, seed, show, stores, rounds, lease }, { signal, print, picture }) {
    print(`Up to ${count(histories)} histories each; --seed ${seed} has the same ones again …`)
    const versions = []
    for (const mistake of [undefined, ...names]) {
      using bar = progress(mistake ?? 'without a mistake', histories)
      const report = await search(
        leaseGroup('add', mistake),
        { seed, scenarios: lockScenarios, histories, beginnings: 20 },
        { signal, onProgress: (done) => bar.update(done) },
      )
      versions.push({ mistake, ...outcomeOf(report) })
    }
    print(
      '',
      table(
        ['mistake', 'histories', 'until found', 'rule that it breaks', 'faults', 'events'],
        versions.map(({ mistake, histories, ms, violation, faults, history }) => [
          mistake ?? 'none',
          count(histories),
          milliseconds(ms),
          violation?.rule ?? 'none',
          faults ?? '',
          history?.length ?? '',
        ]),
      ),
    )
    const { history = [], violation } = versions.find(({ mistake }) => mistake === show) ?? {}
    const title = `The shortest history of "${show}"`
    const subtitle = violation?.detail ?? 'none was found'
    const file = await picture('lock.svg', drawSequence(history, { columns: nodes, title, subtitle }))
    print('', `${title}:`, '', historyText(history, nodes), '', `→ ${subtitle}`, '')

    // The same clients as two processes, for each version at the same time. One is paused in each round.
    // No loop: what esbuild 0.28 makes of `using` would throw the error of an earlier round again.
    const held = async (store: StoreName) => {
      using bar = progress(store, rounds)
      try {
        await using running = await kinds[store].start(signal)
        const { version, place } = running
        const settled = await Promise.allSettled(
          tried.map(async (mistake) => {
            const onRound = (done: number) => bar.update(done)
            const options = { rounds, leaseMs: 1_000 * lease, mistake, signal, onRound }
            return { mistake, ...(await runRounds(place, options)) }
          }),
        )
        const tallies = settled.map((each) => {
          if (each.status === 'rejected') throw each.reason
          return each.value
        })
        return { store, version, tallies }
      } catch (error) {
        signal.throwIfAborted()
        return { store, why: messageOf(error) }
      }
    }
    const runs = []
    for (const store of stores) runs.push(await held(store))
    print(
      table(
        ['store', 'version', 'mistake', 'rounds', 'two held it', 'writes lost', 'refused', 'given twice'],
        runs.flatMap((run) =>
          run.why !== undefined
            ? [[run.store, '–', run.why, '', '', '', '', '']]
            : run.tallies.map(({ mistake = 'none', both, lost, refused, givenTwice }) => [
                run.store,
                run.version,
                mistake,
                rounds,
                both,
                lost,
                refused,
                givenTwice,
              ]),
        ),
      ),
      '',
      `A lease is ${lease} s. "Given twice": to another, although the lease of its holder was running.`,
      `Picture: ${file}`,
    )
    const wrong = versions.find(({ mistake, violation }) => mistake === undefined && violation)
    if (wrong) throw new Error(`without a mistake, with --seed ${seed}: ${wrong.violation?.detail}`)
    return {
      seed,
      rounds,
      versions: versions.map(({ history, ...version }) => ({ ...version, events: history?.length ?? 0 })),
      stores: runs,
      picture: file,
    }
  },
  figure: ({ stores }) => {
    const tallies = stores.flatMap((run) => run.tallies ?? [])
    if (tallies.length === 0) return 'no store'
    const lost = (fenced: boolean) =>
      tallies.filter(({ mistake }) => (mistake === undefined) === fenced).reduce((sum, tally) => sum + tally.lost, 0)
    return `${lost(false)} writes lost while a holder was paused; ${lost(true)} with a token`
  },
})
