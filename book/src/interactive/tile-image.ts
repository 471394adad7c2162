/** A tile of the Mandelbrot set, as a canvas wants it. The kernel is that of chapter 3. */
import { drawTile, type Tile, type View } from '@repo/common/workloads/mandelbrot'

/**
 * Returns a function that draws tiles of a view. Its results have four bytes for each pixel, row by row: red, green, blue
 * and 255. Pages rarely may share memory between threads, so a thread has a picture of its own and hands tiles out.
 */
export function tileDrawer(view: View): (tile: Tile) => Uint8ClampedArray<ArrayBuffer> {
  const { width, height } = view
  const pixels = new Uint8Array(3 * width * height)
  return (tile) => {
    drawTile({ ...view, pixels }, tile)
    const { left, top, right, bottom } = tile
    const image = new Uint8ClampedArray(4 * (right - left) * (bottom - top)).fill(255)
    let to = 0
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++, to += 4) {
        const from = 3 * (row * width + column)
        image.set(pixels.subarray(from, from + 3), to)
      }
    }
    return image
  }
}
