/**
 * The Mandelbrot set as pixels in shared memory. Every worker writes its own tiles of one picture, so nothing has to be
 * sent back or merged.
 */

/** What to draw. */
export interface View {
  width: number
  height: number
  /** A point that has not escaped after this number of iterations counts as part of the set. */
  iterations: number
  /** The point in the middle of the picture. */
  centerX: number
  centerY: number
  /** 1 shows 3.5 units from left to right, 2 shows half of that. */
  zoom: number
}

/** What to draw, and the pixels to draw it into. */
export interface Drawing extends View {
  /** width × height pixels, row by row from the top, of three bytes each: red, green, blue. */
  pixels: Uint8Array<SharedArrayBuffer>
}

/** A rectangle of pixels: columns [left, right) of the rows [top, bottom). */
export interface Tile {
  left: number
  top: number
  right: number
  bottom: number
}

/** Returns a drawing with memory for its pixels, all black. */
export function drawing(view: View): Drawing {
  return { ...view, pixels: new Uint8Array(new SharedArrayBuffer(view.width * view.height * 3)) }
}

/** Cuts a picture into tiles of at most `side` × `side` pixels, row by row. */
export function tilesOf({ width, height }: { width: number; height: number }, side: number): Tile[] {
  const tiles: Tile[] = []
  for (let top = 0; top < height; top += side) {
    for (let left = 0; left < width; left += side) {
      tiles.push({ left, top, right: Math.min(left + side, width), bottom: Math.min(top + side, height) })
    }
  }
  return tiles
}

/** Draws one tile, into memory that is shared or not. A tile has the same bytes on every thread. */
export function drawTile(drawing: View & { pixels: Uint8Array }, { left, top, right, bottom }: Tile): void {
  const { width, height, iterations, centerX, centerY, zoom, pixels } = drawing
  const step = 3.5 / (zoom * width)
  for (let row = top; row < bottom; row++) {
    const y = centerY + (height / 2 - row) * step
    for (let column = left; column < right; column++) {
      const x = centerX + (column - width / 2) * step
      paint(pixels, 3 * (row * width + column), escapeTime(x, y, iterations), iterations)
    }
  }
}

/**
 * Returns the number of iterations of z → z² + c until |z| > 2, at most `limit`. The main cardioid and the disc left of
 * it, where points never escape, are known in closed form and cost nothing.
 */
export function escapeTime(x: number, y: number, limit: number): number {
  const q = (x - 0.25) ** 2 + y * y
  if (q * (q + x - 0.25) <= 0.25 * y * y || (x + 1) ** 2 + y * y <= 1 / 16) return limit
  let re = 0
  let im = 0
  let re2 = 0
  let im2 = 0
  let iteration = 0
  while (re2 + im2 <= 4 && iteration < limit) {
    im = 2 * re * im + y
    re = re2 - im2 + x
    re2 = re * re
    im2 = im * im
    iteration++
  }
  return iteration
}

const paletteLength = 256
/** Red, green, blue of each colour: from dark blue through white to amber and back. */
const palette = Uint8Array.from({ length: 3 * paletteLength }, (_, at) => {
  const phase = Math.floor(at / 3) / paletteLength
  const shift = [0.55, 0.6, 0.7][at % 3] ?? 0
  return Math.round(127.5 * (1 - Math.cos(2 * Math.PI * (phase + shift - 0.5))))
})

function paint(pixels: Uint8Array, at: number, iteration: number, limit: number): void {
  const inside = iteration === limit
  // The square root spreads the first iterations, where most points escape, over more colours.
  const color = 3 * (Math.floor(24 * Math.sqrt(iteration)) % paletteLength)
  pixels[at] = inside ? 0 : palette[color]
  pixels[at + 1] = inside ? 0 : palette[color + 1]
  pixels[at + 2] = inside ? 0 : palette[color + 2]
}
