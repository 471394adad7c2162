/**
 * The two tiers, the daemon between them, and both platforms: processes here, and Beanstalk's API as moto answers it.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { serve } from '@hono/node-server'
import { until } from '@repo/common/async/until'
import { describeReal } from '@repo/common/testing/vitest'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import fc from 'fast-check'
import { strToU8, unzipSync, zipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { beanstalkClient, createBeanstalk } from '../../src/beanstalk/amazon.ts'
import { bundleTier } from '../../src/beanstalk/bundle.ts'
import { localPlatform } from '../../src/beanstalk/local.ts'
import { openPlatform } from '../../src/beanstalk/open-platform.ts'
import { waitForEnd, waitForHealth } from '../../src/beanstalk/platform.ts'
import { runDaemon } from '../../src/beanstalk/sqs-daemon.ts'
import { splitText, submitText, type TextStatus, textStatus } from '../../src/beanstalk/text-parts.ts'
import { watchVersion } from '../../src/beanstalk/web-client.ts'
import { webTier } from '../../src/beanstalk/web-tier.ts'
import { workerTier } from '../../src/beanstalk/worker-tier.ts'
import type { Cloud } from '../../src/cloud/clients.ts'
import { ownName } from '../../src/cloud/ownership.ts'
import type { Place } from '../../src/cloud/place.ts'
import { findMoto, installMoto } from '../../src/local/moto.ts'
import { makeQueues, type QueueUrls, receiveAll, send } from '../../src/queues.ts'
import { findLeftovers, removeLeftovers } from '../../src/session/leftovers.ts'
import { type OpenCloud, openCloud } from '../../src/session/open.ts'
import { temporaryBucket } from '../../src/storage/buckets.ts'
import { countWords } from '../../src/wordcount/word-counter.ts'
import { addCounts, topWords, wordsIn } from '../../src/wordcount/words.ts'

const signal = () => AbortSignal.timeout(90_000)
let stack: AsyncDisposableStack
let cloud: Cloud
let bucket: string

beforeAll(async () => {
  stack = new AsyncDisposableStack()
  cloud = stack.use(await openCloud())
  bucket = stack.use(await temporaryBucket(cloud.s3)).name
})
afterAll(() => stack.disposeAsync())

const text = 'One fish two fish\nred fish blue fish '.repeat(3_000)
const log = () => {}

describe('parts of a text', () => {
  it('make up the text, and cut no word in two', () => {
    const texts = fc.array(fc.constantFrom('a', 'word', ' ', '\n', "don't", 'x'.repeat(7_000)), { maxLength: 60 })
    fc.assert(
      fc.property(texts, (pieces) => {
        const given = pieces.join('')
        const parts = splitText(given)
        expect(parts.join('')).toBe(given)
        expect(parts.flatMap((part) => part.split(/\s+/).filter(Boolean))).toEqual(given.split(/\s+/).filter(Boolean))
      }),
    )
    expect(splitText('word '.repeat(1_000_000)).length).toBeLessThanOrEqual(200)
  })
})

describe('parts of a text without spaces', () => {
  it('end at a sign, and count the same words', () => {
    const text = '我们在云里数单词，'.repeat(3_000)
    const parts = splitText(text)
    expect(parts.join('')).toBe(text)
    expect(parts.length).toBeGreaterThan(2)
    for (const part of parts.slice(1)) expect(part[0]).toBe('，')
    const counts = new Map<string, number>()
    for (const part of parts) addCounts(counts, countWords(part))
    expect([...counts].sort()).toEqual([...countWords(text)].sort())
  })

  it('never end within a character, nor within a word longer than any', () => {
    const text = `${'x'.repeat(9_999)}${'𝒳'.repeat(2_000)} ${'😀'.repeat(20_000)}`
    const parts = splitText(text)
    expect(parts.join('')).toBe(text)
    for (const part of parts) expect(part.isWellFormed()).toBe(true)
  })
})

describe('the worker tier', () => {
  it('counts a part as often as it comes, with one result', async () => {
    await using queues = await makeQueues(cloud.sqs)
    const shared = { ...cloud, bucket, queueUrl: queues.urls.jobs }
    const { id, parts } = await submitText(shared, text)
    expect(parts).toBeGreaterThan(5)
    const app = workerTier({ s3: cloud.s3, bucket, log })
    const post = (part: number) => app.request('/', { method: 'POST', body: JSON.stringify({ id, part }) })
    for (let part = 0; part < parts; part++) expect((await post(part)).status).toBe(200)
    // A queue may deliver twice.
    expect((await post(0)).status).toBe(200)
    const counts = countWords(text)
    expect(await textStatus(shared, id)).toEqual({
      id,
      parts,
      counted: parts,
      words: wordsIn(counts),
      distinct: counts.size,
      top: topWords(counts, 10),
    })
  })

  it.each([
    '',
    'no JSON',
    '{}',
    '{"id":"../../etc","part":0}',
    '{"id":"00000000-0000-4000-8000-000000000000","part":-1}',
  ])('refuses the message %j with 400', async (body) => {
    const app = workerTier({ s3: cloud.s3, bucket, log })
    expect((await app.request('/', { method: 'POST', body })).status).toBe(400)
  })

  it('answers 404 when the part is missing, and 500 when the bucket is', async () => {
    const lines: string[] = []
    const body = JSON.stringify({ id: '00000000-0000-4000-8000-000000000000', part: 0 })
    const post = (name: string) =>
      workerTier({ s3: cloud.s3, bucket: name, log: (line) => lines.push(line) }).request('/', { method: 'POST', body })
    expect((await post(bucket)).status).toBe(404)
    expect((await post('no-such-bucket-anywhere')).status).toBe(500)
    expect(lines).toEqual([expect.stringMatching(/GetObject of no-such-bucket-anywhere.*NoSuchBucket/)])
  })
})

describe('the web tier', () => {
  const ask = async (path: string, init?: RequestInit, urls?: QueueUrls) => {
    const queueUrl = urls?.jobs ?? 'http://127.0.0.1:1/none'
    return await webTier({ ...cloud, bucket, queueUrl, version: '7', log }).request(path, init)
  }

  it('shows a page with a form, and its version', async () => {
    expect(await (await ask('/')).text()).toMatch(/<form>.*version 7/s)
    expect(await (await ask('/version')).json()).toEqual({ version: '7' })
  })

  it('takes a text, and says where to ask and how much is counted', async () => {
    await using queues = await makeQueues(cloud.sqs)
    const response = await ask('/texts', { method: 'POST', body: 'a b a' }, queues.urls)
    const status = (await response.json()) as TextStatus
    expect([response.status, status]).toEqual([202, { id: status.id, parts: 1, counted: 0 }])
    expect(response.headers.get('location')).toBe(`/texts/${status.id}`)
    expect(await (await ask(`/texts/${status.id}`)).json()).toEqual(status)
  })

  it('refuses an empty text, one that is too large, and a text it does not know', async () => {
    expect((await ask('/texts', { method: 'POST', body: ' \n' })).status).toBe(400)
    expect((await ask('/texts', { method: 'POST', body: 'a '.repeat(2_600_000) })).status).toBe(413)
    expect((await ask('/texts/00000000-0000-4000-8000-000000000000')).status).toBe(404)
    expect((await ask('/texts/..%2F')).status).toBe(404)
  })
})

describe('the daemon', () => {
  /** A server that records every request and answers with the status from `answer`. */
  async function server(answer: (body: string, deliveries: number) => number) {
    const requests: { body: string; headers: Record<string, unknown>; status: number }[] = []
    const listener = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += String(chunk)
      const status = answer(body, requests.filter((each) => each.body === body).length + 1)
      requests.push({ body, headers: request.headers, status })
      response.writeHead(status).end()
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => listener.once('listening', resolve))
    const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/`
    const dispose = async () => {
      listener.closeAllConnections()
      await new Promise((resolve) => listener.close(resolve))
    }
    return { url, requests, [Symbol.asyncDispose]: dispose }
  }
  async function daemon(queueUrl: string, url: string, options = {}) {
    const stopping = new AbortController()
    const running = runDaemon({
      sqs: cloud.sqs,
      queueUrl,
      url,
      errorVisibilityTimeoutS: 0,
      signal: stopping.signal,
      ...options,
    })
    running.catch(() => {})
    const dispose = async () => {
      stopping.abort()
      await running
    }
    return { running, [Symbol.asyncDispose]: dispose }
  }

  it("posts each message with Beanstalk's headers, and deletes it after 200", async () => {
    await using queues = await makeQueues(cloud.sqs)
    await using application = await server(() => 200)
    for (let at = 0; at < 15; at++) await send(cloud.sqs, queues.urls.jobs, { at })
    await using _ = await daemon(queues.urls.jobs, application.url)
    const counts = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const
    const ask = new GetQueueAttributesCommand({ QueueUrl: queues.urls.jobs, AttributeNames: [...counts] })
    const isEmpty = async () => {
      const { Attributes = {} } = await cloud.sqs.send(ask)
      return counts.every((name) => Attributes[name] === '0')
    }
    await until(isEmpty, { timeoutMs: 60_000 })
    const bodies = application.requests.map(({ body }) => body)
    expect(bodies.sort()).toEqual(Array.from({ length: 15 }, (_, at) => JSON.stringify({ at })).sort())
    expect(application.requests[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': expect.stringContaining('aws-sqsd'),
      'x-aws-sqsd-msgid': expect.any(String),
      'x-aws-sqsd-receive-count': '1',
      'x-aws-sqsd-first-received-at': expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    })
  })

  it('lets a message come again after any other answer, and in the end moves it to the dead letters', async () => {
    await using queues = await makeQueues(cloud.sqs, { tries: 3 })
    await using application = await server((body, deliveries) => (body === '"poison"' || deliveries < 2 ? 500 : 200))
    await send(cloud.sqs, queues.urls.jobs, 'good')
    await send(cloud.sqs, queues.urls.jobs, 'poison')
    await using _ = await daemon(queues.urls.jobs, application.url)
    const dead = await receiveAll<string>(cloud.sqs, queues.urls.dead, signal()).next()
    expect(dead.value).toBe('poison')
    await until(() => application.requests.some(({ body, status }) => body === '"good"' && status === 200))
    const deliveries = (body: string) => application.requests.filter((each) => each.body === body).length
    expect([deliveries('"good"'), deliveries('"poison"')]).toEqual([2, 3])
    expect(application.requests.map(({ headers }) => headers['x-aws-sqsd-receive-count'])).toContain('3')
  })

  it('retries when the application does not listen, and when it does not answer', async () => {
    await using queues = await makeQueues(cloud.sqs, { tries: 2 })
    const answers: unknown[] = []
    const onDelivery = (_: string, answer: number | Error) => answers.push(answer)
    await send(cloud.sqs, queues.urls.jobs, 1)
    await using _ = await daemon(queues.urls.jobs, 'http://127.0.0.1:1/', { onDelivery })
    await receiveAll(cloud.sqs, queues.urls.dead, signal()).next()
    // The last call arrives after its message is gone.
    await until(() => answers.length === 2)
    expect(answers).toEqual([expect.any(Error), expect.any(Error)])

    await using silent = serve({
      fetch: () => new Promise<Response>(() => {}),
      port: 0,
      hostname: '127.0.0.1',
    }) as never as AsyncDisposable & { address: () => AddressInfo }
    await until(() => silent.address())
    const url = `http://127.0.0.1:${silent.address().port}/`
    await using other = await makeQueues(cloud.sqs, { tries: 1 })
    await send(cloud.sqs, other.urls.jobs, 1)
    await using __ = await daemon(other.urls.jobs, url, { inactivityTimeoutMs: 50 })
    expect((await receiveAll(cloud.sqs, other.urls.dead, signal()).next()).value).toBe(1)
  })

  it('fails when the queue does', async () => {
    const { running } = await daemon(`${cloud.places.queues.url}/000000000000/no-such-queue`, 'http://127.0.0.1:1/')
    await expect(running).rejects.toThrow(/ReceiveMessage of no-such-queue/)
  })
})

describe('a bundle', () => {
  it('has a Procfile, a program and no dependencies, and the same bytes each time', async () => {
    const bundle = await bundleTier('worker', '1')
    expect(Buffer.from(await bundleTier('worker', '1')).equals(bundle)).toBe(true)
    const files = unzipSync(bundle)
    expect(Object.keys(files).sort()).toEqual(['Procfile', 'package.json', 'server.mjs'])
    expect(Buffer.from(files.Procfile ?? []).toString()).toBe('web: node server.mjs\n')
    expect(JSON.parse(Buffer.from(files['package.json'] ?? []).toString())).not.toHaveProperty('dependencies')
  })
})

describe('processes as a platform', () => {
  const procfile = strToU8('web: node server.mjs\n')

  // With the real tiers in machines-examples.test.ts.
  it('swaps versions without a failed request', async () => {
    await using queues = await makeQueues(cloud.sqs)
    await using platform = await localPlatform({ sqs: cloud.sqs, queueUrl: queues.urls.jobs, signal: signal() })
    const program = `import { createServer } from 'node:http'
      const { VERSION: version, PORT } = process.env
      createServer((_, response) => response.end(JSON.stringify({ version }))).listen(PORT, '127.0.0.1')`
    await platform.createVersion('any', zipSync({ Procfile: procfile, 'server.mjs': strToU8(program) }))
    const create = (name: string, tier: 'web' | 'worker', version: string) =>
      platform.createEnvironment({ name, tier, version: 'any', settings: { VERSION: version } })
    await create('blue', 'web', '1')
    await create('worker', 'worker', '1')
    await create('green', 'web', '2')
    const wait = { everyMs: 50, signal: signal() }
    const [blue, worker] = await waitForHealth(platform, ['blue', 'worker', 'green'], wait)
    expect(worker).toMatchObject({ tier: 'worker', status: 'Ready', health: 'Green', cname: undefined })
    const url = blue?.cname ?? ''

    await using watch = watchVersion(url, signal())
    await watch.until('1', 20, 30_000)
    await platform.swap('blue', 'green')
    await watch.until('2', 20, 30_000)
    await platform.terminate('blue')
    const asked = watch.requests
    await until(() => watch.requests > asked + 5)
    expect(watch.failed).toBe(0)
    expect((await platform.environments()).map(({ name, cname }) => ({ name, cname }))).toEqual([
      { name: 'worker', cname: undefined },
      { name: 'green', cname: url },
    ])
  })

  it.each([
    ['has no Procfile', { 'server.mjs': '' }, /ENOENT.*Procfile/],
    ['has a Procfile without web', { Procfile: 'worker: node server.mjs\n' }, /no line "web: <command>"/],
    ['names a file outside of its folder', { '../outside': '', Procfile: 'web: node x\n' }, /the bundle has a file/],
    ['ends at once', { Procfile: 'web: node server.mjs\n', 'server.mjs': 'throw new Error("no luck")' }, /no luck/],
  ])('turns red where the bundle %s, and says why', async (_, files, why) => {
    const given = { sqs: cloud.sqs, queueUrl: 'http://127.0.0.1:1/none', signal: signal() }
    await using platform = await localPlatform(given)
    const entries = Object.entries(files).map(([name, content]) => [name, strToU8(content)])
    await platform.createVersion('broken', zipSync(Object.fromEntries(entries) as Record<string, Uint8Array>))
    await platform.createEnvironment({ name: 'broken', tier: 'web', version: 'broken', settings: {} })
    await expect(waitForHealth(platform, ['broken'], { everyMs: 20, signal: signal() })).rejects.toThrow(why)
  })

  it('turns red when its program dies', async () => {
    const given = { sqs: cloud.sqs, queueUrl: 'http://127.0.0.1:1/none', signal: signal() }
    await using platform = await localPlatform(given)
    const program = `import { createServer } from 'node:http'
      createServer((request, response) => { response.end(); if (request.url === '/die') process.exit(3) })
        .listen(process.env.PORT, '127.0.0.1')`
    await platform.createVersion('mortal', zipSync({ Procfile: procfile, 'server.mjs': strToU8(program) }))
    await platform.createEnvironment({ name: 'mortal', tier: 'web', version: 'mortal', settings: {} })
    const [environment] = await waitForHealth(platform, ['mortal'], { everyMs: 20, signal: signal() })
    await fetch(`${environment?.cname}/die`).catch(() => {})
    await until(async () => (await platform.environments())[0]?.health === 'Red')
  })
})

describeReal('Elastic Beanstalk', { name: 'moto', found: await findMoto(), install: installMoto }, () => {
  let cloud: OpenCloud
  let place: Place
  beforeAll(async () => {
    cloud = await openCloud({ machines: true })
    place = cloud.places.machines ?? cloud.places.storage
  })
  afterAll(async () => await cloud?.[Symbol.asyncDispose]())

  it('takes bundles, versions and environments, and leaves nothing behind', async () => {
    const bucket = (await temporaryBucket(cloud.s3)).name
    const { urls } = await makeQueues(cloud.sqs)
    const wait = { signal: signal(), everyMs: 20 }
    {
      await using platform = await openPlatform({ cloud, bucket, queueUrl: urls.jobs, signal: signal() })
      expect(platform.name).toMatch(/^Elastic Beanstalk \(64bit Amazon Linux 2023 v[\d.]+ running Node\.js 2\d\)$/)
      expect(JSON.stringify(platform.settings)).not.toContain(place.credentials?.secretAccessKey)
      const create = async (purpose: string, tier: 'web' | 'worker', version: string) => {
        await platform.createVersion(version, zipSync({ Procfile: strToU8(version) }))
        await platform.createEnvironment({
          name: platform.nameFor(purpose),
          tier,
          version,
          settings: platform.settings,
        })
      }
      await expect(create('blue', 'web', 'web-1').then(() => create('again', 'web', 'web-1'))).rejects.toThrow(
        /already exists/,
      )
      await create('worker', 'worker', 'worker-1')
      const seen: string[] = []
      const onChange = (found: { status: string; health: string }[]) => {
        seen.push(...found.map(({ status, health }) => `${status} ${health}`))
      }
      const names = [platform.nameFor('blue'), platform.nameFor('worker')]
      const [blue, worker] = await waitForHealth(platform, names, { ...wait, onChange })
      expect(seen).toContain('Launching Grey')
      expect(worker).toMatchObject({ tier: 'worker', version: 'worker-1', cname: undefined })
      await create('green', 'web', 'web-2')
      await expect(platform.swap(platform.nameFor('blue'), platform.nameFor('green'))).rejects.toThrow(/Must be Ready/)
      await waitForHealth(platform, [platform.nameFor('green')], wait)
      await platform.swap(platform.nameFor('blue'), platform.nameFor('green'))
      const green = (await platform.environments()).find(({ version }) => version === 'web-2')
      expect(green?.cname).toBe(blue?.cname)
      await platform.terminate(platform.nameFor('blue'))
      await waitForEnd(platform, [platform.nameFor('blue')], wait)
      expect((await platform.environments()).map(({ version }) => version).sort()).toEqual(['web-2', 'worker-1'])
    }
    const { queues: _, buckets: __, ...rest } = await findLeftovers(cloud, place)
    expect(rest).toEqual({ instances: [], volumes: [], securityGroups: [], keyPairs: [], roles: [], applications: [] })
  })

  it('refuses a version without its bundle, and is cleaned up after a killed program', async () => {
    using beanstalk = beanstalkClient(place)
    const application = ownName()
    const given = {
      beanstalk: beanstalk.client,
      s3: cloud.s3,
      bucket: 'b',
      queueUrl: '',
      application,
      instanceProfile: '',
    }
    const platform = await createBeanstalk(given)
    await expect(platform.createVersion('1', new Uint8Array(3))).rejects.toThrow(/NoSuchBucket/)
    const request = { name: 'words-x', tier: 'web' as const, version: '1', settings: {} }
    await expect(platform.createEnvironment(request)).rejects.toThrow(/No Application Version named '1'/)
    expect((await removeLeftovers(cloud, place)).applications).toEqual([application])
    expect((await findLeftovers(cloud, place)).applications).toEqual([])
  })
})
