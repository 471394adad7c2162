/** A tile for a canvas has the pixels of chapter 3's kernel. */
import { drawing, drawTile, tilesOf } from '@repo/common/workloads/mandelbrot'
import { expect, it } from 'vitest'
import { tileDrawer } from '../../src/interactive/tile-image.ts'

it('has the pixels of the kernel, opaque', () => {
  const view = { width: 50, height: 30, iterations: 100, centerX: -0.75, centerY: 0, zoom: 1 }
  const whole = drawing(view)
  drawTile(whole, { left: 0, top: 0, right: 50, bottom: 30 })
  const draw = tileDrawer(view)
  for (const tile of tilesOf(view, 16)) {
    const image = draw(tile)
    expect(image).toHaveLength(4 * (tile.right - tile.left) * (tile.bottom - tile.top))
    let at = 0
    for (let row = tile.top; row < tile.bottom; row++) {
      for (let column = tile.left; column < tile.right; column++, at += 4) {
        const from = 3 * (row * view.width + column)
        expect([...image.subarray(at, at + 4)]).toEqual([...whole.pixels.subarray(from, from + 3), 255])
      }
    }
  }
})
