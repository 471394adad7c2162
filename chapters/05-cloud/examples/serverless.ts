/**
 * serverless: functions that exist while there is work: the map step of wordcount behind a queue, and the whole job as a
 * durable function that is killed
 *
 *     pnpm --filter 05-cloud start serverless
 *     pnpm --filter 05-cloud start serverless --concurrency 8
 *     pnpm --filter 05-cloud start serverless --batch 1
 *     pnpm --filter 05-cloud start serverless --runtime host
 *
 * The functions are bundled as they are deployed, and run in processes of their own. Amazon's Runtime Interface Emulator
 * hands them their events where `npm run lambda` has installed it, and a small server of ours elsewhere. The poller
 * between queue and function is Lambda's own, which nobody can install: ours follows its documentation.
 *
 * Look for: the words that wordcount counts; how much longer a cold start takes; the message that can never succeed; and
 * which steps of the killed job ran twice.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { example } from '@repo/common/example/example'
import { oneOf, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { median } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds, table } from '@repo/common/output/terminal'
import { bundleProgram } from '@repo/common/process/bundle'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { keysOf, placesForWorkers } from '../src/cloud/place.ts'
import { runDurable } from '../src/lambda/durable.ts'
import { findEmulator, startEnvironment } from '../src/lambda/environment.ts'
import { mapQueue } from '../src/lambda/event-source-mapping.ts'
import { LambdaFunction } from '../src/lambda/function.ts'
import { type Counting, countsKey } from '../src/lambda/map-step.ts'
import type { CountTexts, TextsCounted } from '../src/lambda/whole-job.program.ts'
import { oldestNode } from '../src/machines/user-data.ts'
import { makeQueues, parseJson, receiveAll, sendAll } from '../src/queues.ts'
import { openCloud } from '../src/session/open.ts'
import { temporaryBucket } from '../src/storage/buckets.ts'
import { countAlone, uploadAddresses } from '../src/wordcount/addresses.ts'
import { addResult, readObject, type Total } from '../src/wordcount/map-reduce.ts'
import { topWords } from '../src/wordcount/words.ts'

export default example(import.meta, {
  options: {
    texts: wholeNumber(1, 233).default(233).describe('how many addresses to count, from the first'),
    batch: wholeNumber(1, 10).default(10).describe('the most messages in a batch'),
    concurrency: wholeNumber(2, 64).default(2).describe('the most invocations at once'),
    twice: wholeNumber(0, 233).default(20).describe('messages that are sent twice'),
    visibility: wholeNumber(1, 43_200).default(5).describe('seconds after which a failed message comes again'),
    jobs: wholeNumber(2, 233).default(24).describe('jobs of the durable function; it is killed after half of them'),
    runtime: oneOf('emulator', 'host').optional().describe('who serves the Runtime API; the emulator if it is there'),
  },
  quick: { texts: 60, visibility: 2 },

  async run({ texts: most, batch, concurrency, twice, visibility, jobs, runtime: wanted }, { signal, print }) {
    if (twice > most) throw new UsageError('--twice', twice, `at most the ${most} of --texts`)
    if (jobs > most) throw new UsageError('--jobs', jobs, `at most the ${most} of --texts`)
    const emulator = findEmulator()
    if (wanted === 'emulator' && !emulator)
      throw new UsageError('--runtime', wanted, 'host, until `npm run lambda` has installed the emulator (Linux only)')
    const runtime = wanted ?? (emulator ? 'emulator' : 'host')

    await using stack = new AsyncDisposableStack()
    const { s3, sqs, places, name } = stack.use(await openCloud({ signal }))
    const bucket = stack.use(await temporaryBucket(s3, { signal })).name
    const folder = stack.use(await temporaryFolder())
    print(
      `Counting words in ${name}.`,
      `Runtime API: ${runtime === 'host' ? 'a small server of ours' : "Amazon's Runtime Interface Emulator"}. Poller and checkpoints: ours and the SDK's testing library.`,
    )
    using bar = progress('uploading the addresses', 1)
    const { texts } = await uploadAddresses(s3, bucket, { signal, most, onProgress: (share) => bar.update(share) })

    // Each function is one file, with all that it imports. What it needs to know is in its environment.
    bar.update(0, 'bundling the functions')
    const programs = ['map-step', 'whole-job'].map(async (program) => {
      const file = join(folder.path, `${program}.mjs`)
      const source = new URL(`../src/lambda/${program}.program.ts`, import.meta.url)
      await writeFile(file, await bundleProgram(source, { target: oldestNode }))
      return file
    })
    const [mapStep = '', wholeJob = ''] = await Promise.all(programs)
    const { region = 'us-east-1' } = places.storage
    const env = { ...placesForWorkers(places), ...keysOf(places.storage), AWS_REGION: region, BUCKET: bucket }

    // The queue gets a message for each text, some of them twice, and one that can never succeed.
    const { urls } = stack.use(await makeQueues(sqs, { visibilitySeconds: visibility, signal }))
    const messages = texts.map(({ key }) => ({ key }))
    const poison = { key: 'texts/missing.txt' }
    await sendAll(sqs, urls.jobs, [...messages, poison, ...messages.slice(0, twice)], signal)

    // The function's environments start when there is work. What it writes is its log.
    const log: Partial<Counting>[] = []
    const counter = stack.use(
      new LambdaFunction(() =>
        startEnvironment(runtime, {
          file: mapStep,
          env,
          signal,
          onLine: (line) => log.push(...logged<Partial<Counting>>(line)),
        }),
      ),
    )
    // The mapping brings batches to the function until every text is counted and the poison is among the dead letters.
    const finished = new AbortController()
    const stop = AbortSignal.any([signal, finished.signal])
    const deleted: string[] = []
    let failures = 0
    let cause: Error | undefined
    let deadLetters = 0
    const buried = Promise.withResolvers<void>()
    const counted = Promise.withResolvers<void>()
    const mapping = mapQueue(sqs, {
      queueUrl: urls.jobs,
      batchSize: batch,
      concurrency,
      invoke: (event) => counter.invoke(event),
      onBatch(done) {
        deleted.push(...done.deleted)
        failures += done.failed
        cause = done.error ?? cause
        bar.update(deleted.length / (most + twice), 'counting')
        if (deleted.length >= most + twice && new Set(deleted).size === most) counted.resolve()
      },
      signal: stop,
    })
    async function watchDeadLetters() {
      for await (const letter of receiveAll(sqs, urls.dead, stop)) {
        if (!isDeepStrictEqual(letter, poison)) throw new Error(`${JSON.stringify(letter)} failed too often`, { cause })
        deadLetters++
        buried.resolve()
      }
    }
    const watching = watchDeadLetters()
    try {
      await Promise.race([Promise.all([counted.promise, buried.promise]), mapping, watching])
    } finally {
      finished.abort()
      await Promise.allSettled([mapping, watching])
    }
    signal.throwIfAborted()

    // Reduce: one result for each text, however often its message came.
    const total: Total = { counts: new Map(), words: 0, bytes: 0, objects: [] }
    for (const { key } of texts) await addResult(s3, { id: key, bucket, output: countsKey(key) }, total, signal)
    const alone = await countAlone({ most, signal })
    if (!isDeepStrictEqual(total.counts, alone.counts))
      throw new Error('the function and this process count differently')

    // The whole job as one function with checkpoints. SIGKILL ends its process after half of the jobs.
    const label = 'the whole job, killed in the middle'
    bar.update(0, label)
    const begun: string[][] = []
    const kept = new Set<string>()
    const killAfter = Math.floor(jobs / 2)
    let killed = false
    const input: CountTexts = { bucket, prefix: 'results/', jobs }
    const durable = await runDurable<TextsCounted>(input, {
      start(api) {
        const life: string[] = []
        begun.push(life)
        const onLine = (line: string) => life.push(...logged<{ step: string }>(line).map(({ step }) => step))
        return startEnvironment(runtime, { file: wholeJob, env: { ...env, ...api }, signal, onLine })
      },
      onCheckpoint(completed, environment) {
        for (const step of completed) if (step.startsWith('job ')) kept.add(step)
        bar.update(kept.size / jobs, label)
        if (killed || kept.size < killAfter) return
        killed = true
        void environment?.kill()
      },
      signal,
    })
    const [first = [], second = []] = begun
    const again = first.filter((step) => second.includes(step))
    const whole = parseJson(String(await readObject(s3, bucket, durable.result.output, signal)))
    if (!isDeepStrictEqual(new Map(whole as [string, number][]), alone.counts))
      throw new Error('the durable function and this process count differently')

    // There are warm ones: the poison comes again when the others are done.
    const timesOf = (isCold: boolean) => {
      const times = counter.invocations.filter((invocation) => invocation.isCold === isCold).map(({ ms }) => ms)
      return { invocations: times.length, ms: median(times), slowestMs: Math.max(...times) }
    }
    const starts = { cold: timesOf(true), warm: timesOf(false) }
    const result = {
      runtime,
      texts: texts.length,
      objects: total.objects.length,
      words: total.words,
      distinct: total.counts.size,
      top: topWords(total.counts, 5),
      starts,
      mostAtOnce: counter.mostAtOnce,
      twice,
      countedAlready: log.filter(({ result }) => result === 'was counted already').length,
      failures,
      deadLetters,
      durable: {
        jobs,
        lives: durable.lives,
        replayed: first.length - again.length,
        again: again.length,
        begun: second.length,
        words: durable.result.words,
      },
    }
    print(
      '',
      table(
        ['start', 'invocations', 'median', 'slowest'],
        Object.entries(starts).map(([start, { invocations, ms, slowestMs }]) => {
          return [start, invocations, milliseconds(ms), milliseconds(slowestMs)]
        }),
      ),
      '',
      `At most ${result.mostAtOnce} invocations at once; the other messages waited in the queue.`,
      `${twice} messages came twice: ${result.countedAlready} times the counts were there already.`,
      `The poison message failed ${failures} times and is among the dead letters; the others of its batches are done.`,
      '',
      table(
        ['the words used most', 'times'],
        result.top.map(({ word, count: times }) => [word, count(times)]),
      ),
      '',
      `${count(total.words)} words, ${count(total.counts.size)} of them distinct, in ${texts.length} texts; a plain program finds the same.`,
      '',
      `The whole job as a durable function: SIGKILL after ${killAfter} of ${howMany(jobs, 'job')}, then resumed in a new process.`,
      table(
        ['jobs', 'in the second life'],
        [
          [result.durable.replayed, 'replayed from their checkpoints'],
          [result.durable.again, 'under way at the kill, and begun again'],
          [second.length - again.length, 'begun for the first time'],
        ],
      ),
      `${count(durable.result.words)} words, ${count(durable.result.distinct)} of them distinct: the same.`,
    )
    return result
  },
  figure: ({ words, starts: { cold, warm } }) =>
    `${count(words)} words; a cold start takes ${milliseconds(cold.ms)}, a warm one ${milliseconds(warm.ms)}`,
})

/** The object of a line of a log, if it is one; the runtime and the SDK write lines of their own. */
function logged<Line>(line: string): Line[] {
  const value = parseJson(line)
  return typeof value === 'object' && value !== null ? [value as Line] : []
}
