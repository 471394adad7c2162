/**
 * spot: a worker that is told its machine will be taken away puts its jobs back and leaves in time
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 05-cloud start spot
 *     pnpm --filter 05-cloud start spot --visibility 30
 *
 * Spare machines cost a fraction of the others and may be taken away. Two minutes before, a notice appears in the instance
 * metadata service, which a worker asks every few seconds. The notice, the two minutes (here a few seconds) and the machine
 * (here a process, which is killed) are simulated; the worker, the queue and the bucket are those of wordcount.
 *
 * Look for: how long the jobs of the first worker lie idle when it heeds the notice, and when it does not.
 */
import { example } from '@repo/common/example/example'
import { number, wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { milliseconds, table } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { openCloud } from '../src/cloud/cloud.ts'
import { simulateInstanceMetadata } from '../src/local/instance-metadata.ts'
import { makeQueues } from '../src/queues.ts'
import { temporaryBucket } from '../src/storage/buckets.ts'
import { uploadAddresses } from '../src/wordcount/addresses.ts'
import { losses } from '../src/wordcount/losses.ts'
import { jobsOf, mapReduce, type Report } from '../src/wordcount/map-reduce.ts'
import { startWorkers } from '../src/wordcount/workers.ts'

const jobs = 24

export default example(import.meta, {
  options: {
    notice: number(0.1, 120).default(1.5).describe('seconds between the notice and the end; two minutes at Amazon'),
    visibility: wholeNumber(1, 600).default(15).describe('seconds after which the job of a dead worker comes back'),
    repeat: wholeNumber(1, 1000).default(20).describe('how many times each text is counted'),
  },
  quick: { notice: 2, visibility: 4 },

  async run({ notice, visibility, repeat }, { signal, print, picture }) {
    await using stack = new AsyncDisposableStack()
    const { s3, sqs, places } = stack.use(await openCloud({ signal }))
    const bucket = stack.use(await temporaryBucket(s3, { signal })).name
    const { texts } = await uploadAddresses(s3, bucket, { signal })
    print('Two workers count; the machine of the first will be taken away. Machine and notice are simulated.', '')

    async function lose(heeded: boolean) {
      await using team = new AsyncDisposableStack()
      const metadata = team.use(await simulateInstanceMetadata())
      const { urls } = team.use(await makeQueues(sqs, { visibilitySeconds: visibility, tries: 5, signal }))
      const work = { queues: urls, visibilitySeconds: visibility }
      // Often enough to hear it in time.
      const notices = { url: metadata.url, everyMs: Math.min(250, (1000 * notice) / 20) }
      const spotWork = { ...work, name: 'spot', ...(heeded && { metadata: notices }) }
      const spot = team.use(await startWorkers(1, places, spotWork, signal))
      const other = team.use(await startWorkers(1, places, { ...work, name: 'other' }, signal))

      using bar = progress(heeded ? 'counting, the notice is heeded' : 'counting, no notice', jobs)
      const reports: Report[] = []
      const marks: number[] = []
      let killed: Promise<unknown> | undefined
      const start = Date.now()
      const total = await mapReduce(
        { s3, sqs },
        urls,
        jobsOf(texts, { bucket, prefix: `results/${heeded}/`, count: jobs, repeat }),
        {
          signal,
          workersGone: other.gone,
          onReport(report) {
            reports.push(report)
            bar.update(reports.filter(({ outcome }) => outcome === 'done').length)
            if (killed || report.worker !== 'spot') return
            const at = Date.now() + 1000 * notice
            metadata.notify({ action: 'terminate', time: `${new Date(at).toISOString().slice(0, 19)}Z` })
            marks.push(Date.now(), at)
            const timer = setTimeout(() => spot.processes[0]?.process.kill('SIGKILL'), 1000 * notice)
            killed = spot.processes[0]?.exited.finally(() => clearTimeout(timer))
          },
        },
      )
      const ms = Date.now() - start
      return { heeded, ms, words: total.words, start, reports, marks, ...losses({ reports, marks }) }
    }
    const heeded = await lose(true)
    const unheeded = await lose(false)
    const runs = [heeded, unheeded]
    print(
      table(
        ['the notice is', 'jobs put back', 'jobs begun again', 'idle at most', 'all done after'],
        runs.map((run) => [
          run.heeded ? 'heeded' : 'not heeded',
          run.putBack,
          run.again,
          milliseconds(run.idleMs),
          milliseconds(run.ms),
        ]),
      ),
      '',
      `The same ${heeded.words.toLocaleString('en')} words in both.`,
    )
    // Loading what draws takes longer than loading all the rest.
    const { timeLine } = await import('../src/wordcount/time-line.ts')
    const result = {
      runs: runs.map(({ start, reports, marks, ...run }) => run),
      visibility,
      picture: await picture('spot.svg', timeLine(runs)),
    }
    print(`Picture: ${result.picture}`)
    return result
  },
  figure: ({ runs }) =>
    runs.map(({ heeded, idleMs }) => `${heeded ? 'heeded' : 'not heeded'}: idle ${milliseconds(idleMs)}`).join('; '),
})
