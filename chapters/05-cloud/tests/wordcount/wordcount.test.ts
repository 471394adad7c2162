import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { until } from '@repo/common/async/until'
import { startProxy } from '@repo/common/servers/proxy'
import { wordsOf } from '@repo/common/workloads/shingles'
import { stateOfTheUnion } from '@repo/common/workloads/texts'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Cloud } from '../../src/cloud/clients.ts'
import { simulateInstanceMetadata, spotNotice } from '../../src/local/instance-metadata.ts'
import { makeQueues, send, sendAll, untilHeld } from '../../src/queues.ts'
import { openCloud } from '../../src/session/open.ts'
import { temporaryBucket } from '../../src/storage/buckets.ts'
import { addressKey, countAlone, decadeOf, type StoredText, uploadAddresses } from '../../src/wordcount/addresses.ts'
import { interruptionOf } from '../../src/wordcount/interruption.ts'
import { jobsOf, mapReduce, type Report } from '../../src/wordcount/map-reduce.ts'
import { wordsByDecade } from '../../src/wordcount/report.ts'
import { countWords, WordCounter } from '../../src/wordcount/word-counter.ts'
import { addCounts, topWords, wordsIn } from '../../src/wordcount/words.ts'
import { startWorkers } from '../../src/wordcount/workers.ts'

let stack: AsyncDisposableStack
let cloud: Cloud
let bucket: string

beforeAll(async () => {
  stack = new AsyncDisposableStack()
  cloud = stack.use(await openCloud())
  bucket = stack.use(await temporaryBucket(cloud.s3)).name
})
afterAll(() => stack.disposeAsync())

const signal = () => AbortSignal.timeout(60_000)

describe('words', () => {
  it('are runs of letters and apostrophes in the lower-cased text, in every language', () => {
    const english = { the: 2, "cat's": 1, cat: 1, naïve: 2, x: 1, y: 1 }
    expect(Object.fromEntries(countWords("The cat's the CAT; naïve nai\u0308ve x2y"))).toEqual(english)
    for (const text of ['', ' ', '123 ,;']) expect(countWords(text).size).toBe(0)
    expect(Object.fromEntries(countWords('Мир миру, ёлка'))).toEqual({ мир: 1, миру: 1, ёлка: 1 })
    expect(Object.fromEntries(countWords('A'.repeat(100_000)))).toEqual({ ['a'.repeat(100_000)]: 1 })
    // A script without spaces: cut by a dictionary.
    expect(wordsIn(countWords('我们在云里数单词。'))).toBeGreaterThan(3)
  })

  it('are counted by their bytes as by their strings', () => {
    const unit = fc.oneof(fc.constantFrom('a', 'B', "'", ' '), fc.string({ unit: 'grapheme', maxLength: 1 }))
    fc.assert(
      fc.property(fc.array(fc.string({ unit })), (texts) => {
        const counter = new WordCounter()
        const expected = new Map<string, number>()
        for (const text of texts) {
          const words = wordsOf(text)
          expect(counter.add(Buffer.from(text))).toBe(words.length)
          addCounts(
            expected,
            words.map((word) => [word, 1]),
          )
        }
        expect(counter.counts()).toEqual(expected)
      }),
    )
  })

  it('may be many', () => {
    const letters = [...'abcdefghijklmnop']
    const words = letters.flatMap((a) => letters.flatMap((b) => letters.map((c) => a + b + c)))
    const counter = new WordCounter()
    for (const times of [1, 2]) {
      expect(counter.add(Buffer.from(words.join(' ')))).toBe(4096)
      expect(counter.counts()).toEqual(new Map(words.map((word) => [word, times])))
    }
  })

  it('are the same however texts are divided', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', 'B', "'", ' ', '-') })), (texts) => {
        const parts = new Map<string, number>()
        for (const text of texts) addCounts(parts, countWords(text))
        const whole = countWords(texts.join(' '))
        expect([...parts].sort()).toEqual([...whole].sort())
        expect(wordsIn(parts)).toBe(wordsIn(whole))
      }),
    )
  })

  it('with the same count are in alphabetical order', () => {
    const counts = new Map(Object.entries({ b: 2, c: 3, a: 2, d: 1 }))
    expect(topWords(counts, 3).map(({ word }) => word)).toEqual(['c', 'a', 'b'])
  })

  it('of the addresses add up to what a Unix pipeline counts', async () => {
    // LC_ALL=C tr A-Z a-z | grep -oE "[a-z']+" | sort | uniq -c, over the package's 233 files.
    const { counts } = await countAlone()
    expect([wordsIn(counts), counts.size]).toEqual([1_789_020, 24_183])
    expect(topWords(counts, 3)).toEqual([
      { word: 'the', count: 151_264 },
      { word: 'of', count: 97_345 },
      { word: 'and', count: 61_778 },
    ])
  })

  it('are counted by the plain program once, however often it counts, and Ctrl-C ends it', async () => {
    const { counts } = await countAlone({ most: 3, repeat: 3 })
    expect(counts).toEqual((await countAlone({ most: 3 })).counts)
    const given = AbortSignal.abort(new Error('Ctrl-C'))
    await expect(countAlone({ repeat: 1000, most: 50, signal: given })).rejects.toThrow('abort')
  })

  it('of a decade are those of its addresses', () => {
    const [first] = stateOfTheUnion()
    const key = first ? addressKey(first) : ''
    expect(key).toBe('texts/1790-george-washington.txt')
    expect(decadeOf(key)).toBe(1790)
    const objects = [
      { key: 'texts/1801-a.txt', words: 5 },
      { key, words: 1 },
      { key: 'texts/1799-b.txt', words: 2 },
    ]
    expect(wordsByDecade(objects)).toEqual([
      { decade: 1790, words: 3 },
      { decade: 1800, words: 5 },
    ])
  })
})

describe('jobs', () => {
  it('hold every object once, and about as many bytes each', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 10 }), (bytes, count) => {
        const objects = bytes.map((size, at) => ({ key: `k${at}`, bytes: size }))
        const jobs = jobsOf(objects, { bucket, prefix: 'out/', count, repeat: 1 })
        expect(jobs).toHaveLength(Math.min(count, objects.length))
        expect(jobs.flatMap(({ keys }) => keys).sort()).toEqual(objects.map(({ key }) => key).sort())
        const loads = jobs.map(({ keys }) => keys.reduce((sum, key) => sum + (bytes[Number(key.slice(1))] ?? 0), 0))
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(Math.max(...bytes))
      }),
    )
  })
})

describe('the addresses', () => {
  it('are uploaded once: an object with the same checksum is not sent again', async () => {
    await using own = await temporaryBucket(cloud.s3)
    expect((await uploadAddresses(cloud.s3, own.name, { most: 12 })).uploaded).toBe(12)
    const again = await uploadAddresses(cloud.s3, own.name, { most: 15 })
    expect(again.uploaded).toBe(3)
    expect(again.texts).toHaveLength(15)
  })
})

describe('map and reduce', () => {
  const most = 20
  let alone: Awaited<ReturnType<typeof countAlone>>
  let texts: StoredText[]

  beforeAll(async () => {
    alone = await countAlone({ most })
    texts = (await uploadAddresses(cloud.s3, bucket, { most })).texts
  })

  async function run({ workers = 2, jobs = 10, kill = 0, notice = false, twice = false, visibilitySeconds = 2 }) {
    await using team = new AsyncDisposableStack()
    const { urls } = team.use(await makeQueues(cloud.sqs, { visibilitySeconds, tries: 5 }))
    const work = { queues: urls, visibilitySeconds }
    const list = jobsOf(texts, { bucket, prefix: `results/${urls.jobs.split('/').at(-1)}/`, count: jobs, repeat: 1 })
    if (twice) await sendAll(cloud.sqs, urls.jobs, list)
    const reports: Report[] = []
    const counting = mapReduce({ s3: cloud.s3, sqs: cloud.sqs }, urls, list, {
      signal: signal(),
      onReport: (report) => void reports.push(report),
    })
    counting.catch(() => {})
    // The store does not answer the victims, so each holds two jobs for as long as it lives.
    async function startVictims(count: number, more: object = {}) {
      const proxy = team.use(await startProxy({ port: Number(new URL(cloud.places.storage.url ?? '').port) }))
      proxy.block()
      const storage = { ...cloud.places.storage, url: `http://${proxy.host}:${proxy.port}` }
      const victims = team.use(await startWorkers(count, { ...cloud.places, storage }, { ...work, ...more }, undefined))
      await untilHeld(cloud.sqs, urls.jobs, 2 * count, signal())
      return victims.processes
    }
    if (kill > 0) for (const { process } of await startVictims(kill)) process.kill('SIGKILL')
    if (notice) {
      const metadata = team.use(await simulateInstanceMetadata())
      const [spot] = await startVictims(1, { name: 'spot', metadata: { url: metadata.url, everyMs: 20 } })
      metadata.notify({ action: 'terminate', time: '2026-11-22T10:00:00Z' })
      expect(await spot?.exited).toMatchObject({ code: 0 })
    }
    team.use(await startWorkers(workers, cloud.places, work, undefined))
    const total = await counting
    return { total, reports }
  }

  it('count the same as one pass, with any number of workers', async () => {
    // In the other tests there are one and two.
    const { total } = await run({ workers: 3, jobs: most })
    expect(total.counts).toEqual(alone.counts)
    expect(total.objects).toHaveLength(most)
    expect(total.words).toBe(wordsIn(total.counts))
  })

  it('count nothing twice and miss nothing when workers are killed', async () => {
    const { total, reports } = await run({ workers: 1, jobs: 12, kill: 2 })
    expect(total.counts).toEqual(alone.counts)
    expect(total.objects).toHaveLength(most)
    // The jobs of the victims have come back.
    expect(reports.filter(({ tries }) => tries > 1).length).toBeGreaterThanOrEqual(4)
  })

  it('count nothing twice when a worker puts its jobs back at the notice, from where they come at once', async () => {
    // Jobs that it did not put back would come back too late for this test.
    const { total, reports } = await run({ workers: 1, jobs: 12, notice: true, visibilitySeconds: 3600 })
    expect(total.counts).toEqual(alone.counts)
    const putBack = reports.filter(({ outcome }) => outcome === 'put back')
    expect(putBack.map(({ worker, tries }) => [worker, tries])).toEqual(Array(2).fill(['spot', 1]))
    const again = reports.filter(({ outcome, tries }) => outcome === 'done' && tries === 2)
    expect(again.map(({ job }) => job).sort()).toEqual(putBack.map(({ job }) => job).sort())
  })

  it('count nothing twice when every message is delivered twice', async () => {
    const { total } = await run({ jobs: 10, twice: true })
    expect(total.counts).toEqual(alone.counts)
    expect(total.objects).toHaveLength(most)
  })

  it('fail with the reason when a job is poison, and when no worker is left', async () => {
    await using team = new AsyncDisposableStack()
    const { urls } = team.use(await makeQueues(cloud.sqs, { visibilitySeconds: 1, tries: 2 }))
    const group = team.use(await startWorkers(1, cloud.places, { queues: urls, visibilitySeconds: 1 }, undefined))
    const poison = { id: '1', bucket, keys: ['texts/none.txt'], output: 'results/none.json', repeat: 1 }
    const clients = { s3: cloud.s3, sqs: cloud.sqs }
    await expect(mapReduce(clients, urls, [poison], { signal: signal(), workersGone: group.gone })).rejects.toThrow(
      /^job 1 failed too often and is among the dead letters: GetObject of .*texts\/none.txt .* NoSuchKey/,
    )
    await group.processes[0]?.kill()
    const never = mapReduce(clients, urls, [poison], { signal: signal(), workersGone: group.gone })
    await expect(never).rejects.toThrow('all workers have ended, by SIGKILL')
  })
})

describe('map and reduce at their edges', () => {
  it('of no objects have no words, and need no worker', async () => {
    await using queues = await makeQueues(cloud.sqs)
    const total = await mapReduce(cloud, queues.urls, jobsOf([], { bucket, prefix: 'none/', count: 3, repeat: 1 }), {
      signal: signal(),
    })
    expect(total).toEqual({ counts: new Map(), words: 0, bytes: 0, objects: [] })
  })

  it('count bytes as they are stored: of binary objects, and with a byte order mark', async () => {
    const objects = [
      { key: 'edge/bom.txt', body: Buffer.from('\ufeffthe cat, the hat') },
      { key: 'edge/binary', body: Buffer.from([0xff, 0xfe, 0x00, 0x63, 0x61, 0x74, 0xc3, 0x28, 0x80]) },
      { key: 'edge/empty', body: Buffer.alloc(0) },
    ]
    for (const { key, body } of objects)
      await cloud.s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }))
    await using queues = await makeQueues(cloud.sqs)
    await using _ = await startWorkers(1, cloud.places, { queues: queues.urls, visibilitySeconds: 30 }, undefined)
    const list = jobsOf(
      objects.map(({ key, body }) => ({ key, bytes: body.length })),
      { bucket, prefix: 'edge-results/', count: 2, repeat: 2 },
    )
    const total = await mapReduce(cloud, queues.urls, list, { signal: signal() })
    const sizes = Object.fromEntries(total.objects.map(({ key, bytes }) => [key, bytes]))
    expect(sizes).toEqual({ 'edge/bom.txt': 19, 'edge/binary': 9, 'edge/empty': 0 })
    expect(total.bytes).toBe(28)
    expect(Object.fromEntries(total.counts)).toMatchObject({ the: 2, hat: 1, cat: 2 })
  })

  it('skip messages that are not theirs, in every queue', async () => {
    // A strange message goes to the dead letters a second after its only try. A real job must not, however slow its
    // worker.
    const visibilitySeconds = 60
    await using queues = await makeQueues(cloud.sqs, { visibilitySeconds, tries: 1 })
    const { jobs, results, dead } = queues.urls
    const strange = ['no JSON', '{"job":', 'null', '5', '[]', '{}', '{"job":1}', '{"id":7}', '"text"']
    for (const MessageBody of strange)
      for (const QueueUrl of [jobs, results, dead])
        await cloud.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody }))
    const { texts } = await uploadAddresses(cloud.s3, bucket, { most: 4 })
    await using _ = await startWorkers(1, cloud.places, { queues: queues.urls, visibilitySeconds }, undefined)
    const list = jobsOf(texts, { bucket, prefix: 'strange/', count: 2, repeat: 1 })
    const total = await mapReduce(cloud, queues.urls, list, { signal: signal() })
    expect(total.counts).toEqual((await countAlone({ most: 4 })).counts)
  })
})

describe('a result', () => {
  it.each(['no JSON', 'null', '{}', '{"objects":{},"counts":[]}'])('that is %s fails with one line', async (Body) => {
    await using queues = await makeQueues(cloud.sqs)
    const output = 'spoilt/1.json'
    await cloud.s3.send(new PutObjectCommand({ Bucket: bucket, Key: output, Body }))
    await send(cloud.sqs, queues.urls.results, { job: '1', worker: '1', outcome: 'done', tries: 1, from: 1, to: 2 })
    const job = { id: '1', bucket, keys: [], output, repeat: 1 }
    await expect(mapReduce(cloud, queues.urls, [job], { signal: signal() })).rejects.toThrow(
      'the result of job 1 is not in spoilt/1.json: somebody else has written there',
    )
  })
})

describe('the notice of a spot instance', () => {
  /** A service that answers in its own way; it records the methods of the requests. */
  async function odd(answer: (response: ServerResponse) => unknown) {
    const methods: (string | undefined)[] = []
    const server = createServer(({ method }, response) => {
      methods.push(method)
      if (method === 'PUT') response.end('a token')
      else answer(response)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const dispose = async () => {
      server.closeAllConnections()
      server.close()
    }
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      methods,
      [Symbol.asyncDispose]: dispose,
    }
  }

  it('is no other answer than a notice', async () => {
    const notice = { action: 'stop' as const, time: '2026-11-22T10:00:00Z' }
    const answers = ['<html>', '{}', '{"action":"stay","time":"2026-11-22T10:00:00Z"}', JSON.stringify(notice)]
    // The notice stays: a slow client may give up a request that was answered.
    await using service = await odd((response) => response.end(answers.length > 1 ? answers.shift() : answers[0]))
    expect(await spotNotice(service.url, signal(), 1)).toEqual(notice)
    expect(answers).toHaveLength(1)
  })

  it('is asked for once a round, even if the service accepts no token', async () => {
    await using service = await odd((response) => response.writeHead(401).end())
    const leave = new AbortController()
    const never = spotNotice(service.url, leave.signal, 1)
    await until(() => service.methods.length >= 6)
    leave.abort()
    expect(await never).toBeUndefined()
    expect(service.methods.slice(0, 6)).toEqual(['GET', 'PUT', 'GET', 'GET', 'PUT', 'GET'])
  })

  it('is requested with a token, and returned when it appears', async () => {
    await using metadata = await simulateInstanceMetadata()
    expect((await fetch(`${metadata.url}/latest/meta-data/spot/instance-action`)).status).toBe(401)
    expect((await fetch(`${metadata.url}/latest/api/token`, { method: 'PUT' })).status).toBe(400)
    const leave = new AbortController()
    const waiting = spotNotice(metadata.url, leave.signal, 20)
    const notice = { action: 'terminate' as const, time: '2026-11-22T10:00:00Z' }
    metadata.notify(notice)
    expect(await waiting).toEqual(notice)
    await using silent = await simulateInstanceMetadata()
    const never = spotNotice(silent.url, leave.signal, 20)
    leave.abort()
    expect(await never).toBeUndefined()
  })

  it('shortens the time that jobs sit idle', () => {
    const done = { worker: 'other', outcome: 'done' as const, to: 90 }
    const back = { job: '1', worker: 'spot', outcome: 'put back' as const, tries: 1, from: 5, to: 20 }
    const reports = [back, { ...done, job: '1', tries: 2, from: 30 }]
    expect(interruptionOf({ reports, marks: [10, 40] })).toEqual({ putBack: 1, again: 1, idleMs: 10 })
    const unheeded = [{ ...done, job: '1', tries: 2, from: 75 }]
    expect(interruptionOf({ reports: unheeded, marks: [10, 40] })).toEqual({ putBack: 0, again: 1, idleMs: 35 })
    expect(interruptionOf({ reports: [], marks: [] })).toEqual({ putBack: 0, again: 0, idleMs: 0 })
  })
})
