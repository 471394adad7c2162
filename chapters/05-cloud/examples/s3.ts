/**
 * s3: buckets and objects: many small ones at once, a large one in parts, interrupted transfers that resume, and more
 *
 *     pnpm --filter 05-cloud start s3
 *     pnpm --filter 05-cloud start s3 --objects 200 --round-trip 100
 *     pnpm --filter 05-cloud start s3 --clean
 *     pnpm --filter 05-cloud start s3 --aws
 *
 * A real store is never next door, so a proxy on this machine adds a round trip of 30 ms to each request. It also
 * breaks the link halfway through a file. With --clean the example removes the buckets and queues that killed runs have
 * left.
 *
 * Look for: how much is gained by many requests at once, and how many it takes to beat one after the other (the COST);
 * how little memory a large object needs; and which parts travel again.
 */
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { flag, wholeNumber } from '@repo/common/example/options'
import { interleave } from '@repo/common/measure'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { bytes, count, milliseconds, table, times } from '@repo/common/output/terminal'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { s3Client } from '../src/cloud/clients.ts'
import { describeLeft, removeEach } from '../src/cloud/removal.ts'
import { type SlowLink, slowLink } from '../src/local/slow-link.ts'
import { awsOption, openCloud } from '../src/session/open.ts'
import { storedKinds } from '../src/session/stored.ts'
import { deletePrefix, listObjects, temporaryBucket } from '../src/storage/buckets.ts'
import { findFeatures } from '../src/storage/features.ts'
import { downloadFile, uploadFile } from '../src/storage/files.ts'
import { forMany } from '../src/storage/many.ts'
import { putIfNew } from '../src/storage/put-if-new.ts'
import { measureStream, type StreamWay } from '../src/storage/stream.ts'

const mega = 1_000_000

export default example(import.meta, {
  options: {
    objects: wholeNumber(20, 10_000).default(1000).describe('small objects'),
    concurrency: wholeNumber(1, 256).default(64).describe('how many of them at once'),
    size: wholeNumber(1, 5000).default(256).describe('megabytes of the large object'),
    roundTrip: wholeNumber(0, 1000).default(30).describe('milliseconds that the link adds to each request'),
    clean: flag().describe('only remove what killed runs of this chapter have left behind'),
    aws: awsOption,
  },
  quick: { objects: 200, size: 32 },

  async run({ objects, concurrency, size, roundTrip, clean, aws }, { signal, quick, print }) {
    await using stack = new AsyncDisposableStack()
    const { s3, sqs, places, name } = stack.use(await openCloud({ aws, signal }))
    if (clean) {
      const { removed, left } = await removeEach(storedKinds({ s3, sqs }, { signal }), { signal })
      const { buckets, queues } = removed
      print(`Removed from ${name}: ${buckets.length} buckets, ${queues.length} queues.`, ...buckets, ...queues)
      if (left.length > 0) throw new Error(`not everything is removed: ${describeLeft(left)}`)
      return { removed }
    }
    const Bucket = stack.use(await temporaryBucket(s3, { signal })).name
    print(`Bucket ${Bucket} in ${name}, removed at the end with everything in it.`, '')
    const link = stack.use(await slowLink(places.storage, roundTrip, signal))
    if (!link) print('The store is not on this machine: no link is put in front of it, and none is broken.', '')
    const far = stack.adopt(s3Client(link?.place ?? places.storage), (client) => client.destroy())

    // Many small objects. Each request spends its time waiting for a round trip, and many can wait at once.
    const body = randomBytes(4096)
    // #region many
    const upload = (keys: string[], atOnce: number) =>
      forMany(keys, { concurrency: atOnce, signal }, (Key, stop) =>
        far.send(new PutObjectCommand({ Bucket, Key, Body: body }), { abortSignal: stop }),
      )
    // #endregion many
    const download = (keys: string[], atOnce: number) =>
      forMany(keys, { concurrency: atOnce, signal }, async (Key, stop) => {
        const { Body } = await far.send(new GetObjectCommand({ Bucket, Key }), { abortSignal: stop })
        const data = await Body?.transformToByteArray()
        if (!data || !body.equals(data)) throw new Error(`${Key} is not what was stored`)
      })
    // One by one the times add up, so a twentieth of the objects is enough; for two at once as well.
    const all = Array.from({ length: objects }, (_, at) => `small/${at}`)
    const few = all.slice(0, Math.max(2, Math.ceil(objects / 20)))
    const two = Math.min(2, concurrency)
    using bar = progress('small objects', 1)
    const timings = await interleave(
      {
        uploadMany: () => upload(all, concurrency),
        downloadMany: () => download(all, concurrency),
        uploadTwo: () => upload(few, two),
        downloadTwo: () => download(few, two),
        uploadOne: () => upload(few, 1),
        downloadOne: () => download(few, 1),
      },
      { rounds: quick ? 1 : 3, signal, onProgress: (done, total) => bar.update(done / total) },
    )
    // Compared with the best program that sends one request after the other. More at once need no second thread either.
    const small = (['upload', 'download'] as const).map((way) => {
      const forAll = (ms: number) => (ms * objects) / few.length
      const cost = costOf(forAll(timings[`${way}One`].ms), [
        { workers: two, ms: forAll(timings[`${way}Two`].ms) },
        { workers: concurrency, ms: timings[`${way}Many`].ms },
      ])
      const perSecond = {
        one: (1000 * objects) / cost.bestSerialMs,
        many: (1000 * objects) / timings[`${way}Many`].ms,
      }
      return { way, ...perSecond, faster: perSecond.many / perSecond.one, ...cost }
    })
    print(
      table(
        [`${count(objects)} objects of 4 kB`, 'one by one', `${concurrency} at once`, ''],
        small.map(({ way, one, many, faster }) => [
          way,
          `${one.toFixed(0)} /s`,
          `${many.toFixed(0)} /s`,
          times(faster),
        ]),
      ),
      '',
      ...small.map((cost) => `${cost.way}: ${describeCost(cost, 'requests at once', 'one after another')}`),
      '',
    )

    // A large object travels in parts, each of which is in memory only while it is in flight. Every way runs in its own
    // process, src/storage/stream.program.ts, so that its memory can be measured.
    const streams = []
    const ways: StreamWay[] = ['upload by parts', 'upload by library', 'download by parts']
    for (const [at, way] of ways.entries()) {
      bar.update(at / ways.length, `${size} MB, ${way}`)
      const task = { way, place: places.storage, bucket: Bucket, key: 'large', bytes: size * mega }
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

    // A file over a link that breaks halfway. What has arrived does not travel again.
    bar.update(0, 'a file over a broken link')
    const broken = link && (await transferOverBrokenLink(link, { bucket: Bucket, key: 'file' }, signal))
    if (broken) {
      print(
        `A file of 32 MB in ${broken.parts} parts over a link that breaks half way: ${broken.resumedUp} parts did not travel again on the way up, ${broken.resumedDown} on the way down; the same by ${broken.verified}.`,
      )
    }

    // An object carries its owner's metadata, and can be read in ranges.
    const note = { Bucket, Key: 'notes/today.txt' }
    const send = { abortSignal: signal }
    await s3.send(new PutObjectCommand({ ...note, Body: 'one two three', Metadata: { author: 'me' } }), send)
    const { Body, Metadata } = await s3.send(new GetObjectCommand({ ...note, Range: 'bytes=4-6' }), send)
    const range = await Body?.transformToString()
    // A presigned URL is a request that somebody else may send, without credentials.
    const url = await getSignedUrl(s3, new GetObjectCommand(note), { expiresIn: 60 })
    const answer = await fetch(url, { signal })
    const content = await answer.text()
    const presigned = answer.ok ? content : `status ${answer.status}`
    print(
      `Bytes 4 to 6 of ${note.Key}, by ${Metadata?.author}: "${range}". Through a presigned URL, without credentials: "${presigned}".`,
    )

    // There are no folders: a listing asks for the keys with a prefix, page by page.
    const listed = await Array.fromAsync(listObjects(s3, Bucket, 'small/', { signal, pageSize: 100 }))
    const deleted = await deletePrefix(s3, Bucket, 'small/', { signal })
    print(
      `Listed ${count(listed.length)} objects in pages of 100, and deleted ${count(deleted)} in requests for 1,000 each.`,
    )

    // Two writers of one object do not overwrite each other where the store can write only what is new.
    const features = await findFeatures(s3, Bucket, { signal })
    const has = (feature: string) => features.some(({ name, there }) => name === feature && there)
    const write = (writer: string) => putIfNew(s3, { bucket: Bucket, key: 'notes/first' }, writer, { signal })
    const wrote = has('write only if new') ? await Promise.all(['one', 'another'].map(write)) : undefined
    const others = ['public access blocked', 'lifecycle rules kept']
    print(
      wrote
        ? `Two writers would both write an object only if it is new: ${wrote.filter(Boolean).length} of them wrote it.`
        : 'This store cannot write an object only if it is new: two writers need a key each.',
      `What else this store can do: ${others.map((feature) => `${feature}: ${has(feature) ? 'yes' : 'no'}`).join('; ')}.`,
    )
    const requests = { range, author: Metadata?.author, presigned, listed: listed.length, deleted, wrote }
    return { objects, concurrency, roundTrip: link && roundTrip, small, size, streams, broken, ...requests }
  },
  // A bucket with many objects takes its time, most of all where they are deleted one by one.
  cleanUpDeadlineMs: 600_000,
  figure: (result) =>
    'removed' in result
      ? `${result.removed?.buckets.length} buckets removed`
      : `${result.objects} objects ${result.small.map(({ way, faster }) => `${times(faster)} (${way})`).join(' and ')} as fast at once; COST ${result.small.map(({ cost }) => cost).join(' and ')}`,
})

/**
 * Uploads and downloads a file of 32 MB. Each time the link breaks halfway and heals, and the transfer starts again.
 */
async function transferOverBrokenLink(link: SlowLink, target: { bucket: string; key: string }, signal: AbortSignal) {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder()).path
  // Two attempts per request are enough: more would not mend the link.
  const s3 = stack.adopt(s3Client(link.place, { maxAttempts: 2 }), (client) => client.destroy())
  const content = randomBytes(32 * mega)
  const [path, back] = [join(folder, 'original'), join(folder, 'back')]
  await writeFile(path, content)

  async function twice<Result>(transfer: (onProgress: (done: number) => void) => Promise<Result>): Promise<Result> {
    await transfer((done) => done >= content.length / 2 && link.proxy.refuse()).catch(() => signal.throwIfAborted())
    link.proxy.heal()
    return await transfer(() => {})
  }
  const options = { signal, concurrency: 2 }
  const up = await twice((onProgress) => uploadFile(s3, target, path, { ...options, onProgress }))
  const down = await twice((onProgress) => downloadFile(s3, target, back, { ...options, onProgress }))
  if (!content.equals(await readFile(back))) throw new Error('what came back is not what was sent')
  return { parts: up.parts, resumedUp: up.resumed, resumedDown: down.resumed, verified: down.verified }
}
