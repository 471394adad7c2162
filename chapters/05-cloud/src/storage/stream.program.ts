/** Does one transfer and reports the memory that it needed. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { Upload } from '@aws-sdk/lib-storage'
import { ready } from '@repo/common/process/ready'
import { s3Client } from '../cloud/clients.ts'
import { downloadParts, headObject, partSize, uploadStream } from './parts.ts'
import { hashing, pseudoRandom, type StreamTask, type StreamWay } from './stream.ts'

const { way, place, bytes, bucket, key } = JSON.parse(process.env.STREAM_TASK ?? '{}') as StreamTask
const s3 = s3Client(place)
const hash = createHash('sha256')
const ways: Record<StreamWay, () => Promise<unknown>> = {
  'upload by parts': () => uploadStream(s3, { bucket, key }, hashing(pseudoRandom(bytes), hash)),
  async 'download by parts'() {
    const info = await headObject(s3, { bucket, key })
    for await (const data of downloadParts(s3, { bucket, key }, info)) hash.update(data)
  },
  // With parts of the same size, and as many at once.
  'upload by library': () =>
    new Upload({
      client: s3,
      params: { Bucket: bucket, Key: key, Body: Readable.from(hashing(pseudoRandom(bytes), hash)) },
      partSize,
      queueSize: 4,
    }).done(),
}

// The first connection, and the code that it loads, count as memory at rest.
await headObject(s3, { bucket, key }).catch(() => {})
const restBytes = process.memoryUsage.rss()
const start = performance.now()
await ways[way]()
const ms = performance.now() - start
// maxRSS is in kibibytes on every system.
const peakBytes = process.resourceUsage().maxRSS * 1024
ready({ bytes, ms, sha256: hash.digest('hex'), restBytes, peakBytes })
s3.destroy()
