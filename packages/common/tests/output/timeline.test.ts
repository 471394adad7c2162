import { parseHTML } from 'linkedom'
import { expect, it } from 'vitest'
import { timeline } from '../../src/output/timeline.ts'

interface Box {
  x: number
  y: number
  width: number
  height: number
  opacity: number
}

/** The picture's texts, and the boxes of each colour. */
function read(svg: string) {
  const { document } = parseHTML(`<!doctype html><body>${svg}</body>`)
  const number = (node: { getAttribute(name: string): string | null }, name: string) =>
    Number(node.getAttribute(name) ?? 1)
  const boxes = new Map<string, Box[]>()
  for (const group of document.querySelectorAll('[aria-label="rect"]')) {
    boxes.set(
      group.getAttribute('fill') ?? '',
      [...group.querySelectorAll('rect')].map((rect) => ({
        x: number(rect, 'x'),
        y: number(rect, 'y'),
        width: number(rect, 'width'),
        height: number(rect, 'height'),
        opacity: number(rect, 'fill-opacity'),
      })),
    )
  }
  return { document, texts: [...document.querySelectorAll('text')].map((node) => node.textContent), boxes }
}

it('draws a box for each span, as long as the span, in a row with a name', () => {
  const { texts, boxes } = read(
    timeline<'sort' | 'merge' | 'never used'>({
      title: 'Who sorted when',
      subtitle: 'on two cores',
      kinds: { sort: { color: 'red' }, merge: { color: 'blue' }, 'never used': {} },
      rows: [
        { name: 'worker 1', spans: [{ kind: 'sort', from: 0, to: 100 }] },
        {
          name: 'worker 2',
          spans: [
            { kind: 'sort', from: 100, to: 300 },
            { kind: 'merge', from: 300, to: 400 },
          ],
          note: 'the last one',
        },
      ],
    }),
  )
  expect(texts).toEqual(
    expect.arrayContaining([
      'Who sorted when',
      'on two cores',
      'worker 1',
      'worker 2',
      'sort',
      'merge',
      'the last one',
      'ms',
    ]),
  )
  expect(texts).not.toContain('never used')
  const [first, second] = boxes.get('red') ?? []
  const [third] = boxes.get('blue') ?? []
  if (!first || !second || !third) throw new Error('boxes are missing')
  expect(second.width / first.width).toBeCloseTo(2, 5)
  expect(second.x).toBeCloseTo(first.x + first.width, 5)
  expect(third.x).toBeCloseTo(second.x + second.width, 5)
  expect(second.y).toBeGreaterThanOrEqual(first.y + first.height)
  expect(third.y).toBe(second.y)
})

it('has an axis in seconds for two seconds and more', () => {
  const spans = [{ kind: 'up' as const, from: 0, to: 2_000 }]
  expect(read(timeline({ title: '', kinds: { up: {} }, rows: [{ name: 'a', spans }] })).texts).toContain('seconds')
})

it('shows even the shortest span, and where neighbours touch', () => {
  const spans = [
    { kind: 'chunk' as const, from: 0, to: 500 },
    { kind: 'chunk' as const, from: 500, to: 900 },
    { kind: 'chunk' as const, from: 990, to: 990.001 },
    { kind: 'chunk' as const, from: 999, to: 1_000 },
  ]
  const { boxes } = read(timeline({ title: '', kinds: { chunk: { color: 'red' } }, rows: [{ name: 'a', spans }] }))
  const drawn = boxes.get('red') ?? []
  expect(drawn.map(({ opacity }) => opacity)).toEqual([1, 0.6, 1, 1])
  for (const { width } of drawn) expect(width).toBeGreaterThanOrEqual(2 - 1e-9)
})

it('gives each span its own line, or uses as few lines as possible', () => {
  const spans = [
    { kind: 'job' as const, from: 0, to: 10 },
    { kind: 'job' as const, from: 5, to: 15 },
    { kind: 'job' as const, from: 10, to: 20 },
  ]
  const tops = (lines: 'one' | 'each' | 'few') => {
    const drawn = timeline({ title: '', kinds: { job: { color: 'red' } }, rows: [{ name: 'a', spans, lines }] })
    return new Set(
      read(drawn)
        .boxes.get('red')
        ?.map(({ y }) => y),
    ).size
  }
  expect([tops('one'), tops('few'), tops('each')]).toEqual([1, 2, 3])
})

it('draws moments as ticks, dots and signs, and counts them in a strip', () => {
  const kinds = {
    tick: { look: 'tick' },
    dot: { look: 'dot' },
    killed: { look: { sign: '✕' } },
    done: { look: 'density', color: 'green' },
  } as const
  const marks = (['tick', 'dot', 'killed'] as const).map((kind) => ({ kind, at: 600 }))
  const done = [1, 2, 3, 1_200].map((at) => ({ kind: 'done' as const, at }))
  const { document, texts, boxes } = read(
    timeline({
      title: '',
      kinds,
      rows: [
        { name: 'worker', marks },
        { name: 'jobs', marks: done },
      ],
    }),
  )
  expect(document.querySelectorAll('[aria-label="rule"] line')).toHaveLength(1)
  expect(document.querySelectorAll('[aria-label="dot"] circle')).toHaveLength(1)
  // Once in the row and once in the legend.
  expect(texts.filter((text) => text === '✕')).toHaveLength(2)
  expect(texts).toContain('done, at most 3 in 10.0 ms')
  const strip = boxes.get('green') ?? []
  expect(strip).toHaveLength(120)
  expect(strip[0]?.opacity).toBe(1)
  expect(strip[119]?.opacity).toBeCloseTo(Math.sqrt(1 / 3))
  expect(strip.filter(({ opacity }) => opacity > 0)).toHaveLength(2)
})

it('breaks a long legend into lines', () => {
  const names = Array.from({ length: 12 }, (_, at) => `the kind number ${at}`)
  const spans = names.map((kind, at) => ({ kind, from: at, to: at + 1 }))
  const kinds = Object.fromEntries(names.map((name) => [name, {}]))
  const { document } = read(timeline({ title: '', kinds, rows: [{ name: 'a', spans }] }))
  const places = [...document.querySelectorAll('text')].filter((node) => names.includes(node.textContent))
  expect(new Set(places.map((node) => node.getAttribute('y'))).size).toBeGreaterThan(1)
  for (const node of places) expect(Number(node.getAttribute('x'))).toBeLessThan(860)
})
