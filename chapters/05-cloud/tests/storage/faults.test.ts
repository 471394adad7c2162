import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { temporaryFolder } from '@repo/common/process/temporary'
import { startProxy } from '@repo/common/servers/proxy'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openCloud, type Place, s3Client, sqsClient } from '../../src/cloud/cloud.ts'
import type { CloudError } from '../../src/cloud/errors.ts'
import { startPracticeCloud } from '../../src/local/practice-cloud.ts'
import { slowLink } from '../../src/local/slow-link.ts'
import { temporaryBucket } from '../../src/storage/buckets.ts'
import { findFeatures } from '../../src/storage/features.ts'
import { discardUpload, downloadFile, journalOf, partialOf, uploadFile } from '../../src/storage/files.ts'
import { defaultPartSize, downloadParts, headObject, uploadStream } from '../../src/storage/parts.ts'
import { pseudoRandom } from '../../src/storage/stream.ts'
import { type Fault, faultyStore } from '../fixtures/http-faults.ts'

const mib = 1 << 20

let stack: AsyncDisposableStack
let place: Place
let s3: S3Client
let bucket: string

beforeAll(async () => {
  stack = new AsyncDisposableStack()
  place = stack.use(await startPracticeCloud()).place
  s3 = s3Client(place)
  bucket = stack.use(await temporaryBucket(s3)).name
})
afterAll(() => stack.disposeAsync())

const get = (Key: string) => new GetObjectCommand({ Bucket: bucket, Key })
const put = (Key: string) => new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' })

async function* stream(bytes: number) {
  yield* pseudoRandom(bytes)
}

async function messageOf(failing: Promise<unknown>): Promise<string> {
  const error = await failing.then(
    () => new Error('it did not fail'),
    (error: unknown) => error as CloudError,
  )
  return error.message
}

/** Puts an HTTP proxy before the practice cloud and does something through it. */
async function through<Result>(
  fault: (line: string) => Fault | undefined,
  work: (s3: S3Client) => Promise<Result>,
  before = place,
) {
  await using store = await faultyStore(before, fault)
  const client = s3Client(store.place)
  return { result: await work(client), requests: store.requests }
}

/** The first so many requests that match go wrong. */
function first(count: number, pattern: RegExp, fault: Fault) {
  let left = count
  return (line: string) => (pattern.test(line) && left-- > 0 ? fault : undefined)
}

describe('one clear line says', () => {
  it('that nobody listens', async () => {
    const url = 'http://127.0.0.1:1'
    const client = s3Client({ ...place, url }, { maxAttempts: 2 })
    expect(await messageOf(client.send(get('x')))).toBe(
      `GetObject of ${bucket}/x at ${url} failed: ECONNREFUSED: nothing listens there; AWS_ENDPOINT_URL says where requests go`,
    )
  })

  it('that there is no such host', async () => {
    // No label of a name has more than 63 letters: that is known without asking the network.
    const client = s3Client({ ...place, url: `http://${'x'.repeat(64)}.invalid` }, { maxAttempts: 1 })
    expect(await messageOf(client.send(get('x')))).toMatch(/(ENOTFOUND|EAI_AGAIN): /)
  })

  it('that there are no credentials', async () => {
    // As on a machine that was never set up; nothing asks the network for some.
    const saved = { ...process.env }
    const nothing = { AWS_CONFIG_FILE: '/nowhere', AWS_SHARED_CREDENTIALS_FILE: '/nowhere' }
    Object.assign(process.env, nothing, { AWS_EC2_METADATA_DISABLED: 'true' })
    for (const name of Object.keys(process.env)) {
      if (/^AWS_(ACCESS_KEY_ID|PROFILE|WEB_IDENTITY|CONTAINER)/.test(name)) delete process.env[name]
    }
    try {
      const client = s3Client({ kind: 'endpoint', url: place.url, region: 'us-east-1' })
      expect(await messageOf(client.send(get('x')))).toContain('CredentialsProviderError: no credentials were found')
    } finally {
      process.env = saved
    }
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
      [503, 'SlowDown', 'fewer requests a second'],
    ]
    for (const [answer, code, words] of codes) {
      const { result } = await through(
        () => ({ answer, code }),
        (client) => messageOf(client.send(get('x'))),
      )
      expect(result).toContain(`${code}: `)
      expect(result).toContain(words)
      expect(result).toMatch(/^[^\n]*$/)
    }
  })

  it('that there is no such object', async () => {
    expect(await messageOf(s3.send(get('nothing')))).toContain('NoSuchKey: there is no such object (404)')
  })
})

describe('a clock that is wrong by an hour', () => {
  const hour = 3_600_000

  it.each([hour, -hour])('by %i ms, is noticed, corrected, and the request sent again', async (wrongBy) => {
    const now = Date.now
    // The whole process lives at another time.
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

  it('is said where it is not corrected', async () => {
    const client = s3Client(place, { systemClockOffset: hour })
    expect(await messageOf(client.send(put('clock')))).toContain("RequestTimeTooSkewed: this machine's clock is wrong")
  })
})

describe('throttling and connections that break', () => {
  it('are overcome by asking again, after a while', async () => {
    const { requests } = await through(first(3, /PUT/, { answer: 503, code: 'SlowDown' }), (client) =>
      client.send(put('busy')),
    )
    expect(requests).toHaveLength(4)
    const { requests: again } = await through(first(2, /GET/, { lose: true }), (client) => client.send(get('busy')))
    expect(again).toHaveLength(3)
  })

  it('in mid-part, up and down, cost one part', async () => {
    await using proxy = await startProxy({ port: Number(new URL(place.url ?? '').port) })
    const client = s3Client({ ...place, url: `http://${proxy.host}:${proxy.port}` })
    const target = { bucket, key: 'cut' }
    const bytes = 16 * mib
    proxy.cutAfter(3 * mib, 'up')
    const stored = await uploadStream(client, target, stream(bytes))
    expect(stored).toMatchObject({ bytes, parts: 4 })
    expect(proxy.bytes.up).toBeGreaterThan(bytes)

    proxy.cutAfter(3 * mib, 'down')
    const received: Buffer[] = []
    for await (const part of downloadParts(client, target, await headObject(client, target)))
      received.push(Buffer.from(part))
    expect(Buffer.concat(received).equals(Buffer.concat([...pseudoRandom(bytes)]))).toBe(true)
    expect(proxy.bytes.down).toBeGreaterThan(bytes)
  })

  it('while an upload is completed do not make it fail: it is found to be complete', async () => {
    const { result, requests } = await through(first(1, /POST .*uploadId=/, { lose: true }), (client) =>
      uploadStream(client, { bucket, key: 'completed' }, stream(8 * mib)),
    )
    expect(result).toMatchObject({ bytes: 8 * mib, parts: 2 })
    expect(requests.filter((line) => /POST .*uploadId=/.test(line))).toHaveLength(2)
    expect(requests.at(-1)).toMatch(/^HEAD/)
  })

  it('for good end an upload, and what was stored of it is removed when the store is there again', async () => {
    const own = await temporaryBucket(s3)
    // Every second part fails for ever; the request that gives up is heard.
    const fault = (line: string) => (/PUT .*partNumber=2/.test(line) ? { lose: true as const } : undefined)
    const { result, requests } = await through(fault, (client) =>
      messageOf(uploadStream(client, { bucket: own.name, key: 'x' }, stream(16 * mib))),
    )
    expect(result).toMatch(/^UploadPart of .* failed: ECONNRESET: the connection was cut/)
    expect(requests.at(-1)).toMatch(/^DELETE .*uploadId=/)
    // Refused by the practice cloud while there is an unfinished upload in it.
    await own[Symbol.asyncDispose]()
  })

  it('say so when even the removal is not heard', async () => {
    // The practice cloud does not remove a bucket with an unfinished upload in it: this one goes with its server.
    await using cloud = await startPracticeCloud()
    await s3Client(cloud.place).send(new CreateBucketCommand({ Bucket: bucket }))
    const { result } = await through(
      (line) => (/uploadId=/.test(line) ? { answer: 403, code: 'AccessDenied' } : undefined),
      (client) => messageOf(uploadStream(client, { bucket, key: 'orphan' }, stream(8 * mib))),
      cloud.place,
    )
    expect(result).toContain(`its parts could not be removed from ${bucket}, where they cost until`)
  })

  it('are no reason to forget an upload that the store still has', async () => {
    await using folder = await temporaryFolder()
    await using own = await temporaryBucket(s3)
    const path = join(folder.path, 'original')
    await writeFile(path, pseudoRandom(3 * defaultPartSize))
    const target = { bucket: own.name, key: 'x' }
    const stop = new AbortController()
    const onProgress = () => stop.abort(new Error('stopped by the test'))
    await expect(uploadFile(s3, target, path, { signal: stop.signal, onProgress })).rejects.toThrow('stopped by')
    const fault = (line: string) =>
      /^DELETE .*uploadId=/.test(line) ? { answer: 403, code: 'AccessDenied' } : undefined
    const { result } = await through(fault, (client) => messageOf(discardUpload(client, path)))
    expect(result).toMatch(/^AbortMultipartUpload of .*AccessDenied/)
    expect(existsSync(journalOf(path))).toBe(true)
    expect(await discardUpload(s3, path)).toBe(true)
    expect(existsSync(journalOf(path))).toBe(false)
  })

  it('that damage what they carry are noticed on the way up', async () => {
    const { result } = await through(
      (line) => (/partNumber=2/.test(line) ? { damage: true } : undefined),
      (client) => messageOf(uploadStream(client, { bucket, key: 'damaged' }, stream(8 * mib))),
    )
    expect(result).toMatch(/^part 2 of .* was damaged on the way/)
  })
})

describe('a full disk', () => {
  it.runIf(existsSync('/dev/full'))('ends a download with one line, and leaves nothing on it', async () => {
    await using folder = await temporaryFolder()
    const target = { bucket, key: 'large' }
    const { etag } = await uploadStream(s3, target, stream(6 * mib))
    const path = join(folder.path, 'copy')
    // Where the kernel says that there is no space, whatever is written.
    await symlink('/dev/full', partialOf(path, etag))
    const message = await messageOf(downloadFile(s3, target, path))
    expect(message).toBe(`${path} cannot be written: the disk is full (ENOSPC)`)
    expect(await readdir(folder.path)).toEqual([])
  })

  /** Moves an object in a process that may write files of so many blocks of 512 or 1,024 bytes, as the system has it. */
  async function limited(blocks: number, transfer: object): Promise<string> {
    const program = new URL('../fixtures/transfer.program.ts', import.meta.url).pathname
    const command = [process.execPath, '--import', 'tsx', program]
    const child = spawn('sh', ['-c', `ulimit -f ${blocks} && exec "$@"`, 'sh', ...command], {
      env: { ...process.env, TRANSFER: JSON.stringify({ place, ...transfer }), TSX_DISABLE_CACHE: '1' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [output] = await Promise.all([Array.fromAsync(child.stdout.setEncoding('utf8')), once(child, 'close')])
    return output.join('')
  }

  it.skipIf(process.platform === 'win32')('is the same to a process that may not write as much', async () => {
    await using folder = await temporaryFolder()
    const target = { bucket, key: 'large' }
    await uploadStream(s3, target, stream(6 * mib))
    const path = join(folder.path, 'copy')
    expect(await limited(4096, { way: 'down', target, path })).toBe(
      `error: ${path} cannot be written: the disk is full (EFBIG)\n`,
    )
    expect(await readdir(folder.path)).toEqual([])
  })

  it.skipIf(process.platform === 'win32')('leaves no upload behind that no journal knows', async () => {
    await using folder = await temporaryFolder()
    await using own = await temporaryBucket(s3)
    const path = join(folder.path, 'large')
    await writeFile(path, pseudoRandom(6 * mib))
    expect(await limited(0, { way: 'up', target: { bucket: own.name, key: 'x' }, path })).toBe(
      `error: ${journalOf(path)} cannot be written: the disk is full (EFBIG)\n`,
    )
    const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: own.name }))
    expect(Uploads).toEqual([])
  })

  it('is foreseen where an object is larger than what is left of it', async () => {
    await using folder = await temporaryFolder()
    const target = { bucket, key: 'huge' }
    await s3.send(put('huge'))
    const client = s3Client(place)
    // As the store would say of an object that no disk holds.
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const answer = await next(args)
          if (commandName === 'HeadObjectCommand') Object.assign(answer.output, { ContentLength: 2 ** 60 })
          return answer
        },
      { step: 'initialize' },
    )
    const path = join(folder.path, 'copy')
    expect(await messageOf(downloadFile(client, target, path))).toMatch(/copy needs .* and its disk has .* left$/)
  })
})

describe('settings that cannot be meant', () => {
  async function withEnvironment(settings: NodeJS.ProcessEnv, work: () => Promise<void>) {
    const saved = { ...process.env }
    Object.assign(process.env, settings)
    try {
      await work()
    } finally {
      process.env = saved
    }
  }

  it('are refused, with passwords masked', async () => {
    await withEnvironment({ AWS_ENDPOINT_URL: 'not a url' }, async () => {
      expect(await messageOf(openCloud())).toContain('AWS_ENDPOINT_URL: received "not a url"; accepts a URL')
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

describe('a place', () => {
  it.each(['https://127.0.0.1:1', 'http://s3.example.org', 'http://192.168.1.1:9000', undefined])(
    'at %s gets no link put before it',
    async (url) => {
      expect(await slowLink({ kind: 'endpoint', url }, 30)).toBeUndefined()
    },
  )

  it('that refuses for another reason does not have a feature', async () => {
    await using own = await temporaryBucket(s3)
    let puts = 0
    const fault = (line: string) =>
      /^PUT .*features\/object\?/.test(line) && puts++ > 0 ? { answer: 403, code: 'AccessDenied' } : undefined
    const { result } = await through(fault, (client) => findFeatures(client, own.name))
    for (const name of ['write only if new', 'write only if unchanged']) {
      expect(result.find((feature) => feature.name === name)).toMatchObject({ there: false, because: 'AccessDenied' })
    }
  })
})

describe('a file', () => {
  it('that cannot be read is one line', async () => {
    expect(await messageOf(uploadFile(s3, { bucket, key: 'x' }, '/nowhere/file'))).toContain('ENOENT')
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'small')
    await writeFile(path, 'small')
    expect(await uploadFile(s3, { bucket, key: 'small' }, path)).toMatchObject({ bytes: 5, parts: 1, resumed: 0 })
  })
})
