import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describe, expect, it, vi } from 'vitest'
import { s3Client, sqsClient } from '../../src/cloud/clients.ts'
import { faultyStore, messageOf } from '../fixtures/http-faults.ts'
import { usePracticeBucket } from '../fixtures/practice-bucket.ts'

const { place, s3, bucket } = await usePracticeBucket()

const get = (Key: string) => new GetObjectCommand({ Bucket: bucket, Key })
const put = (Key: string) => new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' })

describe('one clear line says', () => {
  it('that nothing listens', async () => {
    const url = 'http://127.0.0.1:1'
    const client = s3Client({ ...place, url }, { maxAttempts: 2 })
    expect(await messageOf(client.send(get('x')))).toBe(
      `GetObject of ${bucket}/x at ${url} failed: ECONNREFUSED: nothing listens there; AWS_ENDPOINT_URL says where requests go`,
    )
  })

  it('that the host does not exist', async () => {
    // A label of a host name has at most 63 letters, so this fails without the network.
    const client = s3Client({ ...place, url: `http://${'x'.repeat(64)}.invalid` }, { maxAttempts: 1 })
    expect(await messageOf(client.send(get('x')))).toMatch(/(ENOTFOUND|EAI_AGAIN): /)
  })

  it('that credentials are missing', async () => {
    // As on a machine that was never set up. No request goes to the network.
    for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) vi.stubEnv(name, '/nowhere')
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
    for (const name of Object.keys(process.env)) {
      if (/^AWS_(ACCESS_KEY_ID|PROFILE|WEB_IDENTITY|CONTAINER)/.test(name)) vi.stubEnv(name, undefined)
    }
    try {
      const client = s3Client({ kind: 'endpoint', url: place.url, region: 'us-east-1' })
      expect(await messageOf(client.send(get('x')))).toContain('CredentialsProviderError: no credentials were found')
    } finally {
      vi.unstubAllEnvs()
    }
  })

  it('that the session of a profile has ended, in the words of the SDK, which name the command that helps', async () => {
    await using folder = await temporaryFolder()
    const config = join(folder.path, 'config')
    const session = '[sso-session s]\nsso_region = eu-central-1\nsso_start_url = https://example.awsapps.com/start\n'
    await writeFile(
      config,
      `[profile ended]\nsso_session = s\nsso_account_id = 1\nsso_role_name = x\nregion = eu-central-1\n${session}`,
    )
    vi.stubEnv('AWS_CONFIG_FILE', config)
    vi.stubEnv('AWS_PROFILE', 'ended')
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, undefined)
    try {
      expect(await messageOf(s3Client({ kind: 'aws' }, { maxAttempts: 1 }).send(get('x')))).toMatch(
        /^GetObject of \S+ at Amazon Web Services failed: CredentialsProviderError: .*aws sso login/,
      )
    } finally {
      vi.unstubAllEnvs()
    }
  })

  it('that what answers is no such service', async () => {
    const server = createServer((_, answer) => answer.writeHead(200, { 'content-type': 'text/html' }).end('<html>'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { ListQueuesCommand } = await import('@aws-sdk/client-sqs')
    const message = await messageOf(sqsClient({ ...place, url }, { maxAttempts: 1 }).send(new ListQueuesCommand()))
    server.closeAllConnections()
    server.close()
    expect(message).toMatch(
      /^ListQueues at \S+ failed: SyntaxError: what answers there is no such service; AWS_ENDPOINT/,
    )
  })

  it('that the access key id is unknown, or the secret wrong, to S3 and to SQS', async () => {
    const { accessKeyId = '', secretAccessKey = '' } = place.credentials ?? {}
    const unknown = { ...place, credentials: { accessKeyId: 'unknown', secretAccessKey } }
    const wrong = { ...place, credentials: { accessKeyId, secretAccessKey: 'wrong' } }
    expect(await messageOf(s3Client(unknown).send(get('x')))).toMatch(/InvalidAccessKeyId: .* \(403\)$/)
    const message = await messageOf(s3Client(wrong).send(get('x')))
    expect(message).toMatch(/SignatureDoesNotMatch: .* \(403\)$/)
    expect(message).not.toContain(secretAccessKey)
    const { ListQueuesCommand } = await import('@aws-sdk/client-sqs')
    expect(await messageOf(sqsClient(wrong).send(new ListQueuesCommand()))).toMatch(
      /^ListQueues at .*SignatureDoesNotMatch/,
    )
  })

  it('that a bucket name is not valid', async () => {
    expect(await messageOf(s3.send(new CreateBucketCommand({ Bucket: 'No_Bucket' })))).toContain(
      'InvalidBucketName: a bucket',
    )
  })

  it('that access is denied, that the session has ended, that the store is too busy', async () => {
    const codes: [number, string, string][] = [
      [403, 'AccessDenied', 'these credentials may not do that'],
      [400, 'ExpiredToken', 'sign in again'],
      [503, 'SlowDown', 'fewer requests per second'],
    ]
    for (const [answer, code, words] of codes) {
      await using store = await faultyStore(place, () => ({ answer, code }))
      // A busy store is asked again, later each time.
      const result = await messageOf(s3Client(store.place, { maxAttempts: 2 }).send(get('x')))
      expect(result).toContain(`${code}: `)
      expect(result).toContain(words)
      expect(result).toMatch(/^[^\n]*$/)
    }
  })

  it('that the object does not exist', async () => {
    expect(await messageOf(s3.send(get('nothing')))).toContain('NoSuchKey: that object does not exist (404)')
  })
})

describe('a clock that is wrong by an hour', () => {
  const hour = 3_600_000

  it.each([hour, -hour])('by %i ms, is noticed and corrected, and the request is sent again', async (wrongBy) => {
    const now = Date.now
    // The clock of the whole process is wrong.
    const RealDate = Date
    const answers = await (async () => {
      try {
        globalThis.Date = class extends RealDate {
          constructor(...given: ConstructorParameters<DateConstructor> | []) {
            if (given.length === 0) super(now() + wrongBy)
            else super(...(given as [number]))
          }
          static override now() {
            return now() + wrongBy
          }
        } as DateConstructor
        const client = s3Client(place)
        return [await client.send(put('clock')), await client.send(put('clock'))]
      } finally {
        globalThis.Date = RealDate
      }
    })()
    expect(answers.map(({ $metadata }) => $metadata.attempts)).toEqual([2, 1])
  })

  it('is reported when it is not corrected', async () => {
    const client = s3Client(place, { systemClockOffset: hour })
    expect(await messageOf(client.send(put('clock')))).toContain("RequestTimeTooSkewed: this machine's clock is wrong")
  })
})
