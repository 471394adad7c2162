/**
 * drill: workers killed, Redis killed and restarted, a host cut off, while 10,000 jobs run: is anything lost or doubled?
 *
 *     pnpm --filter 04-celery start drill
 *     pnpm --filter 04-celery start drill --seed 7 --kills 20 --workers 4
 *     pnpm --filter 04-celery start drill --ledger queue
 *
 * A host is cut off by a proxy in front of worker 1's connection to the queue, so no root is needed, and it works the
 * same for everybody. For a real cable, see four-hosts.
 *
 * Each job books an amount in a ledger, under a key of its own. A fault strikes when a number of jobs are done. When,
 * how and whom it strikes follows from the seed, and the same seed strikes the same way again.
 *
 * Look for: lost and doubled, which must be 0; how many bookings would have been made twice without the key; and how
 * long it takes until another worker has done a dead worker's jobs, which is a matter of the lock, not of luck.
 */
import { randomInt } from 'node:crypto'
import { example } from '@repo/common/example/example'
import { largestSeed, oneOf, seedNumber, wholeNumber } from '@repo/common/example/options'
import { median } from '@repo/common/measure'
import { palette } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds, table } from '@repo/common/output/terminal'
import { timeline } from '@repo/common/output/timeline'
import { type DrillSettings, startDrill } from '../src/drill/drill.ts'
import { faultsOf } from '../src/drill/faults.ts'

export default example(import.meta, {
  options: {
    jobs: wholeNumber(100, 1_000_000).default(10_000).describe('how many jobs are sent'),
    seed: seedNumber().optional().describe('of the schedule of faults; random by default'),
    kills: wholeNumber(0, 1_000).default(10).describe('how often a worker gets SIGKILL'),
    restarts: wholeNumber(0, 100).default(4).describe('how often a Redis gets SIGKILL and is restarted'),
    partitions: wholeNumber(0, 100).default(2).describe("how often worker 1's host is cut off"),
    workers: wholeNumber(2, 32).default(3).describe('worker processes'),
    concurrency: wholeNumber(1, 1_000).default(8).describe('jobs that each worker runs at a time'),
    lock: wholeNumber(500, 600_000)
      .default(2_000)
      .describe('ms for which a worker without a sign of life keeps its jobs'),
    ledger: oneOf('own', 'queue')
      .default('own')
      .describe("where the effects are: in a Redis of their own or in the queue's"),
  },
  quick: { jobs: 1_000, kills: 2, restarts: 2, partitions: 1, lock: 1_000 },

  async run({ seed = randomInt(largestSeed), lock: lockMs, ...given }, { signal, print, picture }) {
    // A Redis of yours is not ours to kill.
    const restarts = process.env.REDIS_URL ? 0 : given.restarts
    const settings: DrillSettings = { ...given, seed, lockMs, restarts }
    const { jobs, kills, partitions, workers } = settings
    const schedule = faultsOf(settings)
    print(
      `${howMany(jobs, 'job')} on ${howMany(workers, 'worker')}, ${howMany(schedule.length, 'fault')}; --seed ${seed} strikes the same way again …`,
      ...(restarts < given.restarts ? ['REDIS_URL names a Redis that is not ours: it is not restarted.'] : []),
    )
    using bar = progress('running', jobs)
    let label = 'running'

    // Start the servers and the workers, and send jobs a little ahead of those that are done.
    await using drill = await startDrill(settings, { signal, onProgress: (done) => bar.update(done, label) })
    const sent = drill.send()

    // Break something whenever the schedule says so.
    for (const fault of schedule) {
      await drill.untilDone(fault.atDone)
      label = `${fault.kind} of ${fault.target}`
      await drill.strike(fault)
    }
    await drill.untilDone(jobs)
    await sent
    const { ms, doneMs, failures, struck: faults } = drill

    // Count what is on disk when all is over: jobs that are lost, amounts that are missing or were booked twice.
    await drill.end()
    const { jobsLost, effectsLost, doubled, doubledWithoutKey, retries } = await drill.count()
    const recoveryMs = faults.map((fault) => Math.round(fault.recoveryMs))
    const svg = timeline({
      title: `${howMany(jobs, 'job')} and ${howMany(faults.length, 'fault')}`,
      subtitle: 'A gap in a row: dead. The last row is darker where more jobs were done.',
      rowHeight: 34,
      kinds: {
        up: { look: 'pale' },
        'cut off': {},
        'jobs done': { look: 'density' },
        'a fault': { look: 'dot', color: palette[4] },
      },
      rows: [
        ...drill.rows.map(({ name, spans }) => {
          const own = faults.filter(({ target }) => target === name)
          return { name, spans, marks: own.map(({ atMs }) => ({ kind: 'a fault' as const, at: atMs })) }
        }),
        { name: 'jobs done', marks: doneMs.map((at) => ({ kind: 'jobs done' as const, at })) },
      ],
    })
    const path = await picture('drill.svg', svg)
    const what = { kill: 'SIGKILL', restart: 'SIGKILL and restart', partition: 'cut off' }
    print(
      '',
      table(
        ['jobs done', 'what', 'whom', 'running there', 'all done after'],
        faults.map(({ atDone, kind, silent, target, held, recoveryMs }) => [
          atDone,
          kind === 'partition' ? `cut off (${silent ? 'silence' : 'reset'})` : what[kind],
          target,
          held,
          milliseconds(recoveryMs),
        ]),
      ),
      '',
      `${howMany(jobs, 'job')} in ${milliseconds(ms)}: ${howMany(jobsLost, 'job')} lost, ${effectsLost} effects lost, ${doubled} effects doubled.`,
      `${count(retries)} times a job was begun again; without its key ${count(doubledWithoutKey)} amounts would have been booked more than once.`,
      `Median recovery ${milliseconds(median(recoveryMs))}, longest ${milliseconds(Math.max(0, ...recoveryMs))}; a lock lasts ${milliseconds(lockMs)}.`,
      `Picture: ${path}`,
    )
    const lost = jobsLost + effectsLost
    if (lost + doubled > 0) {
      throw new Error(`${lost} lost and ${doubled} doubled with --seed ${seed}; ${failures.join('; ')}`)
    }
    return {
      seed,
      jobs,
      done: doneMs.length,
      lost,
      doubled,
      kills,
      restarts,
      partitions,
      retries,
      recoveryMs,
      jobsLost,
      effectsLost,
      doubledWithoutKey,
      faults,
      ms,
      picture: path,
    }
  },
  figure: ({ jobs, lost, doubled, kills, restarts, partitions }) =>
    `${howMany(jobs, 'job')}, ${kills + restarts + partitions} faults: ${lost} lost, ${doubled} doubled`,
})
