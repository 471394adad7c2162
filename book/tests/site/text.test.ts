import { select, selectAll } from 'hast-util-select'
import { toHtml } from 'hast-util-to-html'
import { toString as plain } from 'hast-util-to-string'
import { describe, expect, it } from 'vitest'
import { colourCode, makePage, readText, type Text } from '../../src/site/text.ts'

const file = 'chapters/03-parallel/README.md'

/** The page of a text that stands in chapter 3, and what was wrong with it. */
function page(markdown: string, others: Text[] = []) {
  const text = readText('03-parallel', file, `# Chapter 3: threads\n\n${markdown}`)
  const problems: string[] = []
  const sources: string[] = []
  const made = makePage(text, {
    texts: new Map([text, ...others].map((each) => [each.file, each])),
    terms: [text, ...others].flatMap(({ terms }) => terms),
    source(path) {
      sources.push(path)
      return `/source/${path}.html`
    },
    problem: (problem) => void problems.push(problem),
  })
  return { ...made, problems, sources }
}

const intro = readText('01-intro', 'chapters/01-intro/README.md', '# Chapter 1\n\n## The best program\n')

describe('links', () => {
  it('between texts become links between pages', () => {
    const { body, problems } = page('[COST](../01-intro/README.md#the-best-program), [here](#rings)\n\n## Rings\n', [
      intro,
    ])
    expect(selectAll('a', body).map(({ properties }) => properties.href)).toEqual([
      '/01-intro.html#the-best-program',
      '/03-parallel.html#rings',
    ])
    expect(select('h2', body)?.properties.id).toBe('rings')
    expect(problems).toEqual([])
  })

  it('to files and folders become links to sources, those into the web stay', () => {
    const { body, sources } = page('[a](src/fib/fib.ts) [b](src/fib) [c](https://example.org/x#y) [d](../../LICENSE)')
    expect(sources).toEqual(['chapters/03-parallel/src/fib/fib.ts', 'chapters/03-parallel/src/fib', 'LICENSE'])
    expect(selectAll('a', body)[2]?.properties.href).toBe('https://example.org/x#y')
  })

  it('that lead nowhere are reported by file and line', () => {
    const { problems } = page('[a](src/no.ts)\n\n[b](../01-intro/README.md#no)\n\n[c](#no)\n\n![d](pictures/no.svg)', [
      intro,
    ])
    expect(problems).toEqual([
      `${file}:3: the link to "src/no.ts" leads nowhere: there is no chapters/03-parallel/src/no.ts`,
      `${file}:5: the link to "../01-intro/README.md#no" leads nowhere: chapters/01-intro/README.md has no heading "#no"`,
      `${file}:7: the link to "#no" leads nowhere: ${file} has no heading "#no"`,
      `${file}:9: the picture "pictures/no.svg" does not exist`,
    ])
  })
})

describe('a section', () => {
  const { body } = page(`## Rings

**Predict.** Which is faster?

And why?

\`\`\`
pnpm --filter 03-parallel start queues
\`\`\`

\`\`\`
ring  1 µs
\`\`\`

**Explain the ring.** It is.

- Because.

**Change.** Try it.

## Next

Not a step.`)

  it('sets apart what to predict, to explain and to change', () => {
    expect(selectAll('.step', body).map((each) => [String(each.properties.className), plain(each).trim()])).toEqual([
      ['step,predict', 'Predict. Which is faster?\nAnd why?'.replace('\n', '')],
      ['step,explain', expect.stringMatching(/^Explain the ring\. It is\.\s*Because\.$/)],
      ['step,change', 'Change. Try it.'],
    ])
  })

  it('keeps command and output outside of the steps', () => {
    expect(selectAll('.step pre', body)).toEqual([])
    expect(selectAll('pre', body)).toHaveLength(2)
  })
})

describe('marks', () => {
  it('put an interactive part in its place, with a sentence for those without JavaScript', () => {
    const { body, interactive } = page('<!-- interactive: amdahl-explorer -->')
    expect(interactive).toBe(true)
    expect(plain(select('amdahl-explorer', body) ?? { type: 'text', value: '' })).toMatch(/^With JavaScript, /)
  })

  it('of a part that does not exist are reported', () => {
    const { interactive, problems } = page('<!-- interactive: amdahl -->')
    expect(interactive).toBe(false)
    expect(problems).toEqual([
      expect.stringMatching(/:3: received the interactive part "amdahl"; accepts amdahl-explorer, /),
    ])
  })

  it('name the file that code comes from', () => {
    const { body, sources } = page('<!-- code: src/fib/fib.ts#fib -->\n```ts\nfib()\n```')
    expect(sources).toEqual(['chapters/03-parallel/src/fib/fib.ts'])
    expect(plain(select('.from', body) ?? { type: 'text', value: '' })).toBe('chapters/03-parallel/src/fib/fib.ts')
  })

  it('are not shown', () => {
    const { body } = page('One <!-- claim: a -->is faster<!-- /claim --> than two.')
    expect(toHtml(body)).toBe('<p>One is faster than two.</p>')
  })
})

describe('terms', () => {
  const text =
    '<!-- term: back-pressure -->\nWith **back-pressure** a source `waits`. More.\n\nA queue. <!-- term: queue -->A *queue* holds tasks.'

  it('are defined by the sentence after their mark', () => {
    expect(readText('x', file, `# X\n\n${text}`).terms).toEqual([
      { name: 'back-pressure', definition: 'With back-pressure a source `waits`.', slug: 'term-back-pressure' },
      { name: 'queue', definition: 'A queue holds tasks.', slug: 'term-queue' },
    ])
  })

  it('are linked to the glossary where a chapter uses them first, outside of code and links', () => {
    const defined = readText('02-async', 'chapters/02-async/README.md', `# X\n\n${text}`)
    const { body } = page('## Queues\n\n`queue` [queue](#queues) requeue. Queues, and a queue.', [defined])
    const links = selectAll('a.term', body)
    expect(links.map((link) => [link.properties.href, plain(link)])).toEqual([['/glossary.html#queue', 'Queues']])
  })

  it('have a place in the page that the glossary links', () => {
    expect(selectAll('span', page(text).body).map(({ properties }) => properties.id)).toEqual([
      'term-back-pressure',
      'term-queue',
    ])
  })
})

it('code is coloured, a command is shown as in a terminal, and an output stays as it is', () => {
  const { body } = page('```ts\nconst x = 1\n```\n\n```\npnpm --filter 03-parallel start fib\n```\n\n```\nfib <1>\n```')
  colourCode(body)
  const [code, command, output] = selectAll('pre', body)
  expect(selectAll('.hljs-keyword', code).map(plain)).toEqual(['const'])
  expect(command?.properties.className).toEqual(['terminal', 'prompt'])
  expect(toHtml(output ?? [])).toBe('<pre dir="ltr"><code>fib &#x3C;1></code></pre>')
})

it('several commands have no prompt, which would stand before the first of them only', () => {
  const { body } = page('```sh\nnpm start\nnpm test\n```')
  colourCode(body)
  expect(select('pre', body)?.properties.className).toEqual(['terminal'])
})

it('a picture opens on its own', () => {
  const { body } = page('![Fib](pictures/fib.svg) and [![Fib](pictures/fib.svg)](src/fib)')
  const to = selectAll('a:has(> img)', body).map(({ properties }) => properties.href)
  expect(to).toEqual(['/pictures/chapters/03-parallel/pictures/fib.svg', expect.stringMatching(/src\/fib/)])
})

it('a table scrolls on its own, and its columns keep their alignment', () => {
  const { body } = page('| a | b |\n| --- | --: |\n| 1 | 2 |')
  expect(select('div.table[tabindex="0"] > table', body)).toBeDefined()
  expect(selectAll('td', body).map(({ properties }) => properties)).toEqual([{}, { style: 'text-align: right' }])
})

it('a table of texts says in each cell what it is, for phones', () => {
  const { body } = page(
    `| a | b | |\n| --- | --- | --- |\n| 1 | ${'long '.repeat(10)} | 3 |\n\n| a | b | c |\n| --- | --- | --- |\n| 1 | 2 | 3 |`,
  )
  expect(selectAll('td', body).map(({ properties }) => properties.dataLabel)).toEqual(['a', 'b', '', ...Array(3)])
  expect(selectAll('table.texts', body)).toHaveLength(1)
})

describe('quotations', () => {
  it("in GitHub's form are call-outs", () => {
    const { body } = page('> [!TIP]\n> Measure **first**.\n\n> [!NOT]\n> Quoted.')
    const aside = select('aside', body)
    expect(aside?.properties.className).toEqual(['starlight-aside', 'starlight-aside--tip'])
    expect(plain(select('.starlight-aside__content', body) ?? { type: 'text', value: '' })).toBe('Measure first.')
    expect(selectAll('blockquote', body)).toHaveLength(1)
  })
})

it('a text without a title is refused', () => {
  expect(() => readText('x', file, '## Rings\n')).toThrow(`${file}:1: it has no title`)
})
