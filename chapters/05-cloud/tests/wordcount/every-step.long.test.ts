/**
 * Map and reduce with a fault at every step: a worker that is killed before or after each of its requests has arrived, or
 * gets its notice then; a driver that loses each of its answers once.
 */
import type { ChildProcess } from 'node:child_process'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { s3Client, sqsClient } from '../../src/cloud/clients.ts'
import type { Place } from '../../src/cloud/place.ts'
import { makeQueues } from '../../src/queues.ts'
import { type OpenCloud, openCloud } from '../../src/session/open.ts'
import { temporaryBucket } from '../../src/storage/buckets.ts'
import { countAlone, type StoredText, uploadAddresses } from '../../src/wordcount/addresses.ts'
import { jobsOf, mapReduce, type Report } from '../../src/wordcount/map-reduce.ts'
import { startWorkers } from '../../src/wordcount/workers.ts'
import { type Fault, faultyStore } from '../fixtures/http-faults.ts'

const most = 6
let stack: AsyncDisposableStack
let cloud: OpenCloud
let bucket: string
let texts: StoredText[]

beforeAll(async () => {
  stack = new AsyncDisposableStack()
  cloud = stack.use(await openCloud())
  bucket = stack.use(await temporaryBucket(cloud.s3)).name
  texts = (await uploadAddresses(cloud.s3, bucket, { most })).texts
})
afterAll(() => stack.disposeAsync())

const signal = () => AbortSignal.timeout(90_000)

/** A worker's requests in the order of its work, by what only they have. */
const steps: Record<string, (line: string, body: string) => boolean> = {
  'taking a job': (_, body) => body.includes('MaxNumberOfMessages'),
  'reading a text': (line) => line.startsWith('GET ') && line.includes('/texts/'),
  'writing its result': (line) => line.startsWith('PUT ') && line.includes('/results'),
  'reporting it': (_, body) => body.includes('MessageBody'),
  'deleting its message': (_, body) => body.includes('ReceiptHandle') && !body.includes('VisibilityTimeout'),
}

/** Counts with one worker that meets the fault and, when it has ended, with a healthy one. */
async function countWith(
  isStep: (line: string, body: string) => boolean,
  meet: (worker: ChildProcess) => Fault | undefined,
) {
  await using team = new AsyncDisposableStack()
  const { urls } = team.use(await makeQueues(cloud.sqs, { visibilitySeconds: 2, tries: 5 }))
  const work = { queues: urls, visibilitySeconds: 2 }
  const prefix = `results-${urls.jobs.split('/').at(-1)}/`
  const list = jobsOf(texts, { bucket, prefix, count: 3, repeat: 1 })
  const reports: Report[] = []
  const counting = mapReduce(cloud, urls, list, { signal: signal(), onReport: (report) => reports.push(report) })
  counting.catch(() => {})
  let victim: ChildProcess | undefined
  let met = false
  const store = team.use(
    await faultyStore(cloud.places.storage, (line, body) => {
      if (met || !victim || !isStep(line, String(body))) return undefined
      met = true
      return meet(victim)
    }),
  )
  const far = { ...cloud.places, storage: store.place, queues: store.place }
  const group = team.use(await startWorkers(1, far, work, undefined))
  victim = group.processes[0]?.process
  const exit = await group.processes[0]?.exited
  expect(met).toBe(true)
  team.use(await startWorkers(1, cloud.places, work, undefined))
  const total = await counting
  expect(total.counts).toEqual((await countAlone({ most })).counts)
  expect(total.objects.map(({ key }) => key).sort()).toEqual(texts.map(({ key }) => key).sort())
  return { exit, reports }
}

describe.each(Object.entries(steps))('a worker counts nothing twice and loses nothing', (name, isStep) => {
  it(`when it is killed before ${name}`, async () => {
    const { exit } = await countWith(isStep, (worker) => {
      worker.kill('SIGKILL')
      return { answer: 500, code: 'InternalError' }
    })
    expect(exit?.signal).toBe('SIGKILL')
  })

  it(`when it is killed after ${name}`, async () => {
    const { exit } = await countWith(isStep, (worker) => {
      worker.kill('SIGKILL')
      return { lose: true }
    })
    expect(exit?.signal).toBe('SIGKILL')
  })

  it(`when it is told to leave while ${name}`, async () => {
    const { exit, reports } = await countWith(isStep, (worker) => {
      worker.kill('SIGTERM')
      return undefined
    })
    expect(exit).toEqual({ code: 0, signal: null })
    for (const { outcome } of reports) expect(outcome).not.toBe('failed')
  })
})

/** The driver's requests. */
const ofDriver: Record<string, (line: string, body: string) => boolean> = {
  'sending the jobs': (_, body) => body.includes('Entries') && body.includes('MessageBody'),
  'taking reports': (_, body) => body.includes('MaxNumberOfMessages') && body.includes('-results'),
  'deleting reports': (_, body) => body.includes('Entries') && body.includes('ReceiptHandle'),
  'reading a result': (line) => line.startsWith('GET ') && line.includes('/results'),
}

it.each(Object.entries(ofDriver))(
  'a driver adds up everything once when it loses the answer to %s',
  async (_, isStep) => {
    await using team = new AsyncDisposableStack()
    const { urls } = team.use(await makeQueues(cloud.sqs, { visibilitySeconds: 2, tries: 5 }))
    team.use(await startWorkers(1, cloud.places, { queues: urls, visibilitySeconds: 2 }, undefined))
    let lost = 0
    const store = team.use(
      await faultyStore(cloud.places.storage, (line, body) =>
        isStep(line, String(body)) && lost++ === 0 ? { lose: true } : undefined,
      ),
    )
    const place: Place = store.place
    const s3 = team.adopt(s3Client(place), (client) => client.destroy())
    const sqs = team.adopt(sqsClient(place), (client) => client.destroy())
    const list = jobsOf(texts, { bucket, prefix: `results-${urls.jobs.split('/').at(-1)}/`, count: 3, repeat: 1 })
    const total = await mapReduce({ s3, sqs }, urls, list, { signal: signal() })
    expect(lost).toBeGreaterThan(0)
    expect(total.counts).toEqual((await countAlone({ most })).counts)
    expect(total.objects).toHaveLength(most)
  },
)
