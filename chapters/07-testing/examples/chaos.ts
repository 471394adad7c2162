/**
 * chaos: workers killed, Redis restarted, lines cut, slow and silent, clocks wrong: does the pipeline keep its
 * promises?
 *
 *     pnpm --filter 07-testing start chaos
 *     pnpm --filter 07-testing start chaos --bug double-charge
 *     pnpm --filter 07-testing start chaos --seed 7 --faults kill,half-open --orders 500
 *
 * Orders come in over HTTP, some workers take the money and others ship the goods, with queues and a store in Redis:
 * all of these are real processes. The bank and the packers are simulated, and so are wrong clocks: an offset is
 * injected into the process, and the machine's own clock is left alone. Every fault is injected and follows from the
 * seed: the same seed strikes the same way again. At the end, the recorded history is checked against what must hold
 * whatever happens.
 *
 * The planted bugs:
 *
 *     lost-update      stock is read, reduced and written back: of two at once, one is forgotten
 *     double-charge    the key of a charge is made for each delivery of the job, and not for the order
 *     early-ack        a job is acknowledged before its work, and not after it
 *     clock-order      of two states the one with the later wall-clock time wins, and not the one that comes later
 *     unbounded-retry  a charge that fails is tried again at once, and for ever
 *
 * Look for: five invariants that hold without a bug, however hard the pipeline is hit; which of them breaks with which
 * bug, and at which order; and in the picture, the dead workers and silent lines that the orders survive.
 */
import { randomInt } from 'node:crypto'
import { example } from '@repo/common/example/example'
import { largestSeed, listOf, oneOf, seedNumber, wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { count, green, howMany, milliseconds, red, table } from '@repo/common/output/terminal'
import { type Struck, startChaos } from '../src/chaos/chaos.ts'
import { type FaultKind, faultsOf, kindNames } from '../src/chaos/faults.ts'
import { drawChaos } from '../src/chaos/picture.ts'
import { check, invariantNames } from '../src/pipeline/invariants.ts'
import { bugNames, bugs } from '../src/pipeline/orders.ts'

/** A fault may cut a pause short, or hide it: only the simulator sees what the handler asked for. */
const unchecked = 'the pauses between tries'

const clockJump = (ms: number) => `${ms < 0 ? '' : '+'}${(ms / 1000).toFixed(1)} s`

export default example(import.meta, {
  options: {
    orders: wholeNumber(50, 100_000).default(1_500).describe('how many orders are sent'),
    seed: seedNumber().optional().describe('for orders and faults; a random one by default'),
    bug: oneOf(...bugNames)
      .optional()
      .describe('a mistake to switch on'),
    faults: listOf(oneOf(...kindNames), `some of ${kindNames.join(',')}`, { distinct: true })
      .default([...kindNames])
      .describe('which kinds of faults strike'),
    rate: wholeNumber(1, 10_000).default(150).describe('orders per second'),
    workers: wholeNumber(1, 16).default(2).describe('worker processes of each kind'),
    lock: wholeNumber(200, 600_000).default(1_000).describe('ms that a worker without a sign of life keeps its jobs'),
    port: wholeNumber(0, 65_535).default(0).describe('of the front; 0 takes a free one'),
  },
  quick: { orders: 300, lock: 600 },

  async run(options, { signal, print, picture }) {
    const { orders, seed = randomInt(largestSeed), bug, faults: kinds, rate, lock: lockMs, port } = options
    const workers = { payment: options.workers, shipping: options.workers }
    const settings = { seed, orders, kinds, workers, lockMs, rate, bug, port }
    const faults = faultsOf(settings)
    print(
      `${howMany(orders, 'order')}, 2 × ${howMany(options.workers, 'worker')}, ${howMany(faults.length, 'fault')}${bug ? `, and a bug: ${bugs[bug]}` : ''}.`,
      `--seed ${seed} strikes the same way again …`,
    )
    using bar = progress('orders sent', orders)
    let label = 'orders sent'
    const onSent = (sent: number) => bar.update(sent, label)
    // The pipeline with a proxy in front of each process, and a client that sends orders at a steady rate.
    await using chaos = await startChaos(settings, { signal, onSent })
    // Each fault strikes when its order has been sent; a kill or a wrong clock also waits until it can change something.
    const struck: Struck[] = []
    for (const fault of faults) {
      struck.push(await chaos.strike(fault))
      label = `${fault.kind} ${fault.target}`
    }
    // After the last order has ended, the recorded history is checked against the invariants.
    const outcome = await chaos.settle()
    const violations = check(outcome)

    const { endedMs, repeated, ms } = outcome
    const title = `${howMany(orders, 'order')} and ${howMany(faults.length, 'fault')}${bug ? `, with the bug ${bug}` : ''}`
    const svg = drawChaos(outcome, { struck, violations, title })
    const file = await picture(`chaos${bug ? `-${bug}` : ''}.svg`, svg)
    const about: Record<FaultKind, (fault: Struck) => string> = {
      kill: ({ held }) => `SIGKILL with ${howMany(held, 'order')} in progress`,
      restart: () => 'SIGKILL and restart',
      cut: () => 'connections reset',
      delay: ({ ms, addedMs }) => `line ${addedMs} ms slower for ${milliseconds(ms)}`,
      'half-open': ({ ms }) => `line silent for ${milliseconds(ms)}`,
      clock: ({ ms }) => `clock wrong by ${clockJump(ms)}`,
    }
    const brokenBy = Object.groupBy(violations, ({ invariant }) => invariant)
    print(
      '',
      table(
        ['at order', 'target', 'what'],
        struck.map((fault) => [fault.atOrder, fault.target, about[fault.kind](fault)]),
      ),
      '',
      table(
        ['what must hold', '', 'the first that broke it'],
        invariantNames.map((name) => {
          const broken = brokenBy[name] ?? []
          const verdict =
            broken.length === 0
              ? green('holds')
              : red(`broken ${broken.length === 1 ? 'once' : `${broken.length} times`}`)
          return [name, verdict, broken[0]?.detail ?? '']
        }),
      ),
      '',
      `Not checked here, but by simulate: ${unchecked}.`,
      `${count(endedMs.size)} of ${count(orders)} orders ended; ${count(repeated)} steps were done again after a fault; ${milliseconds(ms)}.`,
      `Picture: ${file}`,
    )
    if (!bug && violations[0]) {
      throw new Error(`${violations.length} violations with --seed ${seed}, the first: ${violations[0].detail}`)
    }
    if (bug && violations.length === 0) throw new Error(`${bug} did not show with --seed ${seed} and these faults`)
    const counts = { faults: faults.length, repeated, ended: endedMs.size }
    return { seed, orders, bug, ...counts, violations, unchecked, ms, struck: faults, picture: file }
  },
  figure: ({ orders, faults, violations, bug }) =>
    `${howMany(orders, 'order')}, ${howMany(faults, 'fault')}${bug ? `, ${bug}` : ''}: ${violations.length} violations`,
})
