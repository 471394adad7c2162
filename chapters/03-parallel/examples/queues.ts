/**
 * queues: a task queue between processes, and a queue in shared memory that is many times as fast as messages
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 03-parallel start queues
 *     pnpm --filter 03-parallel start queues --producers 3 --consumers 3 --capacity 16
 *     pnpm --filter 03-parallel start queues --kill     # one consumer process is killed in the middle of its task
 *
 * First processes take addresses from a task queue, count their words and put the counts into a result queue; one stop
 * marker for each lets them end (src/queues/process-queues.ts). Then items of 64 bytes pass between threads, through a bounded
 * ring buffer in shared memory (src/ring/ring.ts) and, beside it, by postMessage.
 *
 * Look for: with --kill, the one task that fails and the others that do not; and the items per second.
 */
import { aborted } from '@repo/common/async/abort'
import { example } from '@repo/common/example/example'
import { accepting, flag, wholeNumber, workerCount } from '@repo/common/example/options'
import { interleave } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { count, table, times } from '@repo/common/output/terminal'
import { stateOfTheUnion } from '@repo/common/texts/texts'
import { type ConsumerTask, consume } from '../src/queues/process-queues.ts'
import { type RingResult, RingThreads } from '../src/ring/ring-threads.ts'

const powerOfTwo = (text: string) => {
  const value = /^\d+$/.test(text) ? Number(text) : 0
  return value >= 2 && value <= 2 ** 20 && Number.isInteger(Math.log2(value)) ? value : undefined
}

export default example(import.meta, {
  options: {
    consumers: workerCount(64).describe('consumers: processes first, then threads'),
    producers: workerCount(64).describe('threads that put items into the ring'),
    items: wholeNumber(1_000, 100_000_000).default(1_000_000).describe('items that pass through the ring'),
    capacity: accepting('a power of two from 2 to 1048576', powerOfTwo).default(1024).describe('slots of the ring'),
    kill: flag().describe('have one consumer process killed in the middle of a task'),
  },
  quick: { items: 200_000 },

  async run({ consumers, producers, items, capacity, kill }, { signal, quick, print }) {
    const addresses = stateOfTheUnion()
    print(`${count(addresses.length)} addresses, ${consumers} consumer processes …`)
    using bar = progress('passing items', 1)
    const tasks: ConsumerTask[] = addresses.map((_, address) => ({ address }))
    if (kill) tasks.splice(100, 0, { kill: true })
    const results = await consume(tasks, { consumers, signal })
    const words = results.reduce((sum, { value }) => sum + (typeof value === 'number' ? value : 0), 0)
    const expected = addresses.reduce((sum, { text }) => sum + (text.match(/[a-z']+/gi)?.length ?? 0), 0)
    if (words !== expected) throw new Error(`the consumers counted ${words} words, this process ${expected}`)
    const byProcess = Map.groupBy(results, ({ pid }) => pid)
    const failed = results.flatMap(({ error }) => (error === undefined ? [] : [error]))
    const shares = [...byProcess.values()].map((done) => done.length)
    print(
      `${count(words)} words; the processes took ${shares.join(', ')} tasks.`,
      ...failed.map((error) => `One task failed: ${error}. Another consumer took its place.`),
      '',
    )

    await using threads = new RingThreads(Math.max(2, producers + consumers))
    const each = Math.ceil(items / producers)
    const check = { producers, consumers, items: Math.min(each, 100_000), capacity, check: true }
    // Ctrl-C ends the threads, and with them every wait below.
    const stopped = aborted(signal)
    const checked = await Promise.race([threads.pass(check), stopped])
    const perMillion = (passed: number, pass: () => Promise<RingResult>) => async () => {
      const { ms, taken, wrong } = await Promise.race([pass(), stopped])
      if (wrong > 0 || taken !== passed) throw new Error(`of ${passed} items ${taken} arrived, ${wrong} of them wrong`)
      return (ms * 1e6) / passed
    }
    const posted = Math.ceil(items / 10)
    const echoes = Math.min(2_000, items)
    const texts = Array.from({ length: echoes }, (_, at) => ({ echo: String(at).padStart(64) }))
    const throughProcesses = async () => {
      // From the first task on: what it takes to start a process is another matter.
      let begin = 0
      const echoed = await consume(texts, { consumers: 1, signal, onReady: () => (begin = performance.now()) })
      const ms = performance.now() - begin
      return { ms, taken: echoed.length, wrong: echoed.filter(({ error }) => error).length, lostOrDoubled: 0 }
    }
    const one = { producers: 1, consumers: 1, capacity }
    const timed = await interleave(
      {
        processes: perMillion(echoes, throughProcesses),
        postMessage: perMillion(posted, () => threads.post(posted, 1)),
        batches: perMillion(items, () => threads.post(items, 256)),
        ring: perMillion(items, () => threads.pass({ ...one, items })),
        many: perMillion(each * producers, () => threads.pass({ producers, consumers, items: each, capacity })),
      },
      { rounds: quick ? 3 : 9, signal, onProgress: (done, total) => bar.update(done / total) },
    )
    const rate = (way: keyof typeof timed) => 1e9 / timed[way].ms
    const rows = [
      ['a queue between two processes, one task at a time', rate('processes')],
      ['postMessage, an item in each message', rate('postMessage')],
      ['postMessage, 256 items in each message', rate('batches')],
      [`ring of ${count(capacity)} slots`, rate('ring')],
      [`ring, ${producers} producers, ${consumers} consumers`, rate('many')],
    ] as const
    const ratio = rate('ring') / rate('postMessage')
    print(
      `Through the ring went ${count(checked.taken)} items from ${producers} producers to ${consumers} consumers: ${checked.lostOrDoubled} lost or doubled, ${checked.wrong} damaged or out of order.`,
      '',
      table(
        ['items of 64 bytes from one to the other', 'items/s', 'to postMessage'],
        rows.map(([way, perSecond]) => [way, count(Math.round(perSecond)), times(perSecond / rate('postMessage'))]),
      ),
      '',
      `The ring passes ${times(ratio)} the items per second of postMessage.`,
    )
    if (checked.lostOrDoubled > 0 || checked.wrong > 0)
      throw new Error('the ring lost, doubled, damaged or swapped items')
    const perSecond = Object.fromEntries(Object.keys(timed).map((way) => [way, rate(way as keyof typeof timed)]))
    return { consumers, producers, capacity, tasks: tasks.length, words, failed, checked, perSecond, ratio }
  },
  figure: ({ ratio }) => `the ring passes ${times(ratio)} the items per second of postMessage`,
})
