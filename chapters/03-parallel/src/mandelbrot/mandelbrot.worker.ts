/** A worker thread of the `mandelbrot` example: draws tiles into the picture that all threads share. */

import { type Drawing, drawTile, type Tile } from '@repo/common/workloads/mandelbrot'
import { workerData } from 'piscina'

export default (tile: Tile) => drawTile(workerData as Drawing, tile)
