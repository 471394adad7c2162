/**
 * drill: workers killed, Redis killed and restarted, a host cut off, while 10,000 jobs run: is anything lost or doubled?
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 04-celery start drill
 *     pnpm --filter 04-celery start drill --seed 7 --kills 20 --workers 4
 *     pnpm --filter 04-celery start drill --ledger queue
 *
 * A host is cut off by a proxy before worker 1's connection to the queue: so it goes without root, and alike for everybody. With
 * a real cable, see four-hosts.
 *
 * Each job books an amount in a ledger, under a key of its own. The faults strike when so many jobs are done; which ones, when
 * and whom follows from the seed, and the same seed strikes the same way again.
 *
 * Look for: lost and doubled, which must be 0; how many bookings would have been made twice without the key; and how long
 * it takes until the jobs of a dead worker are done by another, which is a matter of the lock, not of luck.
 */
import { randomInt } from 'node:crypto'
import { example } from '@repo/common/example/example'
import { oneOf, wholeNumber } from '@repo/common/example/options'
import { median } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, table } from '@repo/common/output/terminal'
import { drill } from '../src/drill/drill.ts'
import { faultsOf } from '../src/drill/faults.ts'
import { drawDrill } from '../src/drill/picture.ts'

const largestSeed = 2 ** 31 - 1

export default example(import.meta, {
  options: {
    jobs: wholeNumber(100, 1_000_000).default(10_000).describe('how many jobs are sent'),
    seed: wholeNumber(0, largestSeed).optional().describe('of the schedule of faults; a random one when not given'),
    kills: wholeNumber(0, 1_000).default(10).describe('how often a worker gets SIGKILL'),
    restarts: wholeNumber(0, 100).default(4).describe('how often a Redis gets SIGKILL and is started again'),
    partitions: wholeNumber(0, 100).default(2).describe("how often worker 1's host is cut off"),
    workers: wholeNumber(2, 32).default(3).describe('worker processes'),
    concurrency: wholeNumber(1, 1_000).default(8).describe('jobs that each worker runs at a time'),
    lock: wholeNumber(500, 600_000)
      .default(2_000)
      .describe('ms for which a worker without a sign of life keeps its jobs'),
    ledger: oneOf('own', 'queue')
      .default('own')
      .describe("where the effects are: in a Redis of their own or the queue's"),
  },
  quick: { jobs: 1_000, kills: 2, restarts: 2, partitions: 1, lock: 1_000 },

  async run({ seed = randomInt(largestSeed), lock: lockMs, ...given }, { signal, print, picture }) {
    // A Redis of yours is not ours to kill.
    const restarts = process.env.REDIS_URL ? 0 : given.restarts
    const settings = { ...given, seed, lockMs, restarts }
    const { jobs, kills, partitions, workers } = settings
    print(
      `${count(jobs)} jobs on ${workers} workers, ${faultsOf(settings).length} faults; --seed ${seed} strikes the same way again …`,
      ...(restarts < given.restarts ? ['REDIS_URL names a Redis that is not ours: it is not restarted.'] : []),
    )
    using bar = progress('running', jobs)
    let label = 'running'
    const report = await drill(settings, {
      signal,
      onProgress(done, struck) {
        if (struck) label = `${struck.kind} of ${struck.target}`
        bar.update(done, label)
      },
    })
    const { jobsLost, effectsLost, doubled, doubledWithoutKey, retries, failures, faults, ms } = report
    const recoveryMs = faults.map((fault) => Math.round(fault.recoveryMs))
    const svg = drawDrill(report, `${count(jobs)} jobs and ${faults.length} faults`)
    const result = {
      seed,
      jobs,
      lost: jobsLost + effectsLost,
      doubled,
      kills,
      restarts,
      partitions,
      retries,
      recoveryMs,
      jobsLost,
      effectsLost,
      doubledWithoutKey,
      faults: report.faults,
      ms,
      picture: await picture('drill.svg', svg),
    }
    const what = { kill: 'SIGKILL', restart: 'SIGKILL and restart', partition: 'cut off' }
    print(
      '',
      table(
        ['when so many were done', 'what', 'whom', 'running there', 'all done after'],
        faults.map(({ atDone, kind, silent, target, held, recoveryMs }) => [
          atDone,
          kind === 'partition' ? `cut off (${silent ? 'silence' : 'reset'})` : what[kind],
          target,
          held,
          milliseconds(recoveryMs),
        ]),
      ),
      '',
      `${count(jobs)} jobs in ${milliseconds(ms)}: ${jobsLost} jobs lost, ${effectsLost} effects lost, ${doubled} effects doubled.`,
      `${count(retries)} times a job was begun again; without its key ${count(doubledWithoutKey)} amounts would have been booked more than once.`,
      `Median recovery ${milliseconds(median(recoveryMs))}, longest ${milliseconds(Math.max(0, ...recoveryMs))}; a lock lasts ${milliseconds(lockMs)}.`,
      `Picture: ${result.picture}`,
    )
    if (result.lost + doubled > 0) {
      throw new Error(`${result.lost} lost and ${doubled} doubled with --seed ${seed}; ${failures.join('; ')}`)
    }
    return result
  },
  figure: ({ jobs, lost, doubled, kills, restarts, partitions }) =>
    `${count(jobs)} jobs, ${kills + restarts + partitions} faults: ${lost} lost, ${doubled} doubled`,
})
