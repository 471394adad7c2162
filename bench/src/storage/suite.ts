/** A file to a bucket and back by chapter 5's parts, beside programs made for it: how long it takes, at four sizes. */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { DeleteObjectCommand, GetObjectCommand } from '@aws-sdk/client-s3'
import { drawGrowth } from '@repo/common/output/costs'
import { count } from '@repo/common/output/terminal'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { s3Client } from '05-cloud/cloud/clients'
import { startPracticeCloud } from '05-cloud/local/practice-cloud'
import { temporaryBucket } from '05-cloud/storage/buckets'
import { growthOf, growthTables, measureSizes } from '../harness/growth.ts'
import { measured, type Suite } from '../harness/suite.ts'
import { startEach } from '../harness/turns.ts'
import { type Contender, contenders as known } from './contenders.ts'

const directions = ['up', 'down'] as const

/** In MB. */
const sizes = { quick: [1, 2, 4, 8], full: [1, 4, 16, 64] }
const rounds = { quick: 1, full: 7 }
const smallerRounds = { quick: 1, full: 3 }
const limitMs = 60_000

/** Returns the suite with some contenders: in tests, with those that crash or lose something. */
export const storageWith = (contenders: Readonly<Record<string, Contender>>): Suite => ({
  metrics: { up: { label: 'up', better: 'less' }, down: { label: 'down', better: 'less' } },
  contenders,

  async measure(rows, { quick, signal, onProgress }) {
    const scale = quick ? 'quick' : 'full'
    await using stack = new AsyncDisposableStack()
    const folder = stack.use(await temporaryFolder()).path
    const { place: cloud } = stack.use(await startPracticeCloud({ signal }))
    const s3 = s3Client(cloud)
    stack.defer(async () => s3.destroy())
    const { name: bucket } = stack.use(await temporaryBucket(s3, { signal }))
    const starting = { stack, limitMs, signal, onProgress: (what: string) => onProgress(what, 0) }
    const started = await startEach(rows, starting, ({ id }) =>
      (contenders[id] as Contender).start({ cloud, s3, bucket }),
    )

    for (const [row, { durability }] of started) row.durability = durability

    async function readObject(key: string) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
      return Body as Readable
    }

    for (const [at, direction] of directions.entries()) {
      const options = {
        metric: direction,
        sizes: sizes[scale],
        rounds: rounds[scale],
        smallerRounds: smallerRounds[scale],
        // Programs that are started for each file do not get faster.
        warmsUpOnce: true,
        limitMs,
        signal,
        onProgress: (share: number) => onProgress(direction, (at + share) / directions.length),
      }
      await measureSizes(rows, options, async (megabytes) => {
        const sent = join(folder, `${megabytes} MB`)
        // Nothing that could be made smaller. The objects of the way up are those of the way down.
        if (direction === 'up') await writeFile(sent, randomBytes(1e6 * megabytes))
        const expected = await digestOf(createReadStream(sent))
        return async (row, stop) => {
          const running = started.get(row)
          if (!running) throw new Error('has not started')
          const key = `${row.id}-${megabytes}`
          const received = join(folder, 'received')
          // rclone sends nothing that is there.
          if (direction === 'up') await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))
          const ms = direction === 'up' ? await running.up(sent, key, stop) : await running.down(key, received, stop)
          // After the time was taken.
          const there = direction === 'up' ? await readObject(key) : createReadStream(received)
          if ((await digestOf(there)) !== expected) throw new Error(`${direction}: received other bytes than were sent`)
          await rm(received, { force: true })
          return ms
        }
      })
    }
  },

  tables: (rows) =>
    directions.flatMap((direction) =>
      growthTables(rows, direction, {
        title: (megabytes) => `${titles[direction]}: ${count(megabytes)} MB`,
        unit: 'MB',
        notes:
          direction === 'up'
            ? []
            : [
                'The store is the practice cloud, a process of its own. rclone, aws and curl are started for each file, as a shell does; ours is there. Slope: of time against size on logarithmic axes, over four sizes. curl carries the whole file in one request and compares nothing.',
              ],
      }),
    ),
  pictures: (rows) =>
    Object.fromEntries(
      directions.map((direction) => {
        const ways = measured(rows).map((row) => [row.label, growthOf(row, direction)])
        return [`storage-${direction}`, drawGrowth(titles[direction], 'MB', Object.fromEntries(ways))]
      }),
    ),
})

export const storage = storageWith(known)

const titles = { up: 'A file to a bucket', down: 'An object to a file' }

async function digestOf(stream: Readable): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(stream, hash)
  return hash.digest('hex')
}
