/** The whole book once more, with its sources in the web. */
import { selectAll } from 'hast-util-select'
import { expect, it } from 'vitest'
import { makeBook } from '../../src/site/book.ts'

it('the book takes links to sources into the web when there is an address', async () => {
  const { pages, sources } = await makeBook('https://example.org/blob/main')
  expect(sources.size).toBe(0)
  const page = pages.find(({ id }) => id === 'examples')
  if (page === undefined) throw new Error('there is no page of examples')
  expect(selectAll('a', page.body).map(({ properties }) => properties.href)).toContain(
    'https://example.org/blob/main/chapters/03-parallel/examples/fib.ts',
  )
})
