/**
 * messages: what it costs to hand data to a thread, by clone, transfer or sharing, and to another process
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 01-intro start messages
 *     pnpm --filter 01-intro start messages --sizes 1kB,1MB,64MB
 *
 * Each time is a round trip: the data goes out, the receiver adds all of it up, and its answer comes back. "here" is the
 * same sum on the thread that has the data, without any message.
 *
 * Look for: the flat part on the left of the picture, where a message costs the same however small it is; the slopes on the
 * right; and from which size on a second thread is worth its messages, for work from light to heavy.
 */
import { availableParallelism } from 'node:os'
import { example } from '@repo/common/example/example'
import { UsageError } from '@repo/common/example/usage'
import { linePlot } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { bytes, count, milliseconds, table } from '@repo/common/output/terminal'
import { mobyDick } from '@repo/common/workloads/texts'
import { ascendingList, parseSize } from '../src/lists.ts'
import { breakEven, measureWorks, messagesOf, workPerByte } from '../src/messages/breakeven.ts'
import { copies, measureTrips, startReceivers, type Trips, type Way, ways } from '../src/messages/messages.ts'

const names: Record<Way | 'here', string> = {
  here: 'here, no message',
  share: 'shared memory',
  transfer: 'transfer',
  clone: 'structured clone',
  process: 'to a process',
}
const shown = ['here', ...ways] as const

const sizeList = ascendingList(
  'up to 100 different sizes from 4 B to 1 GB, the smallest first: 1kB,64kB,1MB',
  (text) => {
    // What is sent are numbers of four bytes.
    const size = 4 * Math.floor((parseSize(text) ?? 0) / 4)
    return size >= 4 && size <= 1e9 ? size : undefined
  },
)

export default example(import.meta, {
  options: {
    sizes: sizeList
      .default([1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6, 16e6, 64e6, 256e6])
      .describe('how much is handed over'),
  },
  quick: { sizes: [1e3, 16e3, 256e3, 4e6, 32e6] },

  async run({ sizes }, { signal, print, picture }) {
    const largest = Math.max(...sizes)
    const available = process.availableMemory()
    if (copies * largest > available) {
      const most = `sizes up to ${bytes(available / copies)}: there are ${copies} copies at times, and ${bytes(available)} of memory are left`
      throw new UsageError('--sizes', bytes(largest), most)
    }
    print(`From ${bytes(sizes[0] ?? 0)} to ${bytes(largest)}, to a thread and to a process, there and back …`)
    await using receivers = await startReceivers(signal)
    using bar = progress('handing data over', sizes.length)

    const rows: Trips[] = []
    for (const size of sizes) {
      rows.push(await measureTrips(receivers, size, signal))
      bar.update(rows.length)
    }
    const text = mobyDick().map((chapter) => chapter.text)
    const works = await measureWorks(text.join('\n'), signal)
    const pays = works.map(({ work, nsPerByte }) => {
      const from = ways.map((way) => [way, breakEven(messagesOf(rows, way), nsPerByte) ?? null])
      return { work, nsPerByte, from: Object.fromEntries(from) as Record<Way, number | null> }
    })

    const svg = linePlot({
      title: 'What it costs to hand data over',
      subtitle: `there and back, the receiver adds it up; median, ${availableParallelism()} cores`,
      x: { label: 'size', type: 'log', ticks: 6, tickFormat: (size) => bytes(Number(size)) },
      y: { label: 'time', type: 'log', ticks: 6, tickFormat: (ms) => milliseconds(Number(ms)) },
      marginLeft: 80,
      series: shown.map((way) => ({
        name: names[way],
        points: rows.map((row) => ({ x: row.bytes, y: row[way].ms })),
        style: way === 'here' ? ('dashed' as const) : ('line' as const),
      })),
    })
    const result = { cores: availableParallelism(), rows, pays, picture: await picture('messages.svg', svg) }

    const head = shown.map((way) => names[way])
    const largestClone = messagesOf(rows, 'clone').at(-1)
    print(
      '',
      table(
        ['microseconds', ...head],
        rows.map((row) => [bytes(row.bytes), ...shown.map((way) => count(Math.round(1e3 * row[way].ms)))]),
      ),
      '',
      table(
        ['GB/s', ...head],
        rows.map((row) => [bytes(row.bytes), ...shown.map((way) => row[way].gigabytesPerSecond.toFixed(2))]),
      ),
      '',
      'The size from which handing it to a second thread, or process, pays, while this one does as much itself:',
      table(
        ['work', 'ns per byte', ...ways.map((way) => names[way])],
        pays.map(({ work, nsPerByte, from }) => [
          work,
          nsPerByte.toFixed(2),
          ...ways.map((way) => (from[way] === null ? 'never' : bytes(from[way]))),
        ]),
      ),
      '',
      ...(largestClone
        ? [
            `A clone of ${bytes(largest)} pays from ${workPerByte(largestClone, 0.5).toFixed(2)} ns of work per byte;`,
            `two threads reach an efficiency of 80 % with ${workPerByte(largestClone, 0.8).toFixed(2)} ns.`,
          ]
        : []),
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ rows, pays }) => {
    const last = rows.at(-1)
    const from = pays.find(({ work }) => work === 'counting words')?.from.clone
    return `${bytes(last?.bytes ?? 0)}: clone ${last?.clone.gigabytesPerSecond.toFixed(1)} GB/s, shared ${last?.share.gigabytesPerSecond.toFixed(1)} GB/s; counting words pays ${from ? `from ${bytes(from)}` : 'never'}`
  },
})
