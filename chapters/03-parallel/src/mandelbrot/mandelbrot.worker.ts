/** A pool's worker that draws tiles, into a picture that all workers share. */
import { type Drawing, drawTile, type Tile } from '@repo/common/workloads/mandelbrot'
import { workerData } from 'piscina'

export default (tile: Tile) => drawTile(workerData as Drawing, tile)
