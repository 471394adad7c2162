/** A worker thread of the `mandelbrot` example: draws tiles into the picture that all threads share. */
import { workerData } from 'piscina'
import { type Drawing, drawTile, type Tile } from './mandelbrot.ts'

export default (tile: Tile) => drawTile(workerData as Drawing, tile)
