/**
 * clocks: processes with wrong clocks: how wrong, found out by asking; and which clock puts causes before effects?
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 07-testing start clocks
 *     pnpm --filter 07-testing start clocks --skew 5 --delay 20
 *     pnpm --filter 07-testing start clocks --processes 8 --drift 0
 *
 * The processes are real and talk over UDP. Their errors are injected: an offset and a drift on top of the machine's own
 * monotonic clock, which is left alone and serves as the truth to compare with. The network's delay is simulated as well.
 *
 * Each process first asks process 0, whose clock is right, for its time: Cristian's way and NTP's. Then all send messages
 * to each other, and note for every event what the wall clock, Lamport's, a vector and a hybrid clock say.
 *
 * Look for: that no estimate is further from the truth than its bound, half of the round trip; how many messages were
 * received before they were sent, by the wall clocks, and how many still are when those are corrected; and which clocks
 * never put an effect before its cause.
 */
import { randomInt } from 'node:crypto'
import { example } from '@repo/common/example/example'
import { number, wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { count, table } from '@repo/common/output/terminal'
import { judge, runClocks } from '../src/clocks/clocks.ts'
import { drawSpaceTime } from '../src/clocks/picture.ts'

const largestSeed = 2 ** 31 - 1
const inMs = (ms: number) => `${ms.toFixed(1)} ms`

export default example(import.meta, {
  options: {
    processes: wholeNumber(2, 16).default(4).describe('processes; the clock of the first is right'),
    messages: wholeNumber(1, 500).default(40).describe('how many each sends'),
    skew: number(0, 1e9).default(100).describe('ms by which a clock is wrong at most'),
    drift: number(0, 100_000).default(200).describe('parts per million by which a clock runs too fast or slow at most'),
    delay: number(0.1, 1_000).default(10).describe('ms that the network takes for a message at most; simulated'),
    rounds: wholeNumber(1, 1_000).default(20).describe('how often each process asks for the time'),
    seed: wholeNumber(0, largestSeed).optional().describe('of offsets, drifts and delays; a random one when not given'),
  },
  quick: { messages: 20, rounds: 10 },

  async run({ skew: skewMs, drift: driftPpm, delay: delayMs, seed = randomInt(largestSeed), ...given }, context) {
    const { signal, print, picture } = context
    print(
      `${given.processes} processes whose clocks are wrong by up to ${skewMs} ms; --seed ${seed} sets them wrong alike …`,
    )
    using bar = progress('messages sent', 1)
    const onProgress = (sent: number) => bar.update(sent / (given.processes * given.messages))
    const { estimates, events } = await runClocks({ ...given, skewMs, driftPpm, delayMs, seed, signal, onProgress })
    // Process 0 is right.
    const corrections = [0, ...estimates.map(({ ntp }) => ntp.offset)]
    const { impossible, ...judgement } = await judge(events, corrections, {
      signal,
      onProgress: (share) => bar.update(share, 'events compared'),
    })
    const svg = drawSpaceTime(events, impossible, `${given.processes} processes whose clocks are wrong`)
    const all = estimates.flatMap((estimate) => estimate.all)
    const within = all.filter(({ trueOffset, cristian, ntp }) =>
      [cristian, ntp].every(({ offset, bound }) => Math.abs(offset - trueOffset) <= bound + driftAllowanceMs(driftPpm)),
    )
    const result = {
      seed,
      skewMs,
      driftPpm,
      delayMs,
      ...judgement,
      exchanges: all.length,
      withinBound: within.length,
      estimates: estimates.map(({ all: _, ...estimate }) => estimate),
      picture: await picture('clocks.svg', svg),
    }
    print(
      '',
      table(
        ['process', 'is behind by', "Cristian's estimate", 'bound', 'error', "NTP's estimate", 'bound', 'error'],
        estimates.map(({ process, trueOffset, cristian, ntp }) => [
          process,
          inMs(trueOffset),
          ...[cristian, ntp].flatMap(({ offset, bound }) => [
            inMs(offset),
            inMs(bound),
            inMs(Math.abs(offset - trueOffset)),
          ]),
        ]),
      ),
      '',
      `${within.length} of ${all.length} exchanges have an error within their bound.`,
      '',
      table(
        [
          `${count(judgement.messages)} messages, ${count(judgement.pairs)} pairs`,
          'effect before cause',
          'received before sent',
          'order made up',
        ],
        judgement.verdicts.map(({ clock, causesAfterEffects, receivedBeforeSent, madeUp }) => [
          clock,
          count(causesAfterEffects),
          count(receivedBeforeSent),
          count(madeUp),
        ]),
      ),
      '',
      `${count(judgement.concurrent)} pairs are concurrent: neither could have caused the other. Only the vectors say so.`,
      `A hybrid clock was at most ${inMs(judgement.hybridErrorMs)} from the right time.`,
      `Picture: ${result.picture}`,
    )
    return result
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

/** The truth is taken when an exchange ends; within it both clocks have drifted on. An exchange takes less than 1 s. */
const driftAllowanceMs = (driftPpm: number) => ((2 * driftPpm) / 1e6) * 1_000
