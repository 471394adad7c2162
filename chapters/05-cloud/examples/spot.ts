/**
 * spot: a worker whose machine will be taken away puts its jobs back and leaves in time
 *
 *     pnpm --filter 05-cloud start spot
 *     pnpm --filter 05-cloud start spot --visibility 30
 *
 * Spare machines cost a fraction of the price, but the cloud may take them away. Two minutes before it does, a notice
 * appears in the instance metadata service, which a worker polls every few seconds. The notice, the two minutes (here a
 * few seconds) and the machine (here a process that is killed) are simulated. The worker, the queue and the bucket are
 * wordcount's.
 *
 * Look for: how long the jobs of the first worker sit idle when it heeds the notice, and when it does not; and whether
 * the two workers, one of which is lost, beat a plain program on one thread (the COST).
 */
import { isDeepStrictEqual } from 'node:util'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { number, wholeNumber } from '@repo/common/example/options'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, table } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { simulateInstanceMetadata } from '../src/local/instance-metadata.ts'
import { makeQueues } from '../src/queues.ts'
import { openCloud } from '../src/session/open.ts'
import { temporaryBucket } from '../src/storage/buckets.ts'
import { countAlone, uploadAddresses } from '../src/wordcount/addresses.ts'
import { drawInterruptions, interruptionOf } from '../src/wordcount/interruption.ts'
import { jobsOf, mapReduce, type Report } from '../src/wordcount/map-reduce.ts'
import { startWorkers } from '../src/wordcount/workers.ts'

const jobs = 24

export default example(import.meta, {
  options: {
    notice: number(0.1, 120).default(1.5).describe('seconds between the notice and the end; two minutes at Amazon'),
    visibility: wholeNumber(1, 600).default(15).describe('seconds after which the job of a dead worker comes back'),
    repeat: wholeNumber(1, 1000).default(100).describe('how many times each text is counted'),
    texts: wholeNumber(1, 233).default(233).describe('addresses to count, from the first one, of 1790'),
  },
  quick: { notice: 2, visibility: 4, texts: 40 },

  async run({ notice, visibility, repeat, texts: most }, { signal, print, picture }) {
    await using stack = new AsyncDisposableStack()
    const { s3, sqs, places } = stack.use(await openCloud({ signal }))
    const bucket = stack.use(await temporaryBucket(s3, { signal })).name
    const { texts } = await uploadAddresses(s3, bucket, { signal, most })
    print('Two workers count; the machine of the first will be taken away. Machine and notice are simulated.', '')

    async function lose(heeded: boolean) {
      await using group = new AsyncDisposableStack()
      const { urls } = group.use(await makeQueues(sqs, { visibilitySeconds: visibility, tries: 5, signal }))
      const work = { queues: urls, visibilitySeconds: visibility }

      // Two workers. The first polls the metadata service, often enough to see the notice in time, if it heeds notices.
      const metadata = group.use(await simulateInstanceMetadata())
      const notices = { url: metadata.url, everyMs: Math.min(250, (1000 * notice) / 20) }
      const spotWork = { ...work, name: 'spot', ...(heeded && { metadata: notices }) }
      const spot = group.use(await startWorkers(1, places, spotWork, signal))
      const other = group.use(await startWorkers(1, places, { ...work, name: 'other' }, signal))

      // After its first report the notice appears, and when the time is up the machine ends, whatever the worker does.
      const marks: number[] = []
      let killed: Promise<unknown> | undefined
      function takeAway() {
        const at = Date.now() + 1000 * notice
        metadata.notify({ action: 'terminate', time: `${new Date(at).toISOString().slice(0, 19)}Z` })
        marks.push(Date.now(), at)
        const timer = setTimeout(() => spot.processes[0]?.process.kill('SIGKILL'), 1000 * notice)
        killed = spot.processes[0]?.exited.finally(() => clearTimeout(timer))
      }
      const reports: Report[] = []
      using bar = progress(heeded ? 'counting, the notice is heeded' : 'counting, no notice', jobs)
      const onReport = (report: Report) => {
        reports.push(report)
        bar.update(reports.filter(({ outcome }) => outcome === 'done').length)
        if (!killed && report.worker === 'spot') takeAway()
      }
      const start = Date.now()
      const list = jobsOf(texts, { bucket, prefix: `results/${heeded}/`, count: jobs, repeat })
      const { words, counts } = await mapReduce({ s3, sqs }, urls, list, { signal, workersGone: other.gone, onReport })
      return { heeded, ms: Date.now() - start, words, counts, start, reports, marks }
    }
    const lost = [await lose(true), await lose(false)]

    // A plain program on one thread does the same work, and nobody takes its machine away.
    const alone = await countAlone({ repeat, most, signal })
    if (!lost.every(({ counts }) => isDeepStrictEqual(counts, alone.counts)))
      throw new Error('the workers and this process count differently')

    const runs = lost.map((run) => {
      const { heeded, ms, words } = run
      const { cost } = costOf(alone.ms, [{ workers: 2, ms }])
      return { heeded, ms, words, ...interruptionOf(run), cost }
    })
    const cost = costOf(alone.ms, [{ workers: 2, ms: runs[0].ms }])
    print(
      table(
        ['the notice is', 'jobs put back', 'jobs begun again', 'idle at most', 'all done after', 'COST'],
        runs.map(({ heeded, putBack, again, idleMs, ms, cost }) => [
          heeded ? 'heeded' : 'not heeded',
          putBack,
          again,
          milliseconds(idleMs),
          milliseconds(ms),
          cost,
        ]),
      ),
      '',
      `The same ${count(runs[0]?.words ?? 0)} words in both.`,
      `The notice heeded: ${describeCost(cost)}`,
    )
    const result = { runs, ...cost, visibility, picture: await picture('spot.svg', drawInterruptions(lost)) }
    print(`Picture: ${result.picture}`)
    return result
  },
  figure: ({ runs }) =>
    runs
      .map(
        ({ heeded, idleMs, cost }) => `${heeded ? 'heeded' : 'not heeded'}: idle ${milliseconds(idleMs)}, COST ${cost}`,
      )
      .join('; '),
})
