/** A Web Worker that draws tiles: it gets a view when a picture begins, and then one tile after the other. */
import type { Tile, View } from '@repo/common/workloads/mandelbrot'
import { tileDrawer } from './tile-image.ts'

/** What the page posts. */
export type Order = { view: View } | { tile: Tile }

/** What the worker posts: the tile that it has drawn, with its pixels. */
export interface Drawn {
  tile: Tile
  image: Uint8ClampedArray<ArrayBuffer>
}

let draw: ReturnType<typeof tileDrawer> | undefined

self.onmessage = ({ data }: MessageEvent<Order>) => {
  if ('view' in data) draw = tileDrawer(data.view)
  else if (draw) {
    const image = draw(data.tile)
    // Moved, not copied.
    self.postMessage({ tile: data.tile, image } satisfies Drawn, { transfer: [image.buffer] })
  }
}
