/**
 * `npm run book:draw`: draws the Mermaid diagrams of the texts that have no picture yet, by Mermaid in Chromium, and
 * removes the pictures of those that are gone. A picture is named after its text, so a build needs no browser.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename } from 'node:path'
import { describeError } from '@repo/common/example/usage'
import { findChromium } from '@repo/common/process/chromium'
import { chromium } from 'playwright-core'
import { diagramFile, diagramsOf, parse } from '../texts/text.ts'
import { chapters, list, read } from './repository.ts'

/** The theme has shades of grey only, so they may be turned round. */
const dark = '@media (prefers-color-scheme: dark) { :root { filter: invert(1) } }'

try {
  const diagrams = new Map<string, string>()
  const packages = list('packages').map((name) => `packages/${name.slice(0, -1)}`)
  for (const folder of [...chapters, ...packages, 'bench', '.']) {
    for (const { value } of diagramsOf(parse(read(`${folder}/README.md`)))) diagrams.set(diagramFile(value), value)
  }
  await mkdir('diagrams', { recursive: true })
  const drawn = list('book/diagrams').map((name) => `book/diagrams/${name}`)
  for (const file of drawn) if (!diagrams.has(file)) await rm(`../${file}`)
  const missing = [...diagrams].filter(([file]) => !drawn.includes(file))
  if (missing.length > 0) await draw(missing)
  process.stderr.write(`${diagrams.size} diagrams, ${missing.length} of them drawn now\n`)
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = 1
}

async function draw(diagrams: [file: string, text: string][]): Promise<void> {
  const executablePath = await findChromium()
  if (executablePath === undefined) throw new Error('there is no Chromium: install it, or name it in CHROMIUM_PATH')
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  try {
    const page = await browser.newPage()
    await page.addScriptTag({ path: createRequire(import.meta.url).resolve('mermaid/dist/mermaid.min.js') })
    for (const [file, text] of diagrams) {
      const svg = await page.evaluate(render, { id: `diagram-${basename(file, '.svg')}`, text })
      await writeFile(`../${file}`, `${rounded(svg).replace('</style>', `${dark}</style>`)}\n`)
    }
  } finally {
    await browser.close()
  }
}

/** Coordinates to a tenth of a pixel, which makes a picture several times as short. */
function rounded(svg: string): string {
  return svg.replaceAll(/\d+\.\d{2,}/g, (number) => String(Number(Number(number).toFixed(1))))
}

/** Runs in the page. */
async function render({ id, text }: { id: string; text: string }): Promise<string> {
  const { mermaid } = globalThis as unknown as { mermaid: typeof import('mermaid').default }
  mermaid.initialize({
    startOnLoad: false,
    theme: 'neutral',
    fontFamily: 'DejaVu Sans, Verdana, Arial, sans-serif',
    // HTML in an SVG is not shown in pictures and books.
    htmlLabels: false,
    flowchart: { htmlLabels: false, useMaxWidth: false },
    sequence: { useMaxWidth: false },
    state: { useMaxWidth: false },
    gantt: { useMaxWidth: false, useWidth: 700 },
    deterministicIds: true,
  })
  const { svg } = await mermaid.render(id, text)
  // A picture file is XML, and an EPUB's has nothing that SVG does not know.
  const element = new DOMParser().parseFromString(svg, 'text/html').querySelector('svg')
  if (element === null) throw new Error(`Mermaid drew nothing of ${text}`)
  element.setAttribute('role', 'img')
  for (const empty of element.querySelectorAll('rect:not([width])')) empty.remove()
  for (const name of ['name', 'transform-origin']) {
    for (const each of element.querySelectorAll(`[${name}]`)) each.removeAttribute(name)
  }
  for (const each of element.querySelectorAll('circle, g')) {
    each.removeAttribute('width')
    each.removeAttribute('height')
  }
  return new XMLSerializer().serializeToString(element)
}
