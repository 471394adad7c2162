/**
 * simulate: the pipeline's logic on five simulated nodes: thousands of histories a second, and the shortest one that breaks
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 07-testing start simulate
 *     pnpm --filter 07-testing start simulate --bug double-charge
 *     pnpm --filter 07-testing start simulate --bug clock-order --seed 7
 *
 * The handlers are those of the real workers. Simulated are the network, which loses, doubles, delays and reorders messages
 * and cuts nodes off, the nodes, which crash and come back, and the clock: its time is the number of the next event. Nothing
 * waits and nothing is left to chance: the same seed has the same histories, byte for byte.
 *
 * fast-check makes up scenarios. When one breaks an invariant, it takes away whatever it can while it still breaks: orders,
 * lost messages, crashes. What is left is the shortest history, and is drawn.
 *
 * Look for: how many histories a second one core runs; after how many a bug is found; and how little is left of the one
 * that showed it, which can be read from beginning to end.
 */
import { randomInt } from 'node:crypto'
import { example } from '@repo/common/example/example'
import { oneOf, wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, table } from '@repo/common/output/terminal'
import { bugNames } from '../src/pipeline/orders.ts'
import { search } from '../src/simulator/search.ts'
import { drawSequence } from '../src/simulator/sequence-picture.ts'
import { historyText, nodes } from '../src/simulator/simulator.ts'

const largestSeed = 2 ** 31 - 1

export default example(import.meta, {
  options: {
    histories: wholeNumber(1, 10_000_000).default(50_000).describe('how many are run of a version that breaks nothing'),
    orders: wholeNumber(1, 20).default(4).describe('the most orders in a history; 4 make some 60 messages'),
    seed: wholeNumber(0, largestSeed).optional().describe('of all that is made up; a random one when not given'),
    bug: oneOf(...bugNames)
      .optional()
      .describe('search for this one only'),
  },
  quick: { histories: 10_000 },

  async run({ histories, orders, seed = randomInt(largestSeed), bug: wanted }, { signal, print, picture }) {
    const versions = wanted ? [wanted] : [undefined, ...bugNames]
    print(
      `Up to ${count(histories)} histories on ${nodes.length} simulated nodes; --seed ${seed} has the same ones again …`,
    )
    const rows = []
    const found = []
    for (const bug of versions) {
      using bar = progress(bug ?? 'without a bug', histories)
      const report = await search({ seed, histories, orders, bug }, { signal, onProgress: (done) => bar.update(done) })
      const [violation] = report.found?.run.violations ?? []
      rows.push({
        bug,
        histories: report.histories,
        messages: report.messages / report.histories,
        ms: report.ms,
        perSecond: (1000 * report.histories) / report.ms,
        violation,
        shrinkMs: report.shrinkMs,
        shortest: report.found && { messages: report.found.run.messages, scenario: report.found.shortest },
      })
      if (!report.found) continue
      const { run } = report.found
      const title = `The shortest history that shows ${bug ?? 'a mistake'}`
      const svg = drawSequence(run.history, title, violation?.detail ?? '')
      const file = await picture(`simulate-${bug ?? 'found'}.svg`, svg)
      found.push({ bug, violation, history: historyText(run.history), picture: file })
    }
    print(
      '',
      table(
        ['bug', 'histories', 'until found', 'what broke', 'messages', 'made as short as', 'in'],
        rows.map((row) => [
          row.bug ?? 'none',
          count(row.histories),
          milliseconds(row.ms),
          row.violation?.detail ?? 'nothing',
          row.messages.toFixed(0),
          row.shortest?.messages ?? '',
          row.shortest ? milliseconds(row.shrinkMs) : '',
        ]),
      ),
    )
    const last = wanted ? found[0] : found.find(({ bug }) => bug === 'early-ack')
    if (last)
      print('', `The shortest history that shows ${last.bug}:`, '', last.history, '', `→ ${last.violation?.detail}`)
    const [correct] = rows.filter(({ bug }) => bug === undefined)
    if (correct) {
      const speed = `${count(Math.round(correct.perSecond))} histories per second on one core`
      print('', `${speed}, of ${correct.messages.toFixed(0)} messages on average, on ${nodes.length} nodes.`)
    }
    print(...found.map(({ picture }) => `Picture: ${picture}`))
    if (correct?.violation) throw new Error(`without a bug, with --seed ${seed}: ${correct.violation.detail}`)
    const missed = rows.filter(({ bug, violation }) => bug && !violation).map(({ bug }) => bug)
    if (missed.length > 0)
      throw new Error(`${missed.join(', ')} not found in ${count(histories)} histories with --seed ${seed}`)
    const { perSecond, messages } = rows[0] ?? { perSecond: 0, messages: 0 }
    return {
      seed,
      nodes: nodes.length,
      perSecond,
      messages,
      versions: rows,
      found,
      picture: found.map(({ picture }) => picture),
    }
  },
  figure: ({ perSecond, messages, found }) =>
    `${count(Math.round(perSecond))} histories of ${messages.toFixed(0)} messages a second; ${found.length} bugs found`,
})
