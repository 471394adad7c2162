/** The whole book once more, with its sources in the web. */
import { selectAll } from 'hast-util-select'
import { expect, it } from 'vitest'
import { makeBook } from '../../src/site/book.ts'
import { examplesText } from '../../src/site/indexes.ts'
import { foldersOfExamples, read } from '../../src/site/repository.ts'
import { readText } from '../../src/site/text.ts'

it('the book takes links to sources into the web when there is an address', async () => {
  const { pages, sources } = await makeBook('https://example.org/blob/main')
  expect(sources.size).toBe(0)
  const page = pages.find(({ id }) => id === 'examples')
  if (page === undefined) throw new Error('there is no page of examples')
  expect(selectAll('a', page.body).map(({ properties }) => properties.href)).toContain(
    'https://example.org/blob/main/chapters/03-parallel/examples/fib.ts',
  )
})

it('the index of examples says how long they take if that was measured', async () => {
  const readmes = foldersOfExamples.map((folder) =>
    readText(folder, `${folder}/README.md`, read(`${folder}/README.md`)),
  )
  const times = { machine: '2 cores', date: '2026-11-30', examples: {} }
  expect(await examplesText(readmes, times)).not.toMatch(/takes \|/)
  const examples = { '03-parallel/fib': { seconds: 4.2, draws: [] } }
  const text = await examplesText(readmes, { ...times, examples })
  expect(text).toMatch(/start to end, on 2 cores;/)
  expect(text).toMatch(/\| \[`fib`\].* \| 4\.2 s \|/)
  expect(text).toMatch(/\| \[`pool`\].* \| not timed \|/)
})
