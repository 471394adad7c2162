/** Web Workers that draw one picture: each free worker takes the next tile. */
import type { Tile, View } from '@repo/common/workloads/mandelbrot'
import type { Drawn, Order } from './mandelbrot.worker.ts'

export interface Picture {
  ms: number
  /** The number of tiles that each worker has drawn. */
  tiles: number[]
}

/** A worker has its next tile before it needs it, so it does not wait for the page between two tiles. */
const tilesAhead = 2

export class DrawingPool {
  readonly #workers: Worker[]
  #reject: (error: Error) => void = () => {}

  constructor(size: number) {
    this.#workers = Array.from(
      { length: size },
      () => new Worker(new URL('./mandelbrot.worker.ts', import.meta.url), { type: 'module' }),
    )
  }

  /**
   * Draws a picture with the first `count` workers.
   *
   * @throws an Error if a worker fails, or the pool is closed
   */
  draw(view: View, tiles: readonly Tile[], count: number, onTile: (drawn: Drawn) => void): Promise<Picture> {
    const { promise, resolve, reject } = Promise.withResolvers<Picture>()
    this.#reject = reject
    const workers = this.#workers.slice(0, count)
    const drawn = workers.map(() => 0)
    let next = 0
    let done = 0
    const post = (worker: Worker, order: Order) => worker.postMessage(order)
    const giveNext = (worker: Worker) => {
      const tile = tiles[next++]
      if (tile) post(worker, { tile })
    }
    const begin = performance.now()
    for (const [at, worker] of workers.entries()) {
      worker.onmessage = ({ data }: MessageEvent<Drawn>) => {
        giveNext(worker)
        drawn[at] = (drawn[at] ?? 0) + 1
        onTile(data)
        if (++done === tiles.length) resolve({ ms: performance.now() - begin, tiles: drawn })
      }
      worker.onerror = ({ message }) => reject(new Error(message || 'a worker could not be started'))
      post(worker, { view })
    }
    for (let ahead = 0; ahead < tilesAhead; ahead++) for (const worker of workers) giveNext(worker)
    return promise
  }

  /** Ends the workers, and with an error what they draw. */
  close(): void {
    for (const worker of this.#workers) worker.terminate()
    this.#reject(new Error('stopped'))
  }
}
