import { parseHTML } from 'linkedom'
import { describe, expect, it } from 'vitest'
import { reportPage, type Stop, type Tour } from '../../src/example/report.ts'

const stop = (changes: Partial<Stop>): Stop => ({
  chapter: '03-parallel',
  example: 'similarity',
  shown: 'all pairs',
  figure: '1.9 times as fast',
  ms: 1234,
  pictures: [],
  claims: [],
  failed: false,
  ...changes,
})
const page = (stops: Stop[], changes: Partial<Tour> = {}) =>
  parseHTML(
    reportPage({
      stops,
      chapters: [
        { name: '02-async', title: 'Chapter 2: waiting' },
        { name: '03-parallel', title: 'Chapter 3: threads & pools' },
      ],
      startedAt: new Date(0),
      machine: '2 cores',
      ...changes,
    }),
  ).document
const textsOf = (document: ReturnType<typeof page>, selector: string) =>
  [...document.querySelectorAll(selector)].map((element) => element.textContent?.replaceAll(/\s+/g, ' ').trim())

describe('the report', () => {
  it('has an article for each example below its chapter: figure, time, and how to run it in full', () => {
    const document = page([stop({}), stop({ example: 'sort', figure: 'sorted' }), stop({ chapter: '02-async' })])
    expect(textsOf(document, 'section h2')).toEqual([
      'Chapter 3: threads & pools',
      'Chapter 2: waiting',
      'What to read next',
    ])
    expect(textsOf(document, '[id="03-parallel"] h3')).toEqual(['similarity', 'sort'])
    expect(textsOf(document, '[id="03-parallel"] .figure')).toEqual(['1.9 times as fast', 'sorted'])
    expect(document.querySelector('article')?.textContent).toContain('Took 1.23 s')
    expect(document.querySelector('article')?.textContent).toContain('--filter 03-parallel start similarity')
    expect(textsOf(document, 'header p')[0]).toBe('3 examples ran.')
    expect([...document.querySelectorAll('nav a')].map((link) => link.getAttribute('href'))).toEqual([
      '#03-parallel',
      '#02-async',
      '#next',
    ])
  })

  it('shows pictures, links other files, and repeats why there is none, with paths relative to the page', () => {
    const document = page([
      stop({
        pictures: ['out/03-parallel/50 % #1.svg', 'out\\03-parallel\\a.png', 'out/a.service', 'none (disk full)'],
      }),
    ])
    const pictures = [...document.querySelectorAll('img')]
    expect(pictures.map((img) => img.getAttribute('src'))).toEqual([
      '03-parallel/50%20%25%20%231.svg',
      '03-parallel/a.png',
    ])
    expect(pictures.every((img) => img.getAttribute('alt'))).toBe(true)
    expect(document.querySelector('a[href="a.service"]')?.textContent).toBe('out/a.service')
    expect(document.body.textContent).toContain('Picture: none (disk full)')
    for (const link of document.querySelectorAll('a')) {
      expect(link.getAttribute('href')).toMatch(/^(#|\.\.\/chapters\/|03-parallel\/|a\.service$)/)
    }
  })

  it('says which claims hold, which do not with the figures, and which do not apply and why', () => {
    const document = page([
      stop({
        claims: [
          { says: 'Threads win.', outcome: 'holds' },
          { says: 'The pool is fair.', outcome: 'does not hold here', values: '3 < 5' },
          { says: 'Python is slower.', outcome: 'not applicable', values: 'no Python' },
        ],
      }),
    ])
    expect(textsOf(document, '.claims li')).toEqual([
      '✓ Threads win. holds',
      '✗ The pool is fair. does not hold here: 3 < 5',
      '– Python is slower. not applicable: no Python',
    ])
    expect(textsOf(document, 'header p')[0]).toBe(
      '1 example ran; 1 of 3 claims of the text held, 1 did not, 1 cannot be told here.',
    )
  })

  it('marks what failed, also a chapter without examples', () => {
    const failed = { failed: true, figure: 'failed: the disk is full' }
    const document = page([stop(failed), stop({ ...failed, chapter: '09-none', example: '' })])
    expect(textsOf(document, 'article.failed .figure')).toEqual([failed.figure, failed.figure])
    expect(textsOf(document, 'header p')[0]).toBe('0 examples ran and 2 failed.')
    expect(textsOf(document, '[id="09-none"] h2')).toEqual(['09-none'])
  })

  it('escapes everything that comes from elsewhere, and has no script', () => {
    const bad = `<script>"&'</script>`
    const claims = [{ says: bad, outcome: 'holds' as const, values: bad }]
    const everywhere = stop({
      chapter: bad,
      example: bad,
      shown: bad,
      figure: bad,
      pictures: [bad, `out/${bad}.svg`],
      claims,
    })
    const document = page([everywhere], { chapters: [{ name: bad, title: bad }], machine: bad })
    expect(document.querySelector('script')).toBe(null)
    expect(textsOf(document, '.figure')).toEqual([bad])
    expect(textsOf(document, 'h3')).toEqual([bad])
    expect(textsOf(document, 'figcaption')).toEqual([`out/${bad}.svg`])
  })
})
