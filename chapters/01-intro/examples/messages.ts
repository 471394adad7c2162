/**
 * messages: what it costs to hand data to a thread, by clone, transfer or sharing, and to another process
 *
 *     pnpm --filter 01-intro start messages
 *     pnpm --filter 01-intro start messages --sizes 1kB,1MB,64MB
 *
 * Each time is a round trip: the data goes out, the receiver adds all of it up, and its answer comes back. "here" is
 * the same sum on the thread that has the data, without any message.
 *
 * Look for: the flat part on the left of the picture, where a message costs the same however small it is; the slopes on
 * the right; and the size at which a second thread becomes worth its messages, for work from light to heavy.
 */
import { coreCount } from '@repo/common/cores'
import { example } from '@repo/common/example/example'
import { UsageError } from '@repo/common/example/usage'
import { linePlot } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { bytes, count, milliseconds, table } from '@repo/common/output/terminal'
import { mobyDick } from '@repo/common/workloads/texts'
import { breakEven, measureWorks, messagesOf, workPerByte } from '../src/messages/break-even.ts'
import { copies, measureTrips, type Send, sizeList, startReceivers, type Trips } from '../src/messages/round-trips.ts'

/** Four ways to hand over the same numbers: three to a worker thread, one to a child process. */
// #region ways
export const ways = {
  // Both threads see the same memory; the message only says where it is.
  share: ({ shared: data }, { worker }) => worker.postMessage({ data }),
  // The memory changes owners: this thread has none until the receiver gives it back.
  transfer: ({ plain: data }, { worker }) => worker.postMessage({ data, giveBack: true }, [data.buffer]),
  // The receiver gets a copy, a structured clone.
  clone: ({ plain: data }, { worker }) => worker.postMessage({ data }),
  // The receiver gets a copy, and the operating system carries it from one process to the other.
  process: ({ plain: data }, { child }) => child.send({ data }),
} satisfies Record<string, Send>
// #endregion ways
type Way = keyof typeof ways

const names = {
  share: 'shared memory',
  transfer: 'transfer',
  clone: 'structured clone',
  process: 'to a process',
}
const wayNames = Object.keys(names) as Way[]
const columns = { here: 'here, no message', ...names }
const shown = Object.keys(columns) as (keyof typeof columns)[]

export default example(import.meta, {
  options: {
    sizes: sizeList
      .default([1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6, 16e6, 64e6, 256e6])
      .describe('sizes of the data to hand over'),
  },
  quick: { sizes: [1e3, 16e3, 256e3, 4e6, 32e6] },

  async run({ sizes }, { signal, print, picture }) {
    const largest = Math.max(...sizes)
    const available = process.availableMemory()
    if (copies * largest > available) {
      const most = `sizes up to ${bytes(available / copies)}: at times there are ${copies} copies, and ${bytes(available)} of memory is left`
      throw new UsageError('--sizes', bytes(largest), most)
    }
    print(`From ${bytes(sizes[0] ?? 0)} to ${bytes(largest)}, to a thread and to a process, there and back …`)
    await using receivers = await startReceivers(signal)

    // The time of a round trip, for each way and size.
    using bar = progress('handing data over', sizes.length)
    const rows: Trips<Way>[] = []
    for (const size of sizes) {
      rows.push(await measureTrips(receivers, ways, size, signal))
      bar.update(rows.length)
    }
    // The time that real work takes per byte gives the size at which it becomes worth a message.
    const text = mobyDick().map((chapter) => chapter.text)
    const works = await measureWorks(text.join('\n'), signal)
    const pays = works.map(({ work, nsPerByte }) => {
      const from = wayNames.map((way) => [way, breakEven(messagesOf(rows, way), nsPerByte) ?? null])
      return { work, nsPerByte, from: Object.fromEntries(from) as Record<Way, number | null> }
    })

    const svg = linePlot({
      title: 'What it costs to hand data over',
      subtitle: `there and back, the receiver adds it up; median, ${coreCount()} cores`,
      x: { label: 'size', type: 'log', ticks: 6, tickFormat: (size) => bytes(Number(size)) },
      y: { label: 'time', type: 'log', ticks: 6, tickFormat: (ms) => milliseconds(Number(ms)) },
      marginLeft: 80,
      series: shown.map((way) => ({
        name: columns[way],
        points: rows.map((row) => ({ x: row.bytes, y: row[way].ms })),
        style: way === 'here' ? 'dashed' : 'line',
      })),
    })
    const result = { cores: coreCount(), rows, pays, picture: await picture('messages.svg', svg) }

    const perWay = (unit: string, cell: (trip: { ms: number; gigabytesPerSecond: number }) => string) =>
      table(
        [unit, ...Object.values(columns)],
        rows.map((row) => [bytes(row.bytes), ...shown.map((way) => cell(row[way]))]),
      )
    const largestClone = messagesOf(rows, 'clone').at(-1) ?? { bytes: largest, ms: Number.NaN }
    print(
      '',
      perWay('microseconds', ({ ms }) => count(Math.round(1e3 * ms))),
      '',
      perWay('GB/s', ({ gigabytesPerSecond }) => gigabytesPerSecond.toFixed(2)),
      '',
      'The smallest size at which sending half of the data to a second thread, or process, pays off:',
      table(
        ['work', 'ns per byte', ...Object.values(names)],
        pays.map(({ work, nsPerByte, from }) => [
          work,
          nsPerByte.toFixed(2),
          ...Object.values(from).map((size) => (size === null ? 'never' : bytes(size))),
        ]),
      ),
      '',
      `A clone of ${bytes(largest)} pays off from ${workPerByte(largestClone, 0.5).toFixed(2)} ns of work per byte;`,
      `two threads reach an efficiency of 80 % with ${workPerByte(largestClone, 0.8).toFixed(2)} ns.`,
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ rows, pays }) => {
    const last = rows.at(-1)
    const from = pays.find(({ work }) => work === 'counting words')?.from.clone
    return `${bytes(last?.bytes ?? 0)}: clone ${last?.clone.gigabytesPerSecond.toFixed(1)} GB/s, shared ${last?.share.gigabytesPerSecond.toFixed(1)} GB/s; counting words pays off ${from ? `from ${bytes(from)}` : 'never'}`
  },
})
