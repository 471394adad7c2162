/**
 * queues: a task queue between processes, and a queue in shared memory that is many times as fast as messages
 *
 *     pnpm --filter 03-parallel start queues
 *     pnpm --filter 03-parallel start queues --producers 3 --consumers 3 --capacity 16
 *     pnpm --filter 03-parallel start queues --kill     # one consumer process is killed in the middle of its task
 *
 * First, consumer processes take addresses from a task queue, count their words, and put the counts into a result
 * queue; a stop marker for each consumer ends it (src/queues/process-queues.ts). Then items of 64 bytes pass from
 * thread to thread through a bounded ring buffer in shared memory (src/ring/ring.ts) and, for comparison, by
 * postMessage.
 *
 * Look for: with --kill, one task fails and no other does; and the items per second.
 */
import { aborted } from '@repo/common/async/abort'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { accepting, flag, wholeNumber, workerCount } from '@repo/common/example/options'
import { interleave } from '@repo/common/measure'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, howMany, table, times } from '@repo/common/output/terminal'
import { wordsOf } from '@repo/common/workloads/shingles'
import { stateOfTheUnion } from '@repo/common/workloads/texts'
import { AsyncQueue } from '../src/queues/async-queue.ts'
import { type ConsumerTask, startConsumers, stop, type TaskResult } from '../src/queues/process-queues.ts'
import { Ring, ringMemory } from '../src/ring/ring.ts'
import { itemBytes, type RingLog, type Seen } from '../src/ring/ring.worker.ts'
import { RingThreads } from '../src/ring/ring-threads.ts'

const powerOfTwo = (text: string) => {
  const value = /^\d+$/.test(text) ? Number(text) : 0
  return value >= 2 && value <= 2 ** 20 && Number.isInteger(Math.log2(value)) ? value : undefined
}

export default example(import.meta, {
  options: {
    consumers: workerCount(64).describe('consumers: processes first, then threads'),
    producers: workerCount(64).describe('threads that put items into the ring'),
    items: wholeNumber(1_000, 100_000_000).default(1_000_000).describe('items that pass through the ring'),
    capacity: accepting('a power of two from 2 to 1048576', powerOfTwo).default(1024).describe('slots in the ring'),
    kill: flag().describe('kill one consumer process in the middle of a task'),
  },
  quick: { items: 200_000 },

  async run({ consumers, producers, items, capacity, kill }, { signal, quick, print }) {
    const addresses = stateOfTheUnion()
    print(`${count(addresses.length)} addresses, ${howMany(consumers, 'consumer process')} …`)
    using bar = progress('passing items', 1)

    // Both queues lie in this process. Its consumers are processes that ask it for tasks and send it results.
    const consume = async (list: ConsumerTask[], consumers: number) => {
      const tasks = new AsyncQueue<ConsumerTask | typeof stop>()
      const results = new AsyncQueue<TaskResult>()
      await using running = await startConsumers(consumers, { tasks, results, signal })
      const begin = performance.now()
      // #region stop-markers
      // A consumer cannot know that a task was the last. A stop marker for each, behind all tasks, tells it.
      for (const task of list) tasks.put(task)
      for (let consumer = 0; consumer < consumers; consumer++) tasks.put(stop)
      const taken: TaskResult[] = []
      while (taken.length < list.length) taken.push(await results.take())
      await running.ended
      // #endregion stop-markers
      return { taken, ms: performance.now() - begin }
    }
    const tasks: ConsumerTask[] = addresses.map((_, address) => ({ address }))
    if (kill) tasks.splice(100, 0, { kill: true })
    const { taken } = await consume(tasks, consumers)
    const words = taken.reduce((sum, { value }) => sum + (typeof value === 'number' ? value : 0), 0)
    const expected = addresses.reduce((sum, { text }) => sum + wordsOf(text).length, 0)
    if (words !== expected) throw new Error(`the consumers counted ${words} words, this process ${expected}`)
    const counted = taken.filter(({ error }) => error === undefined)
    const shares = [...Map.groupBy(counted, ({ pid }) => pid).values()].map(({ length }) => length)
    const failed = taken.flatMap(({ error }) => error ?? [])
    print(
      `${count(words)} words; the processes counted ${shares.join(' and ')} addresses.`,
      ...failed.map((error) => `One more task, which kills, failed: ${error}. Another consumer took its place.`),
      '',
    )

    // The ring: producer threads put items in, consumer threads take them out, all at the same time.
    await using threads = new RingThreads(Math.max(2, producers + consumers))
    const throughRing = async (producers: number, consumers: number, each: number, seen?: Seen) => {
      const memory = ringMemory(capacity, itemBytes)
      const consuming = Array.from({ length: consumers }, (_, at) =>
        threads.run(producers + at, { do: 'consume', memory, seen }),
      )
      const producing = Array.from({ length: producers }, (_, producer) =>
        threads.run(producer, { do: 'produce', memory, producer, items: each }),
      )
      await Promise.all(producing)
      // Nothing more can come. Consumers take what is left, and end.
      new Ring(memory).close()
      return await Promise.all(consuming)
    }
    // Ctrl-C ends the threads, and with them every wait below.
    const stopped = aborted(signal)
    const each = Math.ceil(items / producers)
    const checkedEach = Math.min(each, 100_000)
    const seen = { counts: new Int32Array(new SharedArrayBuffer(4 * producers * checkedEach)), items: checkedEach }
    const logs = await Promise.race([throughRing(producers, consumers, checkedEach, seen), stopped])
    const checked = { ...total(logs), lostOrDoubled: seen.counts.filter((times) => times !== 1).length }
    print(
      `Through the ring went ${count(checked.taken)} items from ${howMany(producers, 'producer')} to ${howMany(consumers, 'consumer')}: ${checked.lostOrDoubled} lost or doubled, ${checked.wrong} damaged or out of order.`,
      '',
    )
    if (checked.lostOrDoubled > 0 || checked.wrong > 0)
      throw new Error('the ring lost, doubled, damaged or swapped items')

    // The same items by every way, in turn; the times are for a million of them.
    const perMillion = (items: number, pass: () => Promise<RingLog[]>) => async () => {
      const begin = performance.now()
      const { taken, wrong } = total(await Promise.race([pass(), stopped]))
      if (wrong > 0 || taken !== items) throw new Error(`of ${items} items ${taken} arrived, ${wrong} of them wrong`)
      return ((performance.now() - begin) * 1e6) / items
    }
    const posted = Math.ceil(items / 10)
    const texts = Array.from({ length: Math.min(2_000, items) }, (_, at) => ({ echo: String(at).padStart(64) }))
    const timed = await interleave(
      {
        processes: async () => ((await consume(texts, 1)).ms * 1e6) / texts.length,
        postMessage: perMillion(posted, async () => [await threads.post(posted, 1)]),
        batches: perMillion(items, async () => [await threads.post(items, 256)]),
        ring: perMillion(items, () => throughRing(1, 1, items)),
        alone: perMillion(items, async () => [await threads.run(0, { do: 'alone', items })]),
        many: perMillion(each * producers, () => throughRing(producers, consumers, each)),
      },
      { rounds: quick ? 3 : 9, signal, onProgress: (done, total) => bar.update(done / total) },
    )
    const labels = {
      processes: 'a queue between two processes, one task at a time',
      postMessage: 'postMessage, an item in each message',
      batches: 'postMessage, 256 items in each message',
      ring: `ring of ${count(capacity)} slots`,
      many: `ring, ${producers} producers, ${consumers} consumers`,
      alone: 'one thread, no queue',
    }
    const ways = Object.keys(labels) as (keyof typeof labels)[]
    const rate = (way: keyof typeof labels) => 1e9 / timed[way].ms
    const ratio = rate('ring') / rate('postMessage')
    // For items that are only made and checked, the best plain program on one thread needs no queue.
    const between = (way: keyof typeof labels, workers = 2) => ({ workers, ms: timed[way].ms })
    const passing = [
      between('postMessage'),
      between('batches'),
      between('ring'),
      between('many', producers + consumers),
    ]
    const cost = costOf(timed.alone.ms, passing)
    print(
      table(
        ['items of 64 bytes from one to the other', 'items/s', 'to postMessage'],
        ways.map((way) => [labels[way], count(Math.round(rate(way))), times(rate(way) / rate('postMessage'))]),
      ),
      '',
      `The ring passes ${times(ratio)} the items per second of postMessage.`,
      `For a million items: ${describeCost(cost, 'threads')}`,
    )
    const perSecond = Object.fromEntries(ways.map((way) => [way, rate(way)]))
    return { consumers, producers, capacity, tasks: tasks.length, words, failed, checked, perSecond, ratio, ...cost }
  },
  figure: ({ ratio, cost }) => `the ring passes ${times(ratio)} the items per second of postMessage; COST ${cost}`,
})

/** What all consumers together took out of a ring. */
function total(logs: RingLog[]) {
  const sum = (of: 'items' | 'wrong') => logs.reduce((sum, log) => sum + log[of], 0)
  return { taken: sum('items'), wrong: sum('wrong') }
}
