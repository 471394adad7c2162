/**
 * latency: the ladder from a function call to threads, processes, loopback and a wide-area network
 *
 *     pnpm --filter 01-intro start latency
 *     pnpm --filter 01-intro start latency --samples 20000
 *
 * Each rung is the time until something is done and known to be done: a call has returned, a message has been answered.
 * The wide-area network is simulated: connections on this machine whose bytes a timer holds back, 50 ms there and 50 ms
 * back. All the others are real.
 *
 * Look for: the factors between the rungs; how far the 99th percentile is from the median where an operating system
 * decides who runs next; and what else a thread could have done during one round trip to a far machine.
 */
import { coreCount } from '@repo/common/cores'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { quantile } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { count, duration, table, yellow } from '@repo/common/output/terminal'
import { installRedis } from '@repo/common/servers/redis'
import { awaitNothing, callFunctions, drawLadder, measure, type Rung, turnLoop } from '../src/ladder/ladder.ts'
import { answerOf, echo, startPeers } from '../src/ladder/peers.ts'
import { wakeUp } from '../src/ladder/wake-up.ts'

const rounds = 5

export default example(import.meta, {
  options: {
    samples: wholeNumber(100, 1_000_000).default(10_000).describe('measurements of each fast rung'),
  },
  quick: { samples: 2_000 },

  async run({ samples }, { signal, print, picture }) {
    print('From a function call to a wide-area network, there and back …')
    await using peers = await startPeers(signal)
    const { turn, worker, pipe, near, redis, far } = peers

    // #region rungs
    const rungs: Rung[] = [
      // Within one thread. A single trip is too short for the clock, so each sample is a batch.
      { name: 'function call', batch: 100_000, share: 10, trip: callFunctions },
      { name: 'microtask', batch: 1_000, share: 10, trip: awaitNothing },
      { name: 'setImmediate', batch: 10, trip: turnLoop },
      // To another thread: waking it, which moves no data, and sending it a message.
      { name: 'Atomics wake-up, thread and back', trip: () => wakeUp(turn) },
      { name: 'message, thread and back', trip: () => answerOf(worker) },
      // To another process: 64 bytes there and back.
      { name: 'pipe, process and back', trip: () => echo(pipe.stdin, pipe.stdout) },
      { name: 'TCP on loopback and back', trip: () => echo(near, near) },
      ...(redis ? [{ name: 'Redis PING', trip: () => redis.ping() }] : []),
      // To another continent. These connections only wait, so all of them wait at the same time.
      { name: 'wide-area network (simulated)', share: 50, trip: far.map((socket) => () => echo(socket, socket)) },
    ]
    // #endregion rungs
    const missing = redis ? [] : [`Redis PING: install a server with ${installRedis}`]

    // In turn, so that a disturbance of the machine hits all rungs; the first round warms up.
    const times = new Map(rungs.map((rung) => [rung, [] as number[][]]))
    using bar = progress('climbing', rungs.length * (rounds + 1))
    for (let round = 0; round <= rounds; round++) {
      for (const [at, rung] of rungs.entries()) {
        bar.update(round * rungs.length + at, rung.name)
        const measured = await measure(rung, samples / rounds, signal)
        if (round > 0) times.get(rung)?.push(measured)
      }
    }
    const rows = rungs.map((rung) => {
      const ns = times.get(rung)?.flat() ?? []
      const { name, batch = 1 } = rung
      return { name, medianNs: quantile(ns, 0.5), p99Ns: quantile(ns, 0.99), samples: ns.length, batch }
    })

    const call = rows[0]?.medianNs ?? Number.NaN
    const result = {
      cores: coreCount(),
      rungs: rows,
      missing,
      picture: await picture('latency.svg', drawLadder(rows)),
    }
    print(
      '',
      table(
        ['there and back', 'median', '99th percentile', 'function calls', 'samples'],
        rows.map(({ name, medianNs, p99Ns, samples, batch }) => [
          name,
          duration(medianNs),
          duration(p99Ns),
          count(Math.round(medianNs / call)),
          batch === 1 ? count(samples) : `${count(samples)} of ${count(batch)}`,
        ]),
      ),
      '',
      ...missing.map((what) => yellow(`Left out: ${what}`)),
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ rungs }) => {
    const of = (name: string) => duration(rungs.find((rung) => rung.name.startsWith(name))?.medianNs ?? Number.NaN)
    return `a call ${of('function')}, a thread and back ${of('message')}, TCP on loopback ${of('TCP')}`
  },
})
