/** Many small objects up and down, one after the other and many at once, over the same link. */
import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { interleave, type Rounds } from '@repo/common/measure'
import { forMany } from './many.ts'
import { pseudoRandom } from './stream.ts'

export interface SmallObjects {
  /** Objects per second. */
  upload: { one: number; many: number }
  download: { one: number; many: number }
}

export interface SmallObjectsOptions extends Rounds {
  /** How many objects the many-at-once way moves in a round. */
  objects: number
  /** How many of them one after the other moves in a round: their times add up, so fewer tell as much. */
  oneByOne: number
  concurrency: number
  objectBytes: number
}

/** Measures both ways in turn and returns their rates. */
export async function measureSmallObjects(
  s3: S3Client,
  bucket: string,
  { objects, oneByOne, concurrency, objectBytes, ...rounds }: SmallObjectsOptions,
): Promise<SmallObjects> {
  const [body = Buffer.alloc(0)] = pseudoRandom(objectBytes)
  const keys = Array.from({ length: objects }, (_, at) => `small/${at}`)
  const { signal } = rounds
  const upload = (some: string[], at: number) =>
    forMany(some, { concurrency: at, signal }, (Key, stop) =>
      s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: body }), { abortSignal: stop }),
    )
  const download = (some: string[], at: number) =>
    forMany(some, { concurrency: at, signal }, async (Key, stop) => {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }), { abortSignal: stop })
      const data = await Body?.transformToByteArray()
      if (!data || !body.equals(data)) throw new Error(`${Key} is not what was stored`)
    })
  const few = keys.slice(0, oneByOne)
  const timings = await interleave(
    {
      uploadMany: () => upload(keys, concurrency),
      downloadMany: () => download(keys, concurrency),
      uploadOne: () => upload(few, 1),
      downloadOne: () => download(few, 1),
    },
    rounds,
  )
  const rate = (count: number, ms: number) => (1000 * count) / ms
  return {
    upload: { one: rate(few.length, timings.uploadOne.ms), many: rate(objects, timings.uploadMany.ms) },
    download: { one: rate(few.length, timings.downloadOne.ms), many: rate(objects, timings.downloadMany.ms) },
  }
}
