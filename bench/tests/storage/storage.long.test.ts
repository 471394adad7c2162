/** All carry the same bytes, and one that loses some or fails becomes its row. */
import { randomBytes } from 'node:crypto'
import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { firstInstalled } from '@repo/common/process/version'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { s3Client } from '05-cloud/cloud/clients'
import { type PracticeCloud, startPracticeCloud } from '05-cloud/local/practice-cloud'
import { temporaryBucket } from '05-cloud/storage/buckets'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { growthOf } from '../../src/harness/growth.ts'
import { found } from '../../src/harness/library.ts'
import { newRow } from '../../src/harness/suite.ts'
import { type Contender, contenders, placesOf } from '../../src/storage/contenders.ts'
import { storageWith } from '../../src/storage/suite.ts'

leavesNothingRunning()

const { signal } = new AbortController()

it('says how to install what is missing', async () => {
  await expect(found(['/nowhere/rclone'], 'npm run transfers')).rejects.toThrow('needs rclone: npm run transfers')
})

let server: PracticeCloud
beforeAll(async () => {
  server = await startPracticeCloud()
})
afterAll(() => server[Symbol.asyncDispose]())

async function carriesTheSame(id: string) {
  await using folder = await temporaryFolder()
  const s3 = s3Client(server.place)
  await using bucket = await temporaryBucket(s3)
  await using running = await (contenders[id] as Contender).start({ cloud: server.place, s3, bucket: bucket.name })
  const [sent, received] = ['sent', 'received'].map((name) => join(folder.path, name)) as [string, string]
  // More than one part, for those who send parts.
  const bytes = randomBytes(9_000_000)
  await writeFile(sent, bytes)
  await running.up(sent, 'key', signal)
  await running.down('key', received, signal)
  expect(bytes.equals(await readFile(received))).toBe(true)
  await expect(running.down('missing', received, signal)).rejects.toThrow()
}

it('parts carry all bytes up and down, and fail without the object', () => carriesTheSame('parts'))

for (const [id, title, paths, install] of [
  ['rclone', 'rclone', placesOf('rclone'), 'npm run transfers'],
  ['aws', 'the AWS command line', placesOf('aws'), 'npm run transfers'],
  ['limit', 'curl', ['curl'], 'sudo apt-get install curl'],
] as const) {
  const here = await firstInstalled(paths)
  describeReal(title, { name: title, found: here, install }, () => {
    it('carries all bytes up and down without the settings of the reader, and fails without the object', async () => {
      vi.stubEnv('AWS_PROFILE', 'nobody')
      vi.stubEnv('RCLONE_DRY_RUN', 'true')
      vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:9')
      await carriesTheSame(id)
    })
  })
}

it('measures four sizes in turns, and makes rows of those that are missing, fail, or lose something', async () => {
  const parts = contenders.parts as Contender
  const suite = storageWith({
    parts,
    missing: {
      label: 'missing',
      start: async () => {
        throw new Error('needs more: npm run more')
      },
    },
    failing: {
      label: 'failing',
      start: async (place) => ({
        ...(await parts.start(place)),
        up: async () => {
          throw new Error('ERROR: no space\nAttempt 3/3 failed: no space')
        },
      }),
    },
    other: {
      label: 'other',
      async start(place) {
        const running = await parts.start(place)
        // All objects get the bytes of the first file.
        let first: string | undefined
        return {
          ...running,
          up(file, key, stop) {
            first ??= file
            return running.up(first, key, stop)
          },
        }
      },
    },
    losing: {
      label: 'losing',
      async start(place) {
        const running = await parts.start(place)
        return {
          ...running,
          async down(key, file, stop) {
            const ms = await running.down(key, file, stop)
            await truncate(file, 1)
            return ms
          },
        }
      },
    },
    again: { ...parts, label: 'again' },
  })
  const rows = Object.entries(suite.contenders).map(([id, { label }]) => newRow(id, label))
  await suite.measure(rows, { quick: true, signal, onProgress: () => {} })
  expect(rows.map(({ id, failed }) => [id, failed])).toEqual([
    ['parts', undefined],
    ['missing', 'needs more: npm run more'],
    ['failing', 'Attempt 3/3 failed: no space'],
    ['other', 'up: received other bytes than were sent'],
    ['losing', 'down: received other bytes than were sent'],
    ['again', undefined],
  ])
  for (const row of [rows[0], rows.at(-1)]) {
    for (const direction of ['up', 'down']) expect(growthOf(row ?? newRow('', ''), direction)).toHaveLength(4)
  }
  expect(rows[0]?.durability).toContain('fsync')
  expect(suite.tables(rows)).toHaveLength(2)
  expect(suite.tables(rows)[0]?.rows.map(([label]) => label)).toEqual([parts.label, 'other', 'losing', 'again'])
  expect(suite.pictures(rows)['storage-down']).toContain('again (slope ')
})
