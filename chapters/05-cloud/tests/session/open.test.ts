import { writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { describe, expect, it, vi } from 'vitest'
import { s3Client } from '../../src/cloud/clients.ts'
import { practiceApp } from '../../src/local/practice-buckets.ts'
import { slowLink } from '../../src/local/slow-link.ts'
import { leftQueues, makeQueues, receiveAll, send } from '../../src/queues.ts'
import { openCloud } from '../../src/session/open.ts'
import { leftBuckets, temporaryBucket } from '../../src/storage/buckets.ts'
import { messageOf } from '../fixtures/http-faults.ts'

async function withEnvironment(settings: NodeJS.ProcessEnv, work: () => Promise<void>) {
  for (const [name, value] of Object.entries(settings)) vi.stubEnv(name, value)
  try {
    await work()
  } finally {
    vi.unstubAllEnvs()
  }
}

describe('contradictory settings', () => {
  it('are refused, with passwords masked', async () => {
    await withEnvironment({ AWS_ENDPOINT_URL: 'not a url' }, async () => {
      expect(await messageOf(openCloud())).toContain('AWS_ENDPOINT_URL: received "***"; accepts a URL')
    })
    await withEnvironment({ AWS_ENDPOINT_URL: 'http://user:hidden@127.0.0.1:1' }, async () => {
      const message = await messageOf(openCloud({ aws: true }))
      expect(message).toContain(
        '--aws: received "with AWS_ENDPOINT_URL=http://user:***@127.0.0.1:1"; accepts one of the two',
      )
    })
  })

  it('that name a store and no queues leave the queues to the practice cloud', async () => {
    await withEnvironment({ AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' }, async () => {
      await using cloud = await openCloud()
      expect(cloud.places.storage).toMatchObject({ kind: 'endpoint', url: 'http://127.0.0.1:1' })
      expect(cloud.places.storage.credentials).toBeUndefined()
      expect(cloud.places.queues.kind).toBe('practice')
    })
  })
})

describe('a cloud', () => {
  it('may be below a path, also behind a longer link', async () => {
    const app = practiceApp()
    const inner = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
    const elsewhere: (string | undefined)[] = []
    const server = createServer((incoming, outgoing) => {
      const { method, url = '', headers } = incoming
      if (!url.startsWith('/cloud/')) elsewhere.push(url)
      const options = { host: inner.hostname, port: inner.port, method, path: url.slice('/cloud'.length), headers }
      incoming.pipe(
        request(options, (answer) => {
          outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
          answer.pipe(outgoing)
        }),
      )
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const AWS_ENDPOINT_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/cloud/`
    const keys = { AWS_ACCESS_KEY_ID: 'any', AWS_SECRET_ACCESS_KEY: 'any' }
    await withEnvironment({ AWS_ENDPOINT_URL, AWS_REGION: 'eu-central-1', ...keys }, async () => {
      await using stack = new AsyncDisposableStack()
      const cloud = stack.use(await openCloud())
      expect(cloud.places.storage).toMatchObject({ url: AWS_ENDPOINT_URL.slice(0, -1), region: 'eu-central-1' })
      const link = stack.use(await slowLink(cloud.places.storage, 2))
      const far = stack.adopt(s3Client(link?.place ?? cloud.places.storage), (client) => client.destroy())
      const bucket = stack.use(await temporaryBucket(far)).name
      const { urls } = stack.use(await makeQueues(cloud.sqs))
      const object = { Bucket: bucket, Key: 'a key' }
      await far.send(new PutObjectCommand({ ...object, Body: 'content' }))
      const signed = await getSignedUrl(far, new GetObjectCommand(object), { expiresIn: 60 })
      expect(await (await fetch(signed)).text()).toBe('content')
      await send(cloud.sqs, urls.jobs, 'job')
      expect((await receiveAll(cloud.sqs, urls.jobs, AbortSignal.timeout(10_000)).next()).value).toBe('job')
      expect(await leftBuckets(far)).toEqual([bucket])
      expect(await leftQueues(cloud.sqs)).toHaveLength(3)
    })
    expect(elsewhere).toEqual([])
    server.closeAllConnections()
    server.close()
    await app.close()
  })

  it('needs a region, and says which one it received', async () => {
    await using folder = await temporaryFolder()
    const AWS_CONFIG_FILE = join(folder.path, 'config')
    await writeFile(AWS_CONFIG_FILE, '[profile odd]\nregion = Frankfurt am Main\n[profile none]\n')
    const asked = async (AWS_PROFILE: string) => {
      await withEnvironment({ AWS_CONFIG_FILE, AWS_PROFILE, AWS_REGION: undefined }, async () => {
        message = await messageOf(openCloud({ aws: true }))
      })
      return message
    }
    let message = ''
    expect(await asked('odd')).toMatch(/^AWS_REGION: received "Frankfurt am Main"; accepts a region such as/)
    expect(await asked('none')).toMatch(/^AWS_REGION: received nothing; accepts a region such as/)
  })
})
