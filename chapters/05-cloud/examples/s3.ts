/**
 * s3: buckets and objects as one needs them: many small ones, large ones in parts, broken transfers that go on, and more
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 05-cloud start s3
 *     pnpm --filter 05-cloud start s3 --objects 200 --round-trip 100
 *     pnpm --filter 05-cloud start s3 --clean
 *     pnpm --filter 05-cloud start s3 --aws
 *
 * A store is never next door: on this machine a proxy puts a link with a round trip of 30 ms before it. It also breaks the
 * link half way through a file. With --clean the example removes the buckets and queues that killed runs have left.
 *
 * Look for: what many requests at once are worth, how little memory a large object takes, and which parts travel again.
 */
import { example } from '@repo/common/example/example'
import { flag, wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { bytes, count, milliseconds, table, times } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { awsOption, openCloud, s3Client } from '../src/cloud/cloud.ts'
import { slowLink } from '../src/local/slow-link.ts'
import { deleteQueue, leftQueues } from '../src/queues.ts'
import { leftBuckets, removeBucket, temporaryBucket } from '../src/storage/buckets.ts'
import { walkThrough } from '../src/storage/objects.ts'
import { measureSmallObjects } from '../src/storage/small-objects.ts'
import { measureStream, type StreamWay } from '../src/storage/stream.ts'
import { transferOverBrokenLink } from '../src/storage/transfers.ts'

const mega = 1_000_000

export default example(import.meta, {
  options: {
    objects: wholeNumber(20, 10_000).default(1000).describe('small objects'),
    concurrency: wholeNumber(1, 256).default(64).describe('how many of them at once'),
    size: wholeNumber(1, 5000).default(256).describe('megabytes of the large object'),
    roundTrip: wholeNumber(0, 1000).default(30).describe('milliseconds that the link adds to each request'),
    clean: flag().describe('only remove what killed runs of this chapter have left'),
    aws: awsOption,
  },
  quick: { objects: 200, size: 32 },

  async run({ objects, concurrency, size, roundTrip, clean, aws }, { signal, quick, print }) {
    await using stack = new AsyncDisposableStack()
    const { s3, sqs, places, name } = stack.use(await openCloud({ aws, signal }))
    if (clean) {
      const [buckets, queues] = [await leftBuckets(s3), await leftQueues(sqs)]
      for (const bucket of buckets) await removeBucket(s3, bucket, { signal })
      for (const queue of queues) await deleteQueue(sqs, queue, signal)
      print(`Removed from ${name}: ${buckets.length} buckets, ${queues.length} queues.`, ...buckets, ...queues)
      return { removed: { buckets, queues } }
    }
    const bucket = stack.use(await temporaryBucket(s3, { signal })).name
    print(`Bucket ${bucket} in ${name}, removed at the end with all that is in it.`, '')

    const link = stack.use(await slowLink(places.storage, roundTrip, signal))
    if (!link) print('It is not on this machine: no link is put before it, and none is broken.', '')
    const far = stack.adopt(s3Client(link?.place ?? places.storage), (client) => client.destroy())
    using bar = progress('small objects', 1)
    const small = await measureSmallObjects(far, bucket, {
      objects,
      oneByOne: Math.ceil(objects / 10),
      concurrency,
      objectBytes: 4096,
      rounds: quick ? 1 : 3,
      signal,
      onProgress: (done, total) => bar.update(done / total),
    })
    const faster = { upload: small.upload.many / small.upload.one, download: small.download.many / small.download.one }
    print(
      table(
        [`${count(objects)} objects of 4 kB`, 'one by one', `${concurrency} at once`, ''],
        (['upload', 'download'] as const).map((way) => [
          way,
          `${small[way].one.toFixed(0)} /s`,
          `${small[way].many.toFixed(0)} /s`,
          times(faster[way]),
        ]),
      ),
      '',
    )

    const streams = []
    const ways: StreamWay[] = ['upload by parts', 'upload by library', 'download by parts']
    for (const [at, way] of ways.entries()) {
      bar.update(at / ways.length, `${size} MB, ${way}`)
      const task = { way, place: places.storage, bucket, key: 'large', bytes: size * mega }
      streams.push({ way, ...(await measureStream(task, signal)) })
    }
    if (new Set(streams.map(({ sha256 }) => sha256)).size > 1) throw new Error('what came back is not what was sent')
    print(
      table(
        [`a stream of ${size} MB`, 'time', 'memory at rest', 'at its peak', 'more'],
        streams.map(({ way, ms, restBytes, peakBytes }) => [
          way,
          milliseconds(ms),
          bytes(restBytes),
          bytes(peakBytes),
          bytes(peakBytes - restBytes),
        ]),
      ),
      '',
    )

    bar.update(0, 'a file over a broken link')
    const broken = link && (await transferOverBrokenLink(link, { bucket, key: 'file' }, 32 * mega, signal))
    if (broken) {
      print(
        `A file of 32 MB in ${broken.parts} parts over a link that breaks half way: ${broken.resumedUp} parts did not travel again on the way up, ${broken.resumedDown} on the way down; the same by ${broken.verified}.`,
      )
    }

    const walk = await walkThrough(s3, bucket, 'small/', signal)
    print(
      `Bytes 4 to 6 of ${walk.key}, by ${walk.author}: "${walk.range}". Through a presigned URL, without credentials: "${walk.presigned}".`,
      `Listed ${count(walk.listed)} objects in pages of 100, and deleted ${count(walk.deleted)} in requests for 1,000 each.`,
      walk.wrote
        ? `Two writers would both write an object only if it is new: ${walk.wrote.filter(Boolean).length} of them wrote it.`
        : 'This store cannot write an object only if it is new: two writers need a key each.',
      `What else this store can do: ${walk.features.map(({ name, there }) => `${name}: ${there ? 'yes' : 'no'}`).join('; ')}.`,
    )
    return { objects, concurrency, roundTrip: link && roundTrip, small, faster, size, streams, broken, walk }
  },
  figure: (result) =>
    'removed' in result
      ? `${result.removed?.buckets.length} buckets removed`
      : `${result.objects} objects ${times(result.faster.upload)} and ${times(result.faster.download)} as fast at once`,
})
