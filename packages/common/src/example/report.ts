/**
 * The tour's report: one page of HTML without scripts that opens from the file system, in `out/` beside the pictures that
 * it shows.
 */
import { howMany, milliseconds } from '../output/terminal.ts'
import type { Evaluation } from './claims.ts'

/** A claim of a chapter's text about an example, evaluated on the result of this run. */
export interface EvaluatedClaim extends Evaluation {
  says: string
}

/** An example that the tour ran, or why it could not run. */
export interface Stop {
  chapter: string
  /** Empty if the chapter cannot be read. */
  example: string
  shown: string
  figure: string
  ms: number
  /** Paths from the root, such as `out/03-parallel/similarity.svg`, or texts that say why there is no picture. */
  pictures: string[]
  claims: EvaluatedClaim[]
  failed: boolean
}

export interface Tour {
  stops: Stop[]
  /** All chapters and the headings of their texts. */
  chapters: { name: string; title: string }[]
  startedAt: Date
  /** Where it ran, such as `2 cores, linux, Node 24.21.0`. */
  machine: string
}

/** Returns the page. Its links are relative to the folder `out`. */
export function reportPage({ stops, chapters, startedAt, machine }: Tour): string {
  const titleOf = (name: string) => chapters.find((chapter) => chapter.name === name)?.title ?? name
  const shown = [...new Set(stops.map(({ chapter }) => chapter))]
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>The tour: what ran on this machine</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>What ran on this machine</h1>
<p>${text(sentence(stops))}</p>
<p class="quiet"><time datetime="${startedAt.toISOString()}">${text(startedAt.toLocaleString('en', { dateStyle: 'long', timeStyle: 'short' }))}</time>, ${text(machine)}. Every example ran in its quick form, so figures are rough.</p>
<nav aria-label="Chapters"><ul>
${shown.map((name) => `<li><a href="#${link(name)}">${text(titleOf(name))}</a></li>`).join('\n')}
<li><a href="#next">What to read next</a></li>
</ul></nav>
</header>
<main>
${shown.map((name) => chapterSection(name, titleOf(name), stops)).join('\n')}
<section id="next">
<h2>What to read next</h2>
<p>The text of a chapter asks you to predict what its programs do, shows what they printed, explains it, and proposes a
change.</p>
<ul>
${chapters.map((chapter) => `<li><a href="../${link(`chapters/${chapter.name}/README.md`)}">${text(chapter.title)}</a>: all its examples with <code>npm start -- ${text(chapter.name.slice(0, 2))}</code></li>`).join('\n')}
</ul>
<p><code>npm run doctor</code> says what this machine has, and what is missing for which examples.
<code>npm run claims</code> evaluates all claims of the texts, and <code>npm test</code> runs all tests.</p>
</section>
</main>
</body>
</html>
`
}

/** `8 examples ran and 1 failed; 12 claims of the text hold here, 1 does not, 2 do not apply.` */
function sentence(stops: Stop[]): string {
  const failed = stops.filter((stop) => stop.failed).length
  const claims = stops.flatMap((stop) => stop.claims)
  const of = (outcome: Evaluation['outcome']) => claims.filter((claim) => claim.outcome === outcome).length
  const ran = stops.length - failed
  const examples = `${howMany(ran, 'example')} ran${failed > 0 ? ` and ${failed} failed` : ''}`
  if (claims.length === 0) return `${examples}.`
  const [wrong, without] = [of('does not hold here'), of('not applicable')]
  const holds = `${of('holds')} of ${claims.length} claims of the text held`
  return `${[
    `${examples}; ${holds}`,
    ...(wrong > 0 ? [`${wrong} did not`] : []),
    ...(without > 0 ? [`${without} cannot be told here`] : []),
  ].join(', ')}.`
}

function chapterSection(name: string, title: string, stops: Stop[]): string {
  const own = stops.filter(({ chapter }) => chapter === name)
  return `<section id="${text(name)}">
<h2>${text(title)}</h2>
${own.map(article).join('\n')}
</section>`
}

function article({ chapter, example, shown, figure, ms, pictures, claims, failed }: Stop): string {
  const program = `chapters/${chapter}/examples/${example}.ts`
  return `<article${failed ? ' class="failed"' : ''}>
${example ? `<h3>${text(example)}</h3>\n<p>${text(shown)}</p>` : ''}
<p class="figure">${text(figure)}</p>
${pictures.map(picture).join('\n')}
${claims.length > 0 ? claimList(claims) : ''}
${
  example
    ? `<p class="quiet">${failed ? 'Failed after' : 'Took'} ${milliseconds(ms)}. In full:
<code>npx pnpm@12 --filter ${text(chapter)} start ${text(example)}</code>. The program:
<a href="../${link(program)}">${text(program)}</a></p>`
    : ''
}
</article>`
}

function picture(path: string): string {
  const [, file] = /^out[\\/](.+)$/.exec(path) ?? []
  if (file === undefined) return `<p class="quiet">Picture: ${text(path)}</p>`
  const href = link(file)
  if (!/\.(svg|png|jpe?g|gif|webp)$/i.test(file))
    return `<p class="quiet">File: <a href="${href}">${text(path)}</a></p>`
  return `<figure><a href="${href}"><img src="${href}" alt="Picture of this run"></a>
<figcaption class="quiet">${text(path)}</figcaption></figure>`
}

function claimList(claims: EvaluatedClaim[]): string {
  const items = claims.map(({ says, outcome, values }) => {
    const sign = outcome === 'holds' ? '✓' : outcome === 'not applicable' ? '–' : '✗'
    const kind = outcome === 'holds' ? 'holds' : outcome === 'not applicable' ? 'open' : 'wrong'
    return `<li class="${kind}"><span aria-hidden="true">${sign} </span>${text(says)} <span class="quiet">${text([outcome, values].filter(Boolean).join(': '))}</span></li>`
  })
  return `<h4>What the text claims</h4>\n<ul class="claims">\n${items.join('\n')}\n</ul>`
}

const characters: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** For text and for attributes in quotes. */
const text = (plain: string) => plain.replaceAll(/[&<>"']/g, (character) => characters[character] ?? character)

/** A relative path as a URL. */
const link = (path: string) => path.split(/[\\/]/).map(encodeURIComponent).join('/')

const style = `
:root { color-scheme: light dark; --text: #1f2328; --quiet: #59636e; --page: #fff; --card: #f6f8fa; --line: #d1d9e0; --link: #0550ae; --good: #116329; --bad: #b3141d }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --quiet: #9da7b1; --page: #0d1117; --card: #161b22; --line: #3d444d; --link: #79b8ff; --good: #56d364; --bad: #ff7b72 }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1rem; max-width: 52rem; color: var(--text); background: var(--page); font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 1rem 0 .5rem }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 2.5rem 0 .75rem }
h3, h4, p { margin: 0 0 .5rem }
h4 { font-size: 1rem; margin-top: 1rem }
a { color: var(--link) }
code { font: .9em ui-monospace, monospace; background: var(--card); padding: .1em .3em; border-radius: .25rem }
nav ul, .claims { list-style: none; padding: 0 }
nav li { padding: .15rem 0 }
article { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; margin: 0 0 1rem }
article code { background: var(--page) }
.figure { font-size: 1.15rem; font-weight: 600 }
.failed { border-color: var(--bad) }
.failed .figure, .wrong > :first-child { color: var(--bad) }
.holds > :first-child { color: var(--good) }
.claims li { padding: .2rem 0 .2rem 1.5rem; text-indent: -1.5rem }
.claims li > :first-child { display: inline-block; width: 1.5rem; text-indent: 0 }
.quiet { color: var(--quiet); font-size: .9rem }
figure { margin: 1rem 0 }
img { display: block; max-width: 100%; height: auto; border-radius: .25rem }
:target { scroll-margin-top: 1rem }
@media print { article { break-inside: avoid } nav { display: none } }
`
