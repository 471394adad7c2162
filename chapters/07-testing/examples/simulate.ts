/**
 * simulate: the pipeline's logic on five simulated nodes: thousands of histories a second, and the shortest one that
 * breaks
 *
 *     pnpm --filter 07-testing start simulate
 *     pnpm --filter 07-testing start simulate --bug double-charge
 *     pnpm --filter 07-testing start simulate --bug clock-order --seed 7
 *
 * The handlers are those of the real workers. The simulator stands in for the network, which loses, duplicates, delays
 * and reorders messages and cuts nodes off; for the nodes, which crash and come back; and for the clock, which jumps to
 * the next event. Nothing waits and nothing is left to chance: the same seed gives the same histories, byte for byte.
 *
 * fast-check generates scenarios. When one breaks an invariant, fast-check removes orders, lost messages and crashes
 * for as long as it still breaks. What is left is the shortest history, as text and as a picture.
 *
 * Look for: how many histories per second one core runs; how many it takes to find a bug; and how little is left of the
 * one that showed it: short enough to read from beginning to end.
 */
import { randomInt } from 'node:crypto'
import { example } from '@repo/common/example/example'
import { largestSeed, oneOf, seedNumber, wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, table } from '@repo/common/output/terminal'
import { search } from '@repo/simulator/search'
import { drawSequence } from '@repo/simulator/sequence-picture'
import { historyText } from '@repo/simulator/simulator'
import { bugNames } from '../src/pipeline/orders.ts'
import { nodes, orderScenarios, simulatedPipeline } from '../src/pipeline/simulated.ts'

/** The server in the middle, because all others talk to it. */
const columns = ['front', 'payment 1', 'server', 'shipping 1', 'shipping 2']

export default example(import.meta, {
  options: {
    histories: wholeNumber(1, 10_000_000).default(50_000).describe('how many are run of a version that breaks nothing'),
    orders: wholeNumber(1, 20).default(4).describe('the most orders in a history; 4 make about 60 messages'),
    seed: seedNumber().optional().describe('for everything that is made up; a random one by default'),
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
      // A scenario is plain data: some orders, and which faults strike which messages and nodes, and when.
      const scenarios = orderScenarios(orders)
      // Runs one scenario after another until an invariant breaks, and then shortens the scenario that broke it.
      using bar = progress(bug ?? 'without a bug', histories)
      const onProgress = (done: number) => bar.update(done)
      const report = await search(simulatedPipeline(bug), { seed, scenarios, histories }, { signal, onProgress })
      const { run, shortest } = report.found ?? {}
      const violation = run?.violations[0]
      rows.push({
        bug,
        histories: report.histories,
        messages: report.messages / report.histories,
        ms: report.ms,
        perSecond: (1000 * report.histories) / report.ms,
        violation,
        shrinkMs: report.shrinkMs,
        shortest: run && { messages: run.messages, scenario: shortest },
      })
      if (!run) continue
      // The history of the shortest scenario, as text and as a message diagram.
      const title = `The shortest history that shows ${bug ?? 'a mistake'}`
      const svg = drawSequence(run.history, { columns, title, subtitle: violation?.detail ?? '' })
      const file = await picture(`simulate-${bug ?? 'found'}.svg`, svg)
      found.push({ bug, violation, history: historyText(run.history, nodes), picture: file })
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
    const correct = rows.find(({ bug }) => bug === undefined)
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
    const pictures = found.map(({ picture }) => picture)
    return { seed, nodes: nodes.length, perSecond, messages, versions: rows, found, picture: pictures }
  },
  figure: ({ perSecond, messages, found }) =>
    `${count(Math.round(perSecond))} histories of ${messages.toFixed(0)} messages a second; ${found.length} bugs found`,
})
