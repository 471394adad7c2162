/**
 * private-cloud: asks a store what it can do, and runs wordcount on it: OpenStack Swift, or any store that speaks S3
 *
 *     pnpm --filter 05-cloud start private-cloud
 *     AWS_ENDPOINT_URL_S3=https://s3.example.org AWS_PROFILE=lab pnpm --filter 05-cloud start private-cloud
 *
 * If you name no store and OpenStack Swift is installed (sudo apt-get install swift-proxy swift-account swift-container
 * swift-object), the example starts one in a temporary folder. Swift has no queues: they are in the practice cloud on
 * this machine.
 *
 * Look for: what the store lacks; that the same programs run on it with the same result.
 */
import { isDeepStrictEqual } from 'node:util'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { wholeNumber, workerCount } from '@repo/common/example/options'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds, table } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { s3Client } from '../src/cloud/clients.ts'
import { nameOf } from '../src/cloud/place.ts'
import { findSwift, installSwift, startSwift } from '../src/local/swift.ts'
import { makeQueues } from '../src/queues.ts'
import { openCloud } from '../src/session/open.ts'
import { temporaryBucket } from '../src/storage/buckets.ts'
import { findFeatures } from '../src/storage/features.ts'
import { countAlone, uploadAddresses } from '../src/wordcount/addresses.ts'
import { jobsOf, mapReduce } from '../src/wordcount/map-reduce.ts'
import { topWords } from '../src/wordcount/words.ts'
import { startWorkers } from '../src/wordcount/workers.ts'

const visibilitySeconds = 30

export default example(import.meta, {
  options: {
    workers: workerCount(64).describe('worker processes'),
    jobs: wholeNumber(1, 233).default(24).describe('jobs into which the texts are divided'),
    texts: wholeNumber(1, 233).default(233).describe('addresses to count, from the first one, of 1790'),
  },
  quick: { texts: 40, jobs: 8 },

  async run({ workers, jobs, texts: most }, { signal, print }) {
    // The store that the reader names; otherwise our own Swift; otherwise the practice cloud.
    await using stack = new AsyncDisposableStack()
    const cloud = stack.use(await openCloud({ signal }))
    const ownSwift = cloud.places.storage.kind === 'practice' && (await findSwift())
    using bar = progress(ownSwift ? 'starting OpenStack Swift' : 'asking the store', 1)
    const storage = ownSwift ? stack.use(await startSwift({ signal })).place : cloud.places.storage
    const store = ownSwift ? 'OpenStack Swift (started for this run)' : nameOf(storage)
    if (storage.kind === 'practice') {
      print(`AWS_ENDPOINT_URL_S3 names no store, and Swift is not installed here (${installSwift}).`)
    }
    print(`Asking ${store} what it can do …`, '')

    // Probe it for each feature, in a bucket of its own.
    const s3 = stack.adopt(s3Client(storage), (client) => client.destroy())
    const bucket = stack.use(await temporaryBucket(s3, { signal })).name
    const onProgress = (done: number, total: number) => bar.update(done / total, 'asking the store')
    const features = await findFeatures(s3, bucket, { signal, onProgress })
    print(
      table(
        ['feature', 'there', 'what a program does without it'],
        features.map(({ name, there, because, without }) => [
          name,
          there ? 'yes' : `no (${because})`,
          there ? '' : without,
        ]),
      ),
      '',
    )

    // Run wordcount there, with workers and queues on this machine.
    const start = performance.now()
    const upload = (share: number) => bar.update(share, 'uploading the addresses')
    const { texts } = await uploadAddresses(s3, bucket, { signal, onProgress: upload, most })
    const uploadMs = performance.now() - start
    const places = { ...cloud.places, storage }
    const { urls } = stack.use(await makeQueues(cloud.sqs, { visibilitySeconds, signal }))
    const { gone } = stack.use(await startWorkers(workers, places, { queues: urls, visibilitySeconds }, signal))
    const begin = performance.now()
    let done = 0
    const total = await mapReduce(
      { s3, sqs: cloud.sqs },
      urls,
      jobsOf(texts, { bucket, prefix: 'results/', count: jobs, repeat: 1 }),
      { signal, workersGone: gone, onReport: () => bar.update(++done / Math.min(jobs, most), 'counting') },
    )
    const ms = performance.now() - begin
    // A plain program on one thread, which has the texts in memory.
    const alone = await countAlone({ most, signal })
    if (!isDeepStrictEqual(total.counts, alone.counts)) throw new Error('the cloud and this process count differently')

    const result = {
      store,
      features,
      objects: total.objects.length,
      bytes: total.bytes,
      workers,
      words: total.words,
      distinct: total.counts.size,
      top: topWords(total.counts, 10),
      uploadMs,
      ms,
      ...costOf(alone.ms, [{ workers, ms }]),
    }
    print(
      `${count(result.objects)} addresses uploaded in ${milliseconds(uploadMs)}; ${count(result.words)} words counted by ${howMany(workers, 'worker')} in ${milliseconds(ms)}, as many as by a plain program.`,
      describeCost(result),
    )
    return result
  },
  // A bucket with many objects takes its time, most of all where they are deleted one by one.
  cleanUpDeadlineMs: 600_000,
  figure: ({ store, features, words, cost }) =>
    `${store}: ${features.filter(({ there }) => there).length} of ${features.length} features; ${count(words)} words counted, COST ${cost}`,
})
