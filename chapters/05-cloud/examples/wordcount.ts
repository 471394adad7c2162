/**
 * wordcount: map and reduce over a bucket: workers in the cloud count the words of 233 State of the Union addresses
 *
 *     pnpm --filter 05-cloud start wordcount
 *     pnpm --filter 05-cloud start wordcount --workers 4 --kill 2
 *     pnpm --filter 05-cloud start wordcount --workers 2 --repeat 40 --compare
 *     pnpm --filter 05-cloud start wordcount --workers 2 --growth
 *     pnpm --filter 05-cloud start wordcount --on ec2                      workers launched by EC2, here by moto's
 *     pnpm --filter 05-cloud start wordcount --aws --bucket my-own-bucket
 *
 * The texts are objects in a bucket, the jobs are messages in a queue, and the workers are processes that know neither
 * each other nor this program. Without --aws and AWS_ENDPOINT_URL all of it is on this machine, and ends with this
 * program.
 *
 * Look for: the same counts for any number of workers, even if some are killed; how many workers beat a plain program on
 * one thread, if any (the COST); and, with --growth, how much work per text it takes until they do.
 */
import { isDeepStrictEqual } from 'node:util'
import { type Cost, costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { flag, oneOf, wholeNumber, workerCount } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { compareWithSerial, interleave, median } from '@repo/common/measure'
import { describeCost, drawGrowth } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds, table } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { isAmazon } from '../src/cloud/place.ts'
import { bill, mostInstances, needsYes, costOf as priceOf } from '../src/cloud/prices.ts'
import { makeQueues, untilHeld } from '../src/queues.ts'
import { awsOption, openCloud } from '../src/session/open.ts'
import { bucketOption, deletePrefix, makeBucket, temporaryBucket } from '../src/storage/buckets.ts'
import { countAlone, uploadAddresses } from '../src/wordcount/addresses.ts'
import { jobsOf, mapReduce, type Report } from '../src/wordcount/map-reduce.ts'
import { decadePlot, summaryLines } from '../src/wordcount/report.ts'
import { topWords } from '../src/wordcount/words.ts'
import { startWorkers } from '../src/wordcount/workers.ts'

export default example(import.meta, {
  options: {
    workers: workerCount(64).describe('worker processes'),
    repeat: wholeNumber(1, 1000).default(1).describe('how many times each text is counted, for more work'),
    compare: flag().describe("measure one worker, all workers and a plain program in turn, and the machine's ceiling"),
    growth: flag().describe('also count each text once, 3, 10, 30 and 100 times, in turn with a plain program'),
    kill: wholeNumber(0, 63).default(0).describe('workers to kill once they have begun'),
    jobs: wholeNumber(1, 233).default(24).describe('jobs into which the texts are divided'),
    visibility: wholeNumber(1, 43_200).default(10).describe('seconds after which the job of a dead worker comes back'),
    bucket: bucketOption.optional().describe('a bucket that is kept; by default a new one that is removed'),
    on: oneOf('processes', 'ec2').default('processes').describe('what the workers are; ec2 needs --aws or moto'),
    aws: awsOption,
    yes: flag().describe('launch instances in your account'),
  },
  quick: { visibility: 2 },

  async run({ workers, repeat, compare, growth, kill, jobs, visibility, bucket: named, on, aws, yes }, context) {
    const { signal, quick, print, picture } = context
    if (kill >= workers) throw new UsageError('--kill', kill, `less than the ${workers} of --workers`)
    const also = compare ? '--compare' : growth && '--growth'
    if (kill > 0 && also) throw new UsageError('--kill', kill, `0 with ${also}: a killed worker is not replaced`)
    const onInstances = on === 'ec2'
    if (onInstances && (kill > 0 || also)) throw new UsageError('--on', on, `processes with ${also || '--kill'}`)
    if (onInstances && workers > mostInstances)
      throw new UsageError('--workers', workers, `at most ${mostInstances} on ec2`)

    await using stack = new AsyncDisposableStack()
    const cloud = stack.use(await openCloud({ aws, machines: onInstances, signal }))
    const { s3, sqs, places } = cloud
    const minutes = 60
    if (onInstances && places.machines && isAmazon(places.machines)) {
      print(bill(priceOf(workers, 't3.micro', 8 * workers), minutes))
      if (!yes) throw needsYes()
    }
    if (named) await makeBucket(s3, named, { signal })
    const bucket = named ?? stack.use(await temporaryBucket(s3, { signal })).name
    print(`Counting words in ${cloud.name}, bucket ${bucket} …`)

    // The texts become objects, unless the bucket has them already.
    using bar = progress('uploading the addresses', 1)
    const start = performance.now()
    const { texts, uploaded } = await uploadAddresses(s3, bucket, { signal, onProgress: (share) => bar.update(share) })
    const uploadMs = performance.now() - start

    // A pool has the bucket and three queues: for jobs, for results, and for jobs that failed too often.
    async function startPool(size: number) {
      const { urls } = stack.use(await makeQueues(sqs, { visibilitySeconds: visibility, signal }))
      const work = { queues: urls, visibilitySeconds: visibility }
      const onStep = (what: string, result: string) => print(`  ${what.padEnd(18)}${result}`)
      const machines = { cloud, bucket, type: 't3.micro', minutes, signal, onStep } as const
      // Loaded only here: the SDK for EC2 is large.
      const { launchWorkers } = onInstances ? await import('../src/wordcount/instance-workers.ts') : {}
      const group = await (launchWorkers?.(size, { ...work, ...machines }) ?? startWorkers(size, places, work, signal))
      const { processes, gone } = stack.use(group)
      const prefix = `results/${urls.jobs.split('/').at(-1)}/`
      stack.defer(async () => void (await deletePrefix(s3, bucket, prefix)))
      return { urls, processes, gone, prefix }
    }

    // Map: each job names some texts, and a worker writes their counts. Reduce: the counts of all jobs are added up.
    let again = 0
    async function countBy({ urls, gone, prefix }: Awaited<ReturnType<typeof startPool>>, times = repeat) {
      let done = 0
      const onReport = ({ outcome, tries }: Report) => {
        if (tries > 1) again++
        if (outcome === 'done') bar.update(++done / Math.min(jobs, texts.length), 'counting')
      }
      const list = jobsOf(texts, { bucket, prefix, count: jobs, repeat: times })
      return await mapReduce({ s3, sqs }, urls, list, { signal, workersGone: gone, onReport })
    }
    const pool = await startPool(workers)
    const begin = performance.now()
    const counting = countBy(pool)

    // Kill some workers while they hold a job; SIGKILL leaves them no time to put it back. A worker holds at most two,
    // so when more are held than the survivors can hold, a victim holds one.
    const finished = new AbortController()
    const stop = AbortSignal.any([signal, finished.signal])
    const held = Math.min(2 * (workers - kill) + 1, jobs)
    const victims = pool.processes.slice(0, kill)
    const killAll = () => victims.filter(({ process }) => process.kill('SIGKILL')).length
    const killing = kill > 0 ? untilHeld(sqs, pool.urls.jobs, held, stop).then(killAll, () => 0) : 0
    const total = await counting.finally(() => finished.abort())
    const killed = await killing
    const ms = performance.now() - begin

    // What the workers must beat is one thread without them, which does the same work and must find the same counts.
    const alone = await countAlone({ repeat, signal })
    if (!isDeepStrictEqual(total.counts, alone.counts)) throw new Error('the cloud and this process count differently')
    const oneWorker: number[] = []
    async function timed(counting: Promise<unknown>) {
      const start = performance.now()
      await counting
      return performance.now() - start
    }
    const one = compare ? await startPool(1) : undefined
    const onProgress = (done: number, all: number) => bar.update(done / all, 'counting, in turn with one thread alone')
    const measured =
      one &&
      (await compareWithSerial(
        {
          serial: async () => (await countAlone({ repeat, signal })).ms,
          async parallel() {
            oneWorker.push(await timed(countBy(one)))
            return await timed(countBy(pool))
          },
          workers,
        },
        { rounds: quick ? 1 : 5, signal, onProgress },
      ))
    // The first time did not count.
    const oneWorkerMs = median(oneWorker.slice(1))
    const cost = costOf(measured?.serialMs ?? alone.ms, [
      ...(measured ? [{ workers: 1, ms: oneWorkerMs }] : []),
      { workers, ms: measured?.parallelMs ?? ms },
    ])

    // The same texts with more and more work for each: how much does it take until the workers are faster?
    const sizes: ({ repeat: number; ms: number } & Cost)[] = []
    for (const times of growth ? (quick ? [1, 2, 5, 10] : [1, 3, 10, 30, 100]) : []) {
      bar.update(0, `counting each text ${times} times`)
      const { plain, cloud } = await interleave(
        { plain: async () => (await countAlone({ repeat: times, signal })).ms, cloud: () => countBy(pool, times) },
        { rounds: quick ? 1 : 3, signal },
      )
      sizes.push({ repeat: times, ms: cloud.ms, ...costOf(plain.ms, [{ workers, ms: cloud.ms }]) })
    }

    const result = {
      objects: total.objects.length,
      bytes: total.bytes,
      words: total.words,
      distinct: total.counts.size,
      top: topWords(total.counts, 10),
      workers,
      repeat,
      ms: measured?.parallelMs ?? ms,
      ...cost,
      uploaded,
      uploadMs,
      killed,
      again,
      ...(measured && { oneWorkerMs, speedup: measured.speedup, ceiling: measured.ceiling }),
      ...(growth && { sizes }),
      picture: await picture('wordcount.svg', decadePlot(total.objects)),
    }
    print(...summaryLines({ ...result, ms }, visibility, measured))
    print(describeCost(cost))
    if (growth) {
      const points = (time: 'ms' | 'bestSerialMs') => sizes.map((size) => ({ size: size.repeat, ms: size[time] }))
      const ways = { [howMany(workers, 'worker')]: points('ms'), 'one thread alone': points('bestSerialMs') }
      const rows = sizes.map((size) => [
        size.repeat,
        milliseconds(size.bestSerialMs),
        milliseconds(size.ms),
        typeof size.cost === 'number' ? howMany(size.cost, 'worker') : size.cost,
      ])
      print('', table(['each text counted', 'one thread alone', howMany(workers, 'worker'), 'COST'], rows))
      const title = 'Counting the words of 233 texts'
      print(
        `Picture: ${await picture('wordcount-growth.svg', drawGrowth(title, 'times that each text is counted', ways))}`,
      )
    }
    if (named) print(`The bucket ${named} is kept; what is in it costs money until it is deleted.`)
    print(`Picture: ${result.picture}`)
    return result
  },
  // In your account machines take minutes to end.
  cleanUpDeadlineMs: 600_000,
  figure: ({ words, workers, ms, cost }) =>
    `${count(words)} words counted by ${howMany(workers, 'worker')} in ${milliseconds(ms)}; COST ${cost}`,
})
