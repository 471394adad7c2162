/** The stores beside the practice cloud: each answers the whole table of S3's behaviours, and an example runs on it. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { buildApp } from 'fauxqs'
import { expect, it } from 'vitest'
import { s3Client } from '../../src/cloud/clients.ts'
import { keysOf } from '../../src/cloud/place.ts'
import { findMoto, installMoto, startMoto } from '../../src/local/moto.ts'
import { findSwift, installSwift, startSwift } from '../../src/local/swift.ts'
import { countAlone } from '../../src/wordcount/addresses.ts'
import { wordsIn } from '../../src/wordcount/words.ts'
import { differences, differencesOf } from '../fixtures/s3-behaviours.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

// When this fails after an update, fauxqs was mended: src/local/practice-buckets.ts may become shorter.
it('fauxqs alone does not', async () => {
  await using app = Object.assign(buildApp({ logger: false }), {
    async [Symbol.asyncDispose]() {
      await app.close()
    },
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const credentials = { accessKeyId: 'any', secretAccessKey: 'any' }
  const client = s3Client({ kind: 'endpoint', url, region: 'us-east-1', credentials }, { maxAttempts: 1 })
  expect(await differencesOf(client)).toEqual(differences.fauxqs)
})

describeReal('OpenStack Swift', { name: 'Swift', found: await findSwift(), install: installSwift }, () => {
  it('differs from Amazon only where we know it', async () => {
    await using swift = await startSwift()
    expect(await differencesOf(s3Client(swift.place, { maxAttempts: 1 }))).toEqual(differences.Swift)
  })

  it('counts the same words in private-cloud as one pass', async () => {
    const run = await runExample(chapter, 'private-cloud', ['--quick', '--json'])
    expect(run.code).toBe(0)
    const result = run.json<{ store: string; objects: number; words: number; features: unknown[] }>()
    expect(result).toMatchObject({ store: 'OpenStack Swift (started for this run)', objects: 40 })
    expect(result.words).toBe(wordsIn((await countAlone({ most: 40 })).counts))
    expect(result.features).toHaveLength(16)
    expect(await run.leftBehind()).toEqual([])
  })
})

describeReal('moto', { name: 'moto', found: await findMoto(), install: installMoto }, () => {
  it('differs from Amazon only where we know it, and is shown by s3', async () => {
    await using moto = await startMoto()
    expect(await differencesOf(s3Client(moto.place, { maxAttempts: 1 }))).toEqual(differences.moto)
    const env = { AWS_ENDPOINT_URL: moto.place.url, AWS_REGION: 'us-east-1', ...keysOf(moto.place) }
    const args = ['--quick', '--objects', '20', '--size', '6', '--round-trip', '0']
    const run = await runExample(chapter, 's3', args, { env })
    expect(run).toMatchObject({ code: 0 })
    // moto looks whether the object is there, and then writes it: on several threads, both may find it missing.
    expect(run.stdout).toMatch(/Two writers would both write an object only if it is new: [12] of them wrote it\./)
  })
})
