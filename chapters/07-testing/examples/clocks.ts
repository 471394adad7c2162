/**
 * clocks: processes with wrong clocks: how wrong, found out by asking; and which clock puts causes before effects?
 *
 *     pnpm --filter 07-testing start clocks
 *     pnpm --filter 07-testing start clocks --skew 5 --delay 20
 *     pnpm --filter 07-testing start clocks --processes 8 --drift 0
 *
 * The processes are real and talk over UDP. Their clock errors are injected: an offset and a drift on top of the
 * machine's own monotonic clock, which is left alone and serves as the truth to compare with. The network's delay is
 * simulated, too.
 *
 * First each process asks process 0, whose clock is right, for the time, by Cristian's method and by NTP's. Then they
 * send messages to each other, and record for every event what the wall clock, a Lamport clock, a vector clock and a
 * hybrid clock say.
 *
 * Look for: every estimate within its bound of the truth, at most half the round trip; how many messages were received
 * before they were sent, by the wall clocks, and how many still are after these are corrected; and which clocks never
 * put an effect before its cause.
 */
import { randomInt } from 'node:crypto'
import { example } from '@repo/common/example/example'
import { largestSeed, number, seedNumber, wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { count, howMany, table } from '@repo/common/output/terminal'
import { startClocks } from '../src/clocks/clocks.ts'
import { drawSpaceTime, judge } from '../src/clocks/judge.ts'
import { best, cristian, ntp } from '../src/clocks/sync.ts'

const inMs = (ms: number) => `${ms.toFixed(1)} ms`

export default example(import.meta, {
  options: {
    processes: wholeNumber(2, 16).default(4).describe('processes; the clock of the first is right'),
    messages: wholeNumber(1, 500).default(40).describe('how many each sends'),
    skew: number(0, 1e9).default(100).describe('ms by which a clock is wrong at most'),
    drift: number(0, 100_000).default(200).describe('parts per million by which a clock runs too fast or slow at most'),
    delay: number(0.1, 1_000).default(10).describe('ms that the simulated network takes for a message at most'),
    rounds: wholeNumber(1, 1_000).default(20).describe('how often each process asks for the time'),
    seed: seedNumber().optional().describe('for offsets, drifts and delays; a random one by default'),
  },
  quick: { messages: 20, rounds: 10 },

  async run({ processes, messages, rounds, skew, drift, delay, seed = randomInt(largestSeed) }, context) {
    const { signal, print, picture } = context
    const given = { seed, skewMs: skew, driftPpm: drift, delayMs: delay }
    print(
      `${howMany(processes, 'process')} whose clocks are wrong by up to ${skew} ms; --seed ${seed} sets them wrong alike …`,
    )
    using bar = progress('messages sent', 1)
    await using clocks = await startClocks({ processes, ...given, signal })

    // Each process asks process 0 for the time, again and again. An exchange has four timestamps and gives two
    // estimates; the exchange with the smallest bound is believed.
    const exchanges = (await clocks.ask(rounds)).map(({ exchange, ...probe }) => {
      return { ...probe, cristian: cristian(exchange), ntp: ntp(exchange) }
    })
    const estimates = [...Map.groupBy(exchanges, ({ process }) => process)].map(([process, own]) => {
      const trueOffset = own.at(-1)?.trueOffset ?? 0
      return { process, trueOffset, cristian: best(own.map((e) => e.cristian)), ntp: best(own.map((e) => e.ntp)) }
    })
    // Both clocks keep drifting during an exchange.
    const withinBound = exchanges.filter(({ trueOffset, cristian, ntp }) =>
      [cristian, ntp].every(({ offset, bound }) => Math.abs(offset - trueOffset) <= bound + allowanceMs(drift)),
    ).length

    // Then all processes send messages to each other, and record what each kind of clock says at each send and receive.
    const events = await clocks.chat(messages, (sent) => bar.update(sent / (processes * messages)))
    // The messages show what could have caused what. Which clock puts all causes before their effects?
    const corrections = [0, ...estimates.map(({ ntp }) => ntp.offset)]
    const onProgress = (share: number) => bar.update(share, 'events compared')
    const { impossible, ...judgement } = await judge(events, corrections, { signal, onProgress })

    const sizes = `${count(judgement.messages)} messages, ${count(judgement.pairs)} pairs`
    const svg = drawSpaceTime(events, impossible, `${howMany(processes, 'process')} whose clocks are wrong`)
    const file = await picture('clocks.svg', svg)
    print(
      '',
      table(
        ['process', 'is behind by', "Cristian's estimate", 'bound', 'error', "NTP's estimate", 'bound', 'error'],
        estimates.map(({ process, trueOffset, cristian, ntp }) => {
          const estimate = [cristian, ntp].flatMap(({ offset, bound }) => [
            offset,
            bound,
            Math.abs(offset - trueOffset),
          ])
          return [process, inMs(trueOffset), ...estimate.map(inMs)]
        }),
      ),
      '',
      `${withinBound} of ${exchanges.length} exchanges have an error within their bound.`,
      '',
      table(
        [sizes, 'effect before cause', 'received before sent', 'order made up'],
        judgement.verdicts.map(({ clock, causesAfterEffects, receivedBeforeSent, madeUp }) => [
          clock,
          ...[causesAfterEffects, receivedBeforeSent, madeUp].map(count),
        ]),
      ),
      '',
      `${count(judgement.concurrent)} pairs are concurrent: neither could have caused the other. Only the vectors say so.`,
      `A hybrid clock was at most ${inMs(judgement.hybridErrorMs)} from the right time, a wall clock ${inMs(judgement.wallErrorMs)}.`,
      `Picture: ${file}`,
    )
    return { ...given, ...judgement, exchanges: exchanges.length, withinBound, estimates, picture: file }
  },
  figure: ({ messages, verdicts }) =>
    verdicts
      .filter(({ clock }) => ['wall clock', 'hybrid'].includes(clock))
      .map(
        ({ clock, receivedBeforeSent }) =>
          `${clock}: ${receivedBeforeSent} of ${messages} messages received before sent`,
      )
      .join('; '),
})

/** The truth is that at the end of an exchange, which takes less than 1 s. */
const allowanceMs = (driftPpm: number) => ((2 * driftPpm) / 1e6) * 1_000
