/**
 * mandelbrot: one picture drawn in tiles by all cores, straight into shared memory
 *
 *     pnpm --filter 03-parallel start mandelbrot
 *     pnpm --filter 03-parallel start mandelbrot --workers 2 --width 800 --height 600
 *     pnpm --filter 03-parallel start mandelbrot --center -0.75,0 --zoom 1 --iterations 500
 *
 * One tile costs more than twenty times as much as another. There are many small tiles, and each free
 * worker takes the next one: so all workers are busy to the end.
 *
 * Look for: the efficiency, and the sha256 of the pixels, which is the same for every number of workers.
 */
import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { aborted } from '@repo/common/async/abort'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { listOf, number, wholeNumber, workerCount } from '@repo/common/example/options'
import { compareWithSerial } from '@repo/common/measure'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds, percent, table, times } from '@repo/common/output/terminal'
import { drawing, drawTile, type Tile, tilesOf } from '@repo/common/workloads/mandelbrot'
import { encode } from 'fast-png'
import { Piscina } from 'piscina'

const tileSide = 128

export default example(import.meta, {
  options: {
    width: wholeNumber(16, 8192).default(2400).describe('pixels from left to right'),
    height: wholeNumber(16, 8192).default(1500).describe('pixels from top to bottom'),
    iterations: wholeNumber(1, 100_000).default(2000).describe('iterations after which a point counts as inside'),
    workers: workerCount().describe('worker threads'),
    center: listOf(number(-4, 4), 'two numbers from -4 to 4, X,Y', { min: 2, max: 2 })
      .default([-0.743643, 0.131825])
      .describe('the point in the middle'),
    zoom: number(0.1, 1e12).default(500).describe('1 shows the whole set'),
  },
  quick: { width: 960, height: 600 },

  async run({ width, height, iterations, workers, center, zoom }, { signal, print, picture }) {
    const [centerX = 0, centerY = 0] = center
    const view = { width, height, iterations, centerX, centerY, zoom }
    const tiles = tilesOf(view, tileSide)
    print(`Drawing ${count(width)} × ${count(height)} points in ${count(tiles.length)} tiles …`)

    // Two pictures: one that this thread draws alone, and one in memory that all workers share.
    const serial = drawing(view)
    const parallel = drawing(view)
    await using pool = new Piscina<Tile, void>({
      filename: new URL('../src/mandelbrot/mandelbrot.worker.ts', import.meta.url).href,
      workerData: parallel,
      minThreads: workers,
      maxThreads: workers,
      // A worker has its next tile before it needs it, so it does not wait for this thread between two tiles.
      concurrentTasksPerWorker: 2,
    })

    // One listener for all tiles: a signal in each task would cost this thread more than handing the task out.
    const stopped = aborted(signal)
    const rounds = 5
    using bar = progress('drawing, in turn on one thread and on the pool', 2 * tiles.length * (rounds + 1))
    let drawn = 0
    const measured = await compareWithSerial(
      {
        workers,
        async serial() {
          for (const tile of tiles) {
            drawTile(serial, tile)
            bar.update(++drawn)
            // Gives Ctrl-C a chance to be heard.
            await setImmediate(undefined, { signal })
          }
        },
        // #region parallel
        // All tiles go into the pool's queue, and each free worker takes the next one.
        async parallel() {
          const done = Promise.all(tiles.map((tile) => pool.run(tile).then(() => bar.update(++drawn))))
          await Promise.race([done, stopped])
        },
        // #endregion parallel
      },
      { rounds, signal },
    )

    const sha256 = createHash('sha256').update(parallel.pixels).digest('hex')
    if (!Buffer.from(serial.pixels.buffer).equals(Buffer.from(parallel.pixels.buffer))) {
      throw new Error('one thread and the pool drew different pixels')
    }
    const png = encode({ width, height, channels: 3, data: parallel.pixels.slice() })
    const drawnTo = await picture('mandelbrot.png', png)
    const { serialMs, parallelMs, speedup, ceiling, efficiency, cores } = measured
    // The same tiles one after the other are the best program on one thread.
    const cost = costOf(serialMs, [{ workers, ms: parallelMs }])
    print(
      '',
      table(
        ['', 'threads', 'time', 'speedup'],
        [
          ['one tile after the other', 1, milliseconds(serialMs), ''],
          ['tiles on the pool', workers, milliseconds(parallelMs), times(speedup)],
          ["this machine's ceiling", workers, '', times(ceiling)],
        ],
      ),
      '',
      `Efficiency ${percent(efficiency)} of the ceiling on ${howMany(cores, 'core')}.`,
      describeCost(cost, 'threads'),
      `sha256 of the pixels: ${sha256}`,
      `Picture: ${drawnTo}`,
    )
    return { width, height, iterations, ...measured, ...cost, sha256, picture: drawnTo }
  },
  figure: ({ width, height, speedup, workers, ceiling, cost }) =>
    `${width} × ${height} points ${times(speedup)} as fast on ${howMany(workers, 'thread')}, ceiling ${times(ceiling)}; COST ${cost}`,
})
