import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { drawing, drawTile, escapeTime, tilesOf } from '../../src/workloads/mandelbrot.ts'

const view = { width: 60, height: 40, iterations: 200, centerX: -0.75, centerY: 0, zoom: 1 }

describe('the escape time', () => {
  it('is right for points with known orbits', () => {
    // 0 stays at 0; -1 alternates with 0; -2 ends at 2; the bulb of period 3 has its centre near -1.7549.
    for (const inside of [0, -1, -2, -1.7548776662466927]) expect(escapeTime(inside, 0, 1000)).toBe(1000)
    // 2: 2, 6 …; 1: 1, 2, 5 …; 0.5: 0.5, 0.75, 1.0625, 1.63, 3.15 …
    expect([2, 1, 0.5].map((x) => escapeTime(x, 0, 1000))).toEqual([2, 3, 5])
  })

  it('is the same with and without the closed form for cardioid and disc', () => {
    const point = fc.double({ min: -2, max: 2, noNaN: true })
    fc.assert(
      fc.property(point, point, (x, y) => {
        let [re, im, iteration] = [0, 0, 0]
        while (re * re + im * im <= 4 && iteration < 300) {
          ;[re, im] = [re * re - im * im + x, 2 * re * im + y]
          iteration++
        }
        expect(escapeTime(x, y, 300)).toBe(iteration)
      }),
      { numRuns: 2_000 },
    )
  })

  it('is the same above and below the real axis', () => {
    fc.assert(
      fc.property(fc.double({ min: -2, max: 1, noNaN: true }), fc.double({ min: 0, max: 1.5, noNaN: true }), (x, y) => {
        expect(escapeTime(x, y, 300)).toBe(escapeTime(x, -y, 300))
      }),
    )
  })
})

describe('tiles', () => {
  it('cover every pixel exactly once', () => {
    const side = fc.integer({ min: 1, max: 60 })
    fc.assert(
      fc.property(side, side, side, (width, height, tileSide) => {
        const covered = new Uint8Array(width * height)
        for (const { left, top, right, bottom } of tilesOf({ width, height }, tileSide)) {
          for (let row = top; row < bottom; row++)
            for (let column = left; column < right; column++) covered[row * width + column]++
        }
        expect(covered.every((times) => times === 1)).toBe(true)
      }),
    )
  })

  it('make the same picture whatever their size and order', () => {
    const whole = drawing(view)
    drawTile(whole, { left: 0, top: 0, right: view.width, bottom: view.height })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.infiniteStream(fc.nat()), (side, keys) => {
        const tiled = drawing(view)
        const order = tilesOf(view, side).map((tile) => ({ tile, key: keys.next().value ?? 0 }))
        for (const { tile } of order.sort((a, b) => a.key - b.key)) drawTile(tiled, tile)
        expect(tiled.pixels).toEqual(whole.pixels)
      }),
      { numRuns: 20 },
    )
  })

  it('show only the set in black', () => {
    const whole = drawing(view)
    drawTile(whole, { left: 0, top: 0, right: view.width, bottom: view.height })
    const at = (column: number, row: number) =>
      Array.from(whole.pixels.subarray(3 * (row * 60 + column), 3 * (row * 60 + column) + 3))
    expect(at(30, 20)).toEqual([0, 0, 0])
    expect(at(0, 0)).not.toEqual([0, 0, 0])
  })
})
