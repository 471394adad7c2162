/** The interactive elements in a real browser: what they compute, by keyboard, in both themes and on a phone. */
import { createHash } from 'node:crypto'
import { findChromium, installChromium } from '@repo/common/process/chromium'
import { describeReal } from '@repo/common/testing/vitest'
import { drawing, drawTile } from '@repo/common/workloads/mandelbrot'
import { historyText, simulate } from '@repo/simulator/simulator'
import { amdahl, gustafson, usl } from '01-intro/laws/laws'
import { predicted } from '02-async/event-loop/quiz'
import { bugNames } from '07-testing/pipeline/orders'
import { nodes, simulatedPipeline } from '07-testing/pipeline/simulated'
import { type Browser, chromium, type Locator, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { elements } from '../../src/interactive/elements.ts'
import { tell } from '../../src/interactive/history.ts'
import { shortest } from '../../src/interactive/shortest.ts'
import { times } from '../../src/interactive/speedup.ts'
import { violationsOf } from '../axe.ts'
import { type Pages, servePages } from './serve.ts'

const executablePath = await findChromium()
const desktop = { width: 1200, height: 900 }
const phone = { width: 360, height: 740 }
const names = Object.keys(elements)

/** Returns an element's text in one line. */
const said = async (element: Locator) => (await element.textContent())?.trim().replaceAll(/\s+/g, ' ')

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex')

describeReal('in a browser', { name: 'Chromium', found: executablePath, install: installChromium }, () => {
  let pages: Pages
  let browser: Browser

  beforeAll(async () => {
    pages = await servePages()
    browser = await chromium.launch({
      executablePath: executablePath ?? '',
      timeout: 60_000,
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
    })
  })
  afterAll(async () => {
    await browser?.close()
    await pages?.[Symbol.asyncDispose]()
  })

  /** Opens an element's page; an error on it fails the test when the page is closed. */
  async function open(element: string, { viewport = desktop, theme = 'light' as 'light' | 'dark' } = {}) {
    const context = await browser.newContext({ viewport })
    const page = await context.newPage()
    page.setDefaultTimeout(110_000)
    const errors: string[] = []
    const scripts: Promise<number>[] = []
    page.on('pageerror', ({ message }) => errors.push(message))
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
    page.on('response', (response) => {
      if (response.headers()['content-type'] !== 'text/javascript') return
      const size = response.body().then(({ length }) => length)
      // A test that needs it awaits it later; until then, a failure has no handler.
      size.catch(() => {})
      scripts.push(size)
    })
    await page.goto(pages.address(element, theme))
    await page.locator(`${element} :is(svg, pre, canvas)`).first().waitFor()
    return {
      page,
      scripts,
      async [Symbol.asyncDispose]() {
        // A body that is still on its way when its page is closed would be an error that nobody handles.
        await Promise.allSettled(scripts)
        await context.close()
        expect(errors).toEqual([])
      },
    }
  }

  describe.each(names)('%s', (name) => {
    it.each([
      ['light', desktop],
      ['dark', phone],
    ] as const)('is accessible and fits into its page: %s, %j', async (theme, viewport) => {
      await using opened = await open(name, { theme, viewport })
      const { page } = opened
      const violations = await violationsOf(page)
      expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([])
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(viewport.width)
    })

    it('is a sentence without JavaScript', async () => {
      const context = await browser.newContext({ javaScriptEnabled: false })
      const page = await context.newPage()
      await page.goto(pages.address(name))
      expect(await said(page.locator(name))).toBe(elements[name]?.instead)
      await context.close()
    })

    it('loads less than 150 kB of script, and nothing of the other elements', async () => {
      await using opened = await open(name)
      const sizes = await Promise.all(opened.scripts)
      expect(sizes.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(150_000)
      const defined = await opened.page.evaluate((names) => names.filter((one) => customElements.get(one)), names)
      expect(defined).toEqual([name])
    })
  })

  /** Returns the texts of a table's cells, row by row, without what is in small print. */
  const cells = (page: Page) =>
    page.locator('tbody tr').evaluateAll((rows) => {
      const large = (cell: Element) =>
        [...cell.childNodes].filter(({ nodeName }) => !['SMALL', '#comment'].includes(nodeName))
      const text = (cell: Element) => large(cell).map(({ textContent }) => textContent)
      return rows.map((row) => [...row.children].map((cell) => text(cell).join('').trim()))
    })

  describe('amdahl-explorer', () => {
    it('shows what the laws say, by keyboard', async () => {
      await using opened = await open('amdahl-explorer')
      const { page } = opened
      await page.getByRole('slider', { name: 'Processors' }).press('End')
      const parallel = page.getByRole('slider', { name: 'Parallel' })
      await parallel.press('End')
      for (let step = 0; step < 10; step++) await parallel.press('ArrowLeft')
      await page.getByRole('slider', { name: 'Contention' }).press('Home')
      await page.getByRole('slider', { name: 'Coherency' }).press('ArrowRight')
      expect((await cells(page)).map(([law, speedup]) => [law, speedup])).toEqual([
        ['ideal', '1024×'],
        ['Amdahl', times(amdahl(0.99, 1024))],
        ['Gustafson', times(gustafson(0.99, 1024))],
        ['USL', times(usl({ contention: 0, coherency: 0.0011 }, 1024))],
      ])
    })

    it('shows a pasted measurement with its fits, and what is wrong with another text', async () => {
      await using opened = await open('amdahl-explorer')
      const { page } = opened
      const rows = [1, 2, 4].map((workers) => ({ workers, speedup: amdahl(0.8, workers), ceiling: workers }))
      const fits = {
        amdahl: { serialFraction: 0.2 },
        amdahlOnThreads: { serialFraction: 0.2 },
        usl: { contention: 0.2, coherency: 0 },
      }
      const paste = page.getByRole('textbox')
      await paste.fill(JSON.stringify({ cores: 4, busy: false, rows, fits }))
      expect(await said(page.getByRole('status'))).toMatch(/^3 points, measured on 4 cores\./)
      const table = await cells(page)
      const onFour = times(amdahl(0.8, 4))
      expect(table.map(([name, speedup]) => [name, speedup])).toEqual([
        ['ideal', '4.00×'],
        ['Amdahl', onFour],
        ['Gustafson', times(gustafson(0.8, 4))],
        ['USL', onFour],
        ['measured on 1', '1.00×'],
        ['measured on 2', times(amdahl(0.8, 2))],
        ['measured on 4', onFour],
      ])
      // Where the law and the measurement agree, the last point lies on the end of the law's curve.
      const end = await page.locator('svg[role=img]').evaluate((picture) => {
        const curve = [...picture.querySelectorAll('path')].find(
          (path) => path.getAttribute('stroke') === 'var(--blue)',
        )
        const dot = [...picture.querySelectorAll('circle')].at(-1)
        const [x = 0, y = 0] = (curve?.getAttribute('d')?.split('L').at(-1) ?? '').split(' ').map(Number)
        return [x - Number(dot?.getAttribute('cx')), y - Number(dot?.getAttribute('cy'))]
      })
      for (const off of end) expect(Math.abs(off)).toBeLessThan(0.1)

      await paste.fill('42 %')
      expect(await said(page.getByRole('status'))).toContain('"42 %" is not JSON')
      expect(await cells(page)).toHaveLength(4)
    })
  })

  describe('event-loop-quiz', () => {
    it('takes the right order by keyboard, and says so', async () => {
      await using opened = await open('event-loop-quiz')
      const { page } = opened
      for (const { name } of predicted) await page.getByRole('button', { name, exact: true }).press('Enter')
      // All are chosen, and the focus is where the page goes on.
      await page.keyboard.press('Enter')
      expect(await said(page.locator('strong'))).toBe('13 of 13')
      expect((await cells(page)).map(([, name, said]) => [name, said])).toEqual(
        predicted.map(({ name }) => [name, '✓ the same']),
      )
    })

    it('takes a choice back, shows what was wrong or left out, and begins again', async () => {
      await using opened = await open('event-loop-quiz')
      const { page } = opened
      const choose = (name: string) => page.getByRole('button', { name, exact: true }).click()
      await choose('nextTick')
      await choose('setImmediate')
      await page.getByRole('button', { name: 'Take back' }).click()
      await choose('end of the callback')
      await page.getByRole('button', { name: 'Show the order' }).click()
      expect(await said(page.locator('strong'))).toBe('1 of 13')
      expect((await cells(page)).slice(0, 3).map(([, , said]) => said)).toEqual(['✗ nextTick', '✓ the same', '–'])
      await page.getByRole('button', { name: 'Try again' }).click()
      expect(await page.locator('.choices button').count()).toBe(13)
    })
  })

  describe('mandelbrot-threads', () => {
    /** Returns the hash of the canvas's colours, without alpha. */
    const hashOf = (page: Page) =>
      page.locator('canvas').evaluate(async (canvas: HTMLCanvasElement) => {
        const { data } = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] }
        const hash = await crypto.subtle.digest(
          'SHA-256',
          Uint8Array.from(data).filter((_, at) => at % 4 < 3),
        )
        return new Uint8Array(hash).toHex()
      })

    it.each([
      [0, { centerX: -0.743643, centerY: 0.131825, zoom: 500 }],
      [1, { centerX: -0.75, centerY: 0, zoom: 1 }],
    ])('draws the pixels of chapter 3, and measures: view %i', async (index, where) => {
      await using opened = await open('mandelbrot-threads')
      const { page } = opened
      await page.getByRole('combobox').selectOption({ index })
      await page.getByRole('slider').fill('3')
      await page.getByRole('button', { name: 'Draw and measure' }).press('Enter')
      await page.getByText('Done.').waitFor()
      const expected = drawing({ width: 960, height: 600, iterations: 2000, ...where })
      drawTile(expected, { left: 0, top: 0, right: 960, bottom: 600 })
      expect(await hashOf(page)).toBe(sha256(expected.pixels))

      const [alone = [], together = []] = await cells(page)
      expect([alone[0], together[0], alone[2], alone[3]]).toEqual(['1', '3', '1.00×', '150'])
      expect(together[3]?.split(', ').reduce((sum, tiles) => sum + Number(tiles), 0)).toBe(150)
      const [ms = 0, msTogether = 1] = [alone[1], together[1]].map((cell) => Number(cell?.replace(' ms', '')))
      // Both times are rounded to milliseconds.
      expect(Number(together[2]?.replace('×', ''))).toBeGreaterThan((ms - 1) / (msTogether + 1) - 0.01)
      expect(Number(together[2]?.replace('×', ''))).toBeLessThan((ms + 1) / (msTogether - 1) + 0.01)
      expect(await said(page.locator('strong').last())).toBe(together[2])
    })

    it('stops, and measures again', async () => {
      await using opened = await open('mandelbrot-threads')
      const { page } = opened
      await page.getByRole('button', { name: 'Draw and measure' }).click()
      await page.getByRole('button', { name: 'Stop' }).click()
      await page.getByText('stopped.').waitFor()
      // The browser tells of a worker's end a moment later.
      await expect.poll(() => page.workers(), { timeout: 100_000 }).toEqual([])
      await page.getByRole('button', { name: 'Draw and measure' }).click()
      await page.getByText('Done.').waitFor()
    })
  })

  describe('history-stepper', () => {
    const textOf = (page: Page) => page.locator('details pre').evaluate((pre) => pre.textContent ?? '')
    const invariants = async (page: Page) => await said(page.getByRole('list', { name: 'Invariants' }))

    it('runs the same histories as Node, by their hashes, for each bug and seed', async () => {
      await using opened = await open('history-stepper')
      const { page } = opened
      const hashes = []
      const expected = []
      for (const bug of bugNames) {
        await page.getByRole('combobox').selectOption(bug)
        for (const seed of [0, 1, 2026]) {
          const seedField = page.getByRole('spinbutton')
          await seedField.fill(String(seed))
          await seedField.press('Enter')
          hashes.push(sha256(await textOf(page)))
          const run = simulate(simulatedPipeline(bug), { ...shortest[bug], jitter: seed }, { record: true })
          expected.push(sha256(historyText(run.history, nodes)))
        }
      }
      expect(hashes).toEqual(expected)
      expect(new Set(hashes).size).toBe(hashes.length)
    })

    it('steps forward and back by keyboard, and says when an invariant breaks', async () => {
      await using opened = await open('history-stepper')
      const { page } = opened
      const status = page.getByRole('status')
      expect(await said(status)).toBe('0 ms: front sends “create order-1” to server')
      await page.getByRole('button', { name: 'Step forward' }).press('Enter')
      expect(await said(status)).toBe('1 ms: server receives “create order-1” from front')
      await page.getByRole('button', { name: 'Step back' }).press('Enter')
      expect(await said(status)).toBe('0 ms: front sends “create order-1” to server')
      const step = page.getByRole('slider', { name: 'Step' })
      const moments = tell(shortest['early-ack'], 'early-ack').moments.length
      await step.press('End')
      expect(await invariants(page)).toContain('✗ no order lost order-1 was accepted, and is "paid" for ever')
      await step.press('ArrowLeft')
      expect(await step.getAttribute('aria-valuetext')).toBe(`${moments - 1} of ${moments}`)
      await step.press('Home')
      expect(await invariants(page)).not.toContain('✗')
    })

    it('loses nothing when the bug or the fault is switched off', async () => {
      await using opened = await open('history-stepper')
      const { page } = opened
      const toTheEnd = () => page.getByRole('button', { name: 'To the end' }).click()
      await toTheEnd()
      expect(await invariants(page)).toContain('✗')
      for (const name of [/^the bug/, /^shipping 1 crashes/]) {
        const box = page.getByRole('checkbox', { name })
        await box.press('Space')
        await toTheEnd()
        expect(await invariants(page)).not.toContain('✗')
        await box.press('Space')
        await toTheEnd()
        expect(await invariants(page)).toContain('✗')
      }
    })

    it('has a fault for a click: on a button, and on an arrow', async () => {
      await using opened = await open('history-stepper')
      const { page } = opened
      await page.getByRole('button', { name: 'Lose this message' }).click()
      expect(await textOf(page)).toMatch(/^ +0 ms front +→ server +create order-1 \(lost\)\n/)
      expect(await page.locator('svg .cross').count()).toBeGreaterThan(0)
      expect(await page.getByRole('checkbox', { name: 'message 1 is lost' }).isChecked()).toBe(true)
      await page.locator('svg .arrow').first().click()
      expect(await textOf(page)).toMatch(/^ +0 ms front +→ server +create order-1 \(at 1 ms\)\n/)
      await page.getByRole('button', { name: 'Step forward' }).click()
      await page.getByRole('button', { name: 'Crash server now' }).click()
      expect(await textOf(page)).toContain('server       crashes for 60 ms')
    })
  })
})
