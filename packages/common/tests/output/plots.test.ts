import { decode } from 'fast-png'
import { parseHTML } from 'linkedom'
import { describe, expect, it } from 'vitest'
import { barPlot, heatMap, linePlot } from '../../src/output/plots.ts'

const parse = (svg: string) => {
  const { document } = parseHTML(`<!doctype html><body>${svg}</body>`)
  return { texts: [...document.querySelectorAll('text')].map((node) => node.textContent), document }
}
const frame = { x: { label: 'workers' }, y: { label: 'speedup' } }

describe('every picture', () => {
  it('is well-formed, has a title and follows the colour scheme', () => {
    const svg = linePlot({
      ...frame,
      title: 'a < b & "c"',
      subtitle: '2 cores',
      series: [{ name: 'x', points: [{ x: 1, y: 1 }] }],
    })
    expect(svg).toMatch(/^<svg [^<>]*aria-label="a &lt; b &amp; &quot;c&quot;"/)
    expect(svg).toMatch(/^<svg [^<>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/)
    expect(svg).toContain('prefers-color-scheme: dark')
    expect(svg).not.toMatch(/&(?!(lt|gt|amp|quot|#\d+);)/)
    expect(parse(svg).texts).toEqual(expect.arrayContaining(['a < b & "c"', '2 cores', 'workers', 'speedup', 'x']))
  })
})

describe('linePlot', () => {
  it('draws a line, a dashed line and dots, each in its legend', () => {
    const points = [
      { x: 1, y: 1 },
      { x: 2, y: 2 },
    ]
    const series = (['line', 'dashed', 'dots'] as const).map((style) => ({ name: style, style, points }))
    const { document, texts } = parse(linePlot({ ...frame, title: 't', series }))
    expect(texts).toEqual(expect.arrayContaining(['line', 'dashed', 'dots']))
    expect(document.querySelectorAll('[aria-label="line"]')).toHaveLength(2)
    expect(document.querySelectorAll('[aria-label="dot"]')).toHaveLength(2)
  })
})

describe('barPlot', () => {
  it('draws a bar as long as its value', () => {
    const { document, texts } = parse(
      barPlot({
        title: 't',
        x: { label: 'ms' },
        bars: [
          { name: 'one', value: 10, label: '10 ms' },
          { name: 'four', value: 40 },
        ],
      }),
    )
    const widths = [...document.querySelectorAll('[aria-label="bar"] rect')].map((bar) =>
      Number(bar.getAttribute('width')),
    )
    expect(widths[1] / widths[0]).toBeCloseTo(4, 5)
    expect(texts).toEqual(expect.arrayContaining(['one', 'four', '10 ms', '40']))
  })
})

describe('heatMap', () => {
  it('has a pixel for each value, darker for larger ones', () => {
    const svg = heatMap({ ...frame, title: 't', values: [0, 0.5, 1, 2], columns: 2, max: 1 })
    const png = decode(Buffer.from(/base64,([^"]+)/.exec(svg)?.[1] ?? '', 'base64'))
    expect(png).toMatchObject({ width: 2, height: 2 })
    const light = [0, 1, 2, 3].map((at) => png.data[3 * at] + png.data[3 * at + 1] + png.data[3 * at + 2])
    expect(light[0]).toBeGreaterThan(light[1])
    expect(light[1]).toBeGreaterThan(light[2])
    expect(light[3]).toBe(light[2])
  })
})
