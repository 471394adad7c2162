/**
 * The two tiers, the daemon between them, and processes as a platform. amazon.long.test.ts has the other platform.
 */
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { runInNewContext } from 'node:vm'
import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import { GetQueueAttributesCommand, type Message, PurgeQueueCommand, SendMessageCommand } from '@aws-sdk/client-sqs'
import { serve } from '@hono/node-server'
import { until } from '@repo/common/async/until'
import { startProxy } from '@repo/common/servers/proxy'
import { AsyncDisposableStack, DisposableStack } from '@whatwg-node/disposablestack'
import fc from 'fast-check'
import { strToU8, unzipSync, zipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleTier } from '../../src/beanstalk/bundle.ts'
import { localPlatform } from '../../src/beanstalk/local.ts'
import { waitForHealth } from '../../src/beanstalk/platform.ts'
import { runDaemon } from '../../src/beanstalk/sqs-daemon.ts'
import {
  countsKey,
  partKey,
  splitText,
  submitText,
  type TextStatus,
  textStatus,
} from '../../src/beanstalk/text-parts.ts'
import { watchVersion } from '../../src/beanstalk/web-client.ts'
import { webTier } from '../../src/beanstalk/web-tier.ts'
import { workerTier } from '../../src/beanstalk/worker-tier.ts'
import { type Cloud, sqsClient } from '../../src/cloud/clients.ts'
import { placesForWorkers } from '../../src/cloud/place.ts'
import { slowLink } from '../../src/local/slow-link.ts'
import { makeQueues, type QueueUrls, receiveAll, send, untilHeld } from '../../src/queues.ts'
import { openCloud } from '../../src/session/open.ts'
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

  it.each(['\ufeff', '\u00ad', '\u200c'])('do not end at what is invisible within a word: %j', (mark) => {
    const text = `ß${mark}word`.repeat(3_000)
    const counts = splitText(text).map((part) => [...countWords(part).values()].length)
    expect(counts).toEqual([1])
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
    const post = (part: number) => app.request('/', { method: 'POST', body: JSON.stringify({ id, part, parts }) })
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

  it('takes an old text, of which the store has deleted some, for one that does not exist', async () => {
    await using queues = await makeQueues(cloud.sqs)
    const shared = { ...cloud, bucket, queueUrl: queues.urls.jobs }
    const { id, parts } = await submitText(shared, text)
    const app = workerTier({ s3: cloud.s3, bucket, log })
    const [first, ...others] = Array.from({ length: parts }, (_, part) => ({ id, part, parts }))
    for (const part of others) await app.request('/', { method: 'POST', body: JSON.stringify(part) })
    expect(await textStatus(shared, id)).toEqual({ id, parts, counted: parts - 1 })
    // Not finished: without this part, as many would be counted as are there.
    if (first) await cloud.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: partKey(first) }))
    expect(await textStatus(shared, id)).toBeUndefined()
    for (const part of others) await cloud.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: partKey(part) }))
    expect(await textStatus(shared, id)).toBeUndefined()
    expect(countsKey({ id, part: 3, parts })).toBe(`counts/${id}/3`)
  })

  it.each([
    '',
    'no JSON',
    '{}',
    '{"id":"../../etc","part":0}',
    '{"id":"00000000-0000-4000-8000-000000000000","part":-1,"parts":1}',
    '{"id":"00000000-0000-4000-8000-000000000000","part":0}',
  ])('refuses the message %j with 400', async (body) => {
    const app = workerTier({ s3: cloud.s3, bucket, log })
    expect((await app.request('/', { method: 'POST', body })).status).toBe(400)
  })

  it('answers 404 when the part is missing, and 500 when the bucket is', async () => {
    const lines: string[] = []
    const body = JSON.stringify({ id: '00000000-0000-4000-8000-000000000000', part: 0, parts: 1 })
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

  it('reads a body to its end that it refuses, so that its connection can carry the next request', async () => {
    await using server = serve({
      fetch: webTier({ ...cloud, bucket, queueUrl: 'http://127.0.0.1:1/none', version: '7', log }).fetch,
      port: 0,
      hostname: '127.0.0.1',
    }) as never as AsyncDisposable & { address: () => AddressInfo }
    await until(() => server.address())
    // One connection for all requests, as between a proxy and its program.
    using held = new DisposableStack()
    const agent = held.adopt(new Agent({ keepAlive: true, maxSockets: 1 }), (agent) => agent.destroy())
    const ports = new Set<number | undefined>()
    const post = (body: string, chunks: number) =>
      new Promise<number | undefined>((resolve, reject) => {
        const { port } = server.address()
        const options = { host: '127.0.0.1', port, path: '/texts', method: 'POST', agent }
        const sending = request(options, (answer) => {
          ports.add(sending.socket?.localPort)
          answer.resume().once('end', () => resolve(answer.statusCode))
        }).once('error', reject)
        for (let at = 0; at < chunks; at++) sending.write(body)
        sending.end()
      })
    for (let round = 0; round < 3; round++) {
      expect([await post('word '.repeat(100_000), 12), await post(' ', 1)]).toEqual([413, 400])
    }
    expect(ports.size).toBe(1)
  })

  it('refuses an empty text, one that is too large, and a text it does not know', async () => {
    expect((await ask('/texts', { method: 'POST', body: ' \n' })).status).toBe(400)
    // It takes this one, and fails later; it refuses one byte more.
    const largest = 'w '.repeat(2_500_000)
    const app = webTier({ ...cloud, bucket: 'no-such-bucket', queueUrl: '', version: '7', log })
    expect((await app.request('/texts', { method: 'POST', body: largest })).status).toBe(503)
    expect((await app.request('/texts', { method: 'POST', body: `${largest}w` })).status).toBe(413)
    expect((await ask('/texts/00000000-0000-4000-8000-000000000000')).status).toBe(404)
  })

  it('writes why it failed into its log, and not into the response', async () => {
    const lines: string[] = []
    const app = webTier({
      ...cloud,
      bucket: 'no-such-bucket',
      queueUrl: '',
      version: '7',
      log: (line) => lines.push(line),
    })
    const response = await app.request('/texts', { method: 'POST', body: 'a' })
    expect([response.status, await response.text()]).toEqual([503, expect.not.stringContaining('no-such-bucket')])
    // What is no id it does not look for.
    expect((await app.request('/texts/..%2F')).status).toBe(404)
    expect(lines).toEqual([expect.stringMatching(/PutObject of no-such-bucket/)])
  })

  it('has a page that sends a text, shows how much is counted, and then the words, or why there are none', async () => {
    await using queues = await makeQueues(cloud.sqs)
    const app = webTier({ ...cloud, bucket, queueUrl: queues.urls.jobs, version: '7', log })
    const worker = workerTier({ s3: cloud.s3, bucket, log })
    const [, script = ''] = /<script>(.*)<\/script>/s.exec(await (await app.request('/')).text()) ?? []
    const form = { text: { value: '' }, onsubmit: async (_: object) => {} }
    const page = { form, progress: { hidden: true, value: 0 }, pre: { textContent: '' } }
    const seen: unknown[] = []
    const parts = receiveAll(cloud.sqs, queues.urls.jobs, signal())
    runInNewContext(script, {
      document: { querySelector: (name: keyof typeof page) => page[name] },
      fetch: (path: string, init: RequestInit) => app.request(path, init),
      // While the page waits, a worker counts a part.
      setTimeout: async (resolve: () => void) => {
        seen.push({ ...page.progress, text: page.pre.textContent })
        const { value } = await parts.next()
        await worker.request('/', { method: 'POST', body: JSON.stringify(value) })
        resolve()
      },
    })
    const submit = async (text: string) => {
      form.text.value = text
      await form.onsubmit({ preventDefault: () => {} })
      return page.pre.textContent
    }
    expect(await submit(`${'a '.repeat(9_000)}é`)).toBe('9001 words, 2 distinct\n    9000  a\n       1  é')
    expect(seen).toEqual([
      { hidden: false, value: 0, text: '0 of 2 parts counted' },
      { hidden: false, value: 0.5, text: '1 of 2 parts counted' },
    ])
    expect(page.progress.hidden).toBe(true)
    expect(await submit(' ')).toBe('the body is empty; accepts a text')
  })
})

describe('the daemon', () => {
  /** In place of a status: a 200 whose body breaks off. */
  const brokenOff = -200

  /** A server that records every request and answers with the status from `answer`, with 200 to a GET. */
  async function server(answer: (body: string, deliveries: number) => number | Promise<number>) {
    const requests: { body: string; headers: Record<string, unknown>; status: number }[] = []
    const listener = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += String(chunk)
      const given = { body, headers: request.headers, status: 0 }
      requests.push(given)
      const deliveries = requests.filter((each) => each.body === body).length
      given.status = request.method === 'GET' ? 200 : await answer(body, deliveries)
      if (given.status !== brokenOff) {
        response.writeHead(given.status, given.status < 400 ? { location: '/elsewhere' } : {}).end()
      } else response.writeHead(200, { 'content-length': 10 }).write('half', () => response.destroy())
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

  /** A client of the queue that shows each of its requests before it is sent. */
  function shown(show: (input: Record<string, unknown>, command: string) => void) {
    const client = stack.adopt(sqsClient(cloud.places.queues), (client) => client.destroy())
    client.middlewareStack.add(
      (next, { commandName = '' }) =>
        async (args) => {
          show(args.input as Record<string, unknown>, commandName)
          return await next(args)
        },
      { step: 'initialize' },
    )
    return client
  }

  async function isEmpty(QueueUrl: string) {
    const counts = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const
    const ask = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...counts] })
    const { Attributes = {} } = await cloud.sqs.send(ask)
    return counts.every((name) => Attributes[name] === '0')
  }

  it("posts each message with Beanstalk's headers, and deletes it after 200", async () => {
    await using queues = await makeQueues(cloud.sqs)
    await using application = await server(() => 200)
    for (let at = 0; at < 15; at++) await send(cloud.sqs, queues.urls.jobs, { at })
    await using _ = await daemon(queues.urls.jobs, application.url)
    await until(() => isEmpty(queues.urls.jobs), { timeoutMs: 60_000 })
    const bodies = application.requests.map(({ body }) => body)
    expect(bodies.sort()).toEqual(Array.from({ length: 15 }, (_, at) => JSON.stringify({ at })).sort())
    expect(application.requests[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': expect.stringContaining('aws-sqsd'),
      'x-aws-sqsd-msgid': expect.any(String),
      'x-aws-sqsd-queue': queues.urls.jobs.split('/').at(-1),
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
    const dead = await receiveAll(cloud.sqs, queues.urls.dead, signal()).next()
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

  it.each([204, 302, 307, brokenOff])('takes %i for no success, and follows no redirect', async (status) => {
    await using queues = await makeQueues(cloud.sqs, { tries: 2 })
    await using application = await server(() => status)
    await send(cloud.sqs, queues.urls.jobs, 'undone')
    await using _ = await daemon(queues.urls.jobs, application.url)
    expect((await receiveAll(cloud.sqs, queues.urls.dead, signal()).next()).value).toBe('undone')
    expect(application.requests.map((request) => request.status)).toEqual([status, status])
  })

  it('delivers a message once, even if its work takes longer than the timeout of the queue', async () => {
    // Without a timeout of its own, a delivery would be visible again at once.
    await using queues = await makeQueues(cloud.sqs, { visibilitySeconds: 0, tries: 2 })
    const others = Array.from({ length: 5 }, (_, at) => at)
    const done = Promise.withResolvers<number>()
    await using application = await server((body) => (body === '"long"' ? done.promise : 200))
    await send(cloud.sqs, queues.urls.jobs, 'long')
    await using _ = await daemon(queues.urls.jobs, application.url)
    await until(() => application.requests.length > 0)
    for (const other of others) await send(cloud.sqs, queues.urls.jobs, other)
    await until(() => application.requests.filter(({ status }) => status === 200).length >= others.length)
    done.resolve(200)
    await until(() => isEmpty(queues.urls.jobs))
    expect(application.requests.map(({ body }) => body).sort()).toEqual(['"long"', ...others.map(String)].sort())
    expect(await isEmpty(queues.urls.dead)).toBe(true)
  })

  it('hides a message for ten seconds longer than the application may take', async () => {
    await using queues = await makeQueues(cloud.sqs)
    const asked: unknown[] = []
    const sqs = shown(({ VisibilityTimeout }) => asked.push(VisibilityTimeout))
    for (const [at, options] of [{}, { inactivityTimeoutMs: 1_500 }].entries()) {
      await using _ = await daemon(queues.urls.jobs, 'http://127.0.0.1:1/', { sqs, ...options })
      await until(() => asked.length > at)
    }
    expect(asked).toEqual([309, 12])
  })

  it('takes no more messages than the application gets at once', async () => {
    await using queues = await makeQueues(cloud.sqs)
    const { jobs } = queues.urls
    const [first, others] = [Promise.withResolvers<number>(), Promise.withResolvers<number>()]
    let asked = 0
    await using application = await server(() => (asked++ === 0 ? first.promise : others.promise))
    for (let at = 0; at < 25; at++) await send(cloud.sqs, jobs, at)
    await using _ = await daemon(jobs, application.url)
    await until(() => asked === 10)
    first.resolve(200)
    await until(() => asked > 10)
    const hidden = { QueueUrl: jobs, AttributeNames: ['ApproximateNumberOfMessagesNotVisible' as const] }
    const { Attributes } = await cloud.sqs.send(new GetQueueAttributesCommand(hidden))
    others.resolve(200)
    expect(Attributes).toEqual({ ApproximateNumberOfMessagesNotVisible: '10' })
    await until(() => isEmpty(jobs))
  })

  it('fails when the queue refuses to delete a message', async () => {
    await using queues = await makeQueues(cloud.sqs)
    await using application = await server(() => 200)
    const sqs = shown((_, command) => {
      if (command === 'DeleteMessageCommand') throw new Error('not allowed')
    })
    await send(cloud.sqs, queues.urls.jobs, 1)
    const { running } = await daemon(queues.urls.jobs, application.url, { sqs })
    await expect(running).rejects.toThrow('not allowed')
  })

  it.each([200, 500])('goes on when a message is no longer its own at an answer of %i', async (status) => {
    await using queues = await makeQueues(cloud.sqs)
    const { jobs } = queues.urls
    const purged = Promise.withResolvers<void>()
    await using application = await server(async (body) => {
      if (body !== '"lost"') return 200
      await purged.promise
      return status
    })
    await send(cloud.sqs, jobs, 'lost')
    await using running = await daemon(jobs, application.url)
    await until(() => application.requests.length === 1)
    await cloud.sqs.send(new PurgeQueueCommand({ QueueUrl: jobs }))
    purged.resolve()
    await until(() => application.requests[0]?.status === status)
    await send(cloud.sqs, jobs, 'next')
    await until(() => application.requests.some(({ body }) => body === '"next"'))
    await until(() => isEmpty(jobs))
    await running[Symbol.asyncDispose]()
  })

  it('hands over every attribute that a header can carry, encoded where a header could not', async () => {
    await using queues = await makeQueues(cloud.sqs)
    await using application = await server(() => 200)
    const text = (StringValue: string) => ({ DataType: 'String', StringValue })
    const attributes = {
      binary: { DataType: 'Binary', BinaryValue: Uint8Array.of(1, 2) },
      plain: text('100% of it: "a=b"'),
      latin: text('naïve'),
      beyond: text('語 😀'),
      lines: text('one\r\nx-injected: two'),
      padded: text(' blank at both ends '),
      open: text('blank at its end '),
      half: text('\ud800'),
      signs: text("é!'(*)"),
      number: { DataType: 'Number', StringValue: '7' },
    }
    const message = { QueueUrl: queues.urls.jobs, MessageBody: '1', MessageAttributes: attributes }
    await cloud.sqs.send(new SendMessageCommand(message))
    await using _ = await daemon(queues.urls.jobs, application.url)
    await until(() => isEmpty(queues.urls.jobs))
    const { headers } = application.requests[0] ?? { headers: {} }
    const names = Object.keys(headers).filter((name) => /attr|injected/.test(name))
    const given = names.map((name) => [name.replace('x-aws-sqsd-attr-', ''), String(headers[name])] as const)
    // The characters that RFC 8187 allows unencoded.
    const decoded = (name: string, value: string) =>
      name.endsWith('*') ? decodeURIComponent(/^UTF-8''([\w!#$&+.^`|~%-]*)$/.exec(value)?.[1] ?? 'not encoded') : value
    expect(Object.fromEntries(given.map(([name, value]) => [name, decoded(name, value)]))).toEqual({
      plain: '100% of it: "a=b"',
      'latin*': 'naïve',
      'beyond*': '語 😀',
      'lines*': 'one\r\nx-injected: two',
      'padded*': ' blank at both ends ',
      'open*': 'blank at its end ',
      'half*': '\ufffd',
      'signs*': "é!'(*)",
      number: '7',
    })
  })

  it.each([
    ['values', 'large', 4_000, 1],
    ['names', 'n'.repeat(200), 600, 7],
  ])('delivers a message with more attributes than a server takes as headers, for their %s', async (...given) => {
    const [, name, length, most] = given
    await using queues = await makeQueues(cloud.sqs)
    await using application = await server(() => 200)
    const large = { DataType: 'String', StringValue: 'x'.repeat(length) }
    const MessageAttributes = Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`${name}${at}`, large]))
    await cloud.sqs.send(new SendMessageCommand({ QueueUrl: queues.urls.jobs, MessageBody: '1', MessageAttributes }))
    await using _ = await daemon(queues.urls.jobs, application.url)
    await until(() => isEmpty(queues.urls.jobs))
    expect(application.requests.map(({ status }) => status)).toEqual([200])
    const headers = Object.keys(application.requests[0]?.headers ?? {})
    expect(headers.filter((header) => header.startsWith(`x-aws-sqsd-attr-${name}`))).toHaveLength(most)
  })

  it('delivers a message of which the queue says no more than its text', async () => {
    await using queues = await makeQueues(cloud.sqs)
    await using application = await server(() => 200)
    await send(cloud.sqs, queues.urls.jobs, 'text')
    const sqs = shown(() => {})
    sqs.middlewareStack.add(
      (next) => async (args) => {
        const answer = await next(args)
        for (const message of (answer.output as { Messages?: Message[] }).Messages ?? []) delete message.Attributes
        return answer
      },
      { step: 'initialize' },
    )
    await using _ = await daemon(queues.urls.jobs, application.url, { sqs })
    await until(() => isEmpty(queues.urls.jobs))
    expect(application.requests.map(({ body }) => body)).toEqual(['"text"'])
  })

  it('delivers what was on its way when it is told to stop', async () => {
    await using queues = await makeQueues(cloud.sqs, { visibilitySeconds: 3600 })
    const { jobs } = queues.urls
    await using application = await server(() => 200)
    await using link = await slowLink(cloud.places.queues, 200)
    if (!link) throw new Error('the queue is not on this machine')
    const far = stack.adopt(sqsClient(link.place), (client) => client.destroy())
    const running = await daemon(jobs, application.url, { sqs: far })
    await send(cloud.sqs, jobs, 'on its way')
    await untilHeld(cloud.sqs, jobs, 1, signal())
    await running[Symbol.asyncDispose]()
    expect(application.requests.map(({ status }) => status)).toEqual([200])
    expect(await isEmpty(jobs)).toBe(true)
  })

  it('ends although the queue does not answer any more', async () => {
    await using silent = await startProxy({ port: Number(new URL(cloud.places.queues.url ?? '').port) })
    silent.block()
    const place = { ...cloud.places.queues, url: `http://${silent.host}:${silent.port}` }
    const sqs = stack.adopt(sqsClient(place), (client) => client.destroy())
    const running = await daemon(`${place.url}/000000000000/any`, 'http://127.0.0.1:1/', { sqs })
    await until(() => silent.connections > 0)
    await running[Symbol.asyncDispose]()
  })

  it('fails when the queue does', async () => {
    const { running } = await daemon(`${cloud.places.queues.url}/000000000000/no-such-queue`, 'http://127.0.0.1:1/')
    await expect(running).rejects.toThrow(/ReceiveMessage of no-such-queue/)
  })
})

describe('a bundle', () => {
  it("has a Procfile, a program, no dependencies, and Beanstalk's nginx take what the program takes", async () => {
    const bundle = await bundleTier('web', '1')
    // The same content has the same bytes.
    expect(Buffer.from(await bundleTier('web', '1')).equals(bundle)).toBe(true)
    const files = Object.entries(unzipSync(bundle)).map(([name, data]) => [name, Buffer.from(data).toString()])
    expect(Object.fromEntries(files)).toEqual({
      Procfile: 'web: node server.mjs\n',
      'package.json': expect.not.stringContaining('dependencies'),
      'server.mjs': expect.stringContaining('createServer'),
      '.platform/nginx/conf.d/texts.conf': 'client_max_body_size 5000000;\n',
    })
  })
})

describe('processes as a platform', () => {
  const procfile = strToU8('web: node server.mjs\n')

  // With the real tiers in machines-examples.long.test.ts.
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

  it('does not let one client disturb another: a program that refuses a request may close its connection', async () => {
    const given = { sqs: cloud.sqs, queueUrl: 'http://127.0.0.1:1/none', signal: signal() }
    await using platform = await localPlatform(given)
    // As servers do that do not want to read the rest of a body: the answer first, and then the end of the connection.
    const program = `import { createServer } from 'node:http'
      createServer((request, response) => {
        if (request.headers['content-length'] === '1') return response.end('ok')
        response.writeHead(413).end()
        request.pause()
        setTimeout(() => request.socket.destroy(), 5)
      }).listen(process.env.PORT, '127.0.0.1')`
    await platform.createVersion(
      'strict',
      zipSync({
        Procfile: procfile,
        'server.mjs': strToU8(program.replace("=== '1'", "=== '1' || request.method === 'GET'")),
      }),
    )
    await platform.createEnvironment({ name: 'strict', tier: 'web', version: 'strict', settings: {} })
    const [environment] = await waitForHealth(platform, ['strict'], { everyMs: 20, signal: signal() })
    const post = async (body: string) => (await fetch(`${environment?.cname}/`, { method: 'POST', body })).status
    for (let round = 0; round < 5; round++) {
      await Promise.all([post('too long'), post('too long')])
      const small = await Promise.all([1, 2, 3, 4].map(() => post('x')))
      expect(small).toEqual([200, 200, 200, 200])
    }
  })

  it('does not let a client that breaks off disturb another', async () => {
    await using queues = await makeQueues(cloud.sqs)
    await using platform = await localPlatform({ sqs: cloud.sqs, queueUrl: queues.urls.jobs, signal: signal() })
    await platform.createVersion('1', await bundleTier('web', '1'))
    const settings = { BUCKET: bucket, QUEUE_URL: queues.urls.jobs, ...placesForWorkers(cloud.places) }
    await platform.createEnvironment({ name: 'web', tier: 'web', version: '1', settings })
    const [{ cname = '' } = {}] = await waitForHealth(platform, ['web'], { everyMs: 20, signal: signal() })
    const url = new URL('/texts', cname)
    const breakOff = async (headers: Record<string, number>) => {
      const sending = request(url, { method: 'POST', headers }).on('error', () => {})
      await new Promise((resolve) => sending.write(Buffer.alloc(300_000, 'word '), resolve))
      sending.destroy()
    }
    for (let round = 0; round < 5; round++) {
      await Promise.all([breakOff({ 'content-length': 4_000_000 }), breakOff({})])
      const others = [1, 2, 3, 4].map(async () => (await fetch(url, { method: 'POST', body: 'x' })).status)
      expect(await Promise.all(others)).toEqual([202, 202, 202, 202])
    }
  })

  it('ends a program that hangs, and lets its messages come again', async () => {
    await using queues = await makeQueues(cloud.sqs, { visibilitySeconds: 3600 })
    const { jobs } = queues.urls
    // As many as it gets at once: then no request for more is under way, which would take what comes again.
    const held = Array.from({ length: 10 }, (_, at) => at)
    {
      await using platform = await localPlatform({ sqs: cloud.sqs, queueUrl: jobs, signal: signal() })
      const program = `import { createServer } from 'node:http'
        createServer(({ method }, response) => method === 'GET' && response.end()).listen(process.env.PORT, '127.0.0.1')`
      await platform.createVersion('hangs', zipSync({ Procfile: procfile, 'server.mjs': strToU8(program) }))
      await platform.createEnvironment({ name: 'hangs', tier: 'worker', version: 'hangs', settings: {} })
      await waitForHealth(platform, ['hangs'], { everyMs: 20, signal: signal() })
      for (const value of held) await send(cloud.sqs, jobs, value)
      await untilHeld(cloud.sqs, jobs, held.length, signal())
    }
    const back = new Set<unknown>()
    for await (const value of receiveAll(cloud.sqs, jobs, signal())) {
      if (back.add(value).size === held.length) break
    }
    expect(back).toEqual(new Set(held))
  })

  it('turns red when its program dies, and then answers 502', async () => {
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
    expect((await fetch(`${environment?.cname}/`)).status).toBe(502)
  })
})
