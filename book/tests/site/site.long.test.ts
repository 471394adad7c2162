/** The built site in a browser, at a desktop's and a phone's width. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { findChromium, installChromium } from '@repo/common/process/chromium'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describeReal } from '@repo/common/testing/vitest'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { epubFile } from '../../src/site/finish.ts'
import { chapters } from '../../src/site/repository.ts'
import { type FolderServer, serveFolder } from '../../src/site/serve.ts'
import { violationsOf } from '../axe.ts'

const executablePath = await findChromium()
const needChromium = { name: 'Chromium', found: executablePath, install: installChromium }

const widths = {
  desktop: { viewport: { width: 1280, height: 900 } },
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
}

describeReal('the site', needChromium, () => {
  const resources = new AsyncDisposableStack()
  let folder: string
  let server: FolderServer
  let browser: Browser
  /** Paths of all pages, and of those that are no sources. */
  let files: string[]
  let texts: string[]

  beforeAll(async () => {
    folder = resources.use(await temporaryFolder()).path
    const started = performance.now()
    await promisify(execFile)(
      process.execPath,
      [join('node_modules', 'astro', 'bin', 'astro.mjs'), 'build', '--outDir', folder],
      {
        env: { ...process.env, ASTRO_TELEMETRY_DISABLED: '1' },
        maxBuffer: 1 << 26,
      },
    )
    process.stderr.write(`the site was built in ${((performance.now() - started) / 1000).toFixed(1)} s\n`)
    const built = await readdir(folder, { recursive: true })
    files = built.filter((file) => file.endsWith('.html')).sort()
    texts = files.filter((file) => !file.startsWith('source/') && file !== '404.html')
    server = resources.adopt(await serveFolder(folder, { below: '/books/distributed' }), (each) => each.close())
    browser = resources.adopt(
      await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] }),
      (each) => each.close(),
    )
  }, 600_000)
  afterAll(() => resources.disposeAsync())

  it('has a page for every chapter, the indexes, and the sources that they link', () => {
    const names = [
      ...chapters.map((each) => each.replace('chapters/', '')),
      'index',
      'examples',
      'exercises',
      'glossary',
    ]
    expect(files).toEqual(expect.arrayContaining(names.map((name) => `${name}.html`)))
    expect(files).toContain('source/chapters/03-parallel/examples/fib.ts.html')
  })

  it('has no link, picture or script that leads nowhere', async () => {
    const ids = new Map<string, Set<string>>()
    const html = new Map<string, string>()
    for (const file of files) {
      const text = await readFile(join(folder, file), 'utf8')
      html.set(file, text)
      ids.set(file, new Set([...text.matchAll(/\sid="([^"]+)"/g)].map(([, id = '']) => id)))
    }
    const others = new Set(await readdir(folder, { recursive: true }))
    const broken: string[] = []
    for (const [file, text] of html) {
      for (const [, target = ''] of text.matchAll(/<[^<>]*\s(?:href|src|data-pagefind-script)="([^"]*)"/g)) {
        const to = new URL(target, `http://site/${file}`)
        if (to.host !== 'site' || to.protocol === 'data:') continue
        const path = decodeURI(to.pathname.slice(1))
        const anchor = decodeURIComponent(to.hash.slice(1))
        if (!others.has(path) || (anchor !== '' && !ids.get(path)?.has(anchor))) broken.push(`${file}: ${target}`)
      }
    }
    expect(broken).toEqual([])
    expect(others).toContain(epubFile)
  })

  describe.each(Object.entries(widths))('on a %s', (name, options) => {
    let context: BrowserContext
    beforeAll(async () => {
      context = await browser.newContext(options)
    })
    afterAll(() => context.close())

    it('opens every page without an error, within its width', async () => {
      const page = await context.newPage()
      const errors = watch(page)
      for (const file of texts) {
        await page.goto(server.url + file)
        const { scroll, client } = await page.evaluate(() => ({
          scroll: document.documentElement.scrollWidth,
          client: document.documentElement.clientWidth,
        }))
        expect(scroll, `${file} is as wide as the screen`).toBeLessThanOrEqual(client)
      }
      await page.goto(`${server.url}source/chapters/03-parallel/examples/fib.ts.html`)
      expect(errors).toEqual([])
      await page.close()
    })

    // The themes differ in their colours only, and the colours are the same at any width.
    const isPhone = name === 'phone'
    const themes = isPhone ? ['light'] : ['light', 'dark']
    it.each(themes)('has nothing serious for axe, in the %s theme', { timeout: 300_000 }, async (theme) => {
      const page = await context.newPage()
      await page.addInitScript((value) => localStorage.setItem('starlight-theme', value), theme)
      const found: string[] = []
      for (const file of [...texts, 'source/chapters/03-parallel/examples/fib.ts.html']) {
        await page.goto(server.url + file)
        // The colours of all code are the same few, on tens of thousands of words.
        if (!file.includes('03-parallel')) await page.evaluate(withoutColours)
        const rules = isPhone ? dependOnWidth : theme === 'dark' ? ['color-contrast'] : undefined
        const violations = await violationsOf(page, rules)
        for (const { id, impact, nodes } of violations) {
          if (!['serious', 'critical'].includes(impact ?? '') && id !== 'heading-order') continue
          found.push(
            `${file}: ${id}: ${nodes
              .slice(0, 3)
              .map(({ html }) => html)
              .join(' ')}`,
          )
        }
      }
      expect(found).toEqual([])
      await page.close()
    })

    it('finds ten terms', async () => {
      const page = await context.newPage()
      const errors = watch(page)
      await page.goto(server.url)
      await page.getByRole('button', { name: 'Search' }).click()
      for (const [term, file] of searched) {
        await page.getByRole('searchbox').fill(term)
        const result = page.locator(`.results a[href*="/${file}.html"]`).first()
        await expect.poll(() => result.isVisible(), { timeout: 100_000, message: `${term} is in ${file}` }).toBe(true)
      }
      // A result leads to a page of the site, wherever that is.
      await page.locator('.results a').first().click()
      await page.waitForURL((url) => url.href.startsWith(server.url) && url.href !== server.url)
      expect(errors).toEqual([])
      await page.close()
    })
  })

  it('loads little script', async () => {
    const page = await browser.newPage()
    for (const file of texts) {
      const sizes: Promise<number>[] = []
      const add = (request: import('playwright-core').Request) => {
        if (request.resourceType() === 'script') sizes.push(request.sizes().then((each) => each.responseBodySize))
      }
      page.on('requestfinished', add)
      await page.goto(server.url + file, { waitUntil: 'networkidle' })
      page.off('requestfinished', add)
      const inline = await page.evaluate(() =>
        [...document.scripts].reduce((sum, { src, text }) => sum + (src ? 0 : text.length), 0),
      )
      const bytes = (await Promise.all(sizes)).reduce((sum, each) => sum + each, inline)
      const isInteractive = /<(amdahl-explorer|event-loop-quiz|mandelbrot-threads|history-stepper)\b/.test(
        await page.content(),
      )
      process.stderr.write(`${file}: ${Math.round(bytes / 1000)} kB of script\n`)
      expect(bytes, file).toBeLessThan(isInteractive ? 300_000 : 60_000)
    }
    await page.close()
  })

  it('shows its text, its pictures and its navigation without JavaScript', async () => {
    const context = await browser.newContext({ ...widths.phone, javaScriptEnabled: false })
    const page = await context.newPage()
    await page.goto(`${server.url}03-parallel.html`)
    expect(await page.locator('h1').textContent()).toMatch(/^Chapter 3/)
    expect(await page.locator('.explain').first().isVisible()).toBe(true)
    await page.locator('a[rel=next]').click()
    expect(await page.locator('h1').textContent()).toMatch(/^Chapter 4/)
    await context.close()
  })

  it('can be read from the file system', async () => {
    const page = await browser.newPage()
    await page.goto(pathToFileURL(join(folder, 'index.html')).href)
    await page.locator('main a[href^="03-parallel.html"]').first().click()
    expect(await page.locator('h1').textContent()).toMatch(/^Chapter 3/)
    // Style sheets and pictures are there.
    expect(
      await page
        .locator('.predict')
        .first()
        .evaluate((each) => getComputedStyle(each).borderInlineStartWidth),
    ).toBe('4px')
    const picture = page.locator('main img').first()
    await picture.scrollIntoViewIfNeeded()
    await expect
      .poll(() => picture.evaluate((each) => (each as HTMLImageElement).naturalWidth), { timeout: 100_000 })
      .toBeGreaterThan(0)
    await page.locator('main a[href^="source/"]').first().click()
    expect(await page.locator('h1').textContent()).toMatch(/^chapters\//)
    await page.close()
  })
})

/** Makes code plain text. */
function withoutColours() {
  for (const code of document.querySelectorAll('pre code')) code.replaceChildren(code.textContent ?? '')
}

/** Rules of axe whose verdict depends on the width. */
const dependOnWidth = ['aria-hidden-focus', 'button-name', 'link-name', 'scrollable-region-focusable', 'target-size']

/** Words, and a page that each must be found in. */
const searched: [term: string, file: string][] = [
  ['Amdahl', '01-intro'],
  ['back-pressure', '02-async'],
  ['generator', '02-async'],
  ['worker pool', '03-parallel'],
  ['Mandelbrot', '03-parallel'],
  ['visibility timeout', '05-cloud'],
  ['idempotent', '04-celery'],
  ['Slurm', '06-hpc'],
  ['walltime', '06-hpc'],
  ['flame graph', '07-testing'],
]

/** What goes wrong in a page: errors of its scripts, and requests that fail. */
function watch(page: Page): string[] {
  const errors: string[] = []
  page.on('pageerror', (error) => void errors.push(`${page.url()}: ${error.message}`))
  page.on('console', (message) => void (message.type() === 'error' && errors.push(`${page.url()}: ${message.text()}`)))
  page.on(
    'response',
    (response) => void (response.status() >= 400 && errors.push(`${response.status()} ${response.url()}`)),
  )
  return errors
}
