/** README.md: its system is the tested one, and its history is what the search finds. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { scenarios, search } from '../src/search.ts'
import { historyText } from '../src/simulator.ts'
import { keeper } from './keeper.ts'

it('shows the tested system, and the history that its search finds', async () => {
  const readme = await readFile(join(import.meta.dirname, '../README.md'), 'utf8')
  const source = await readFile(join(import.meta.dirname, 'keeper.ts'), 'utf8')
  expect(readme).toContain(source.replace('../src/simulator.ts', '@repo/simulator/simulator').trim())

  const any = scenarios({
    requests: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 6 }),
    nodes: 1,
    messages: 40,
    withinMs: 60,
  })
  const { found } = await search(keeper(true), { seed: 1, scenarios: any, histories: 20_000 })
  expect(readme).toContain(historyText(found?.run.history ?? [], keeper().nodes))
})

it('runs without Node’s own modules', async () => {
  for (const module of ['simulator', 'search', 'sequence'])
    expect(await readFile(join(import.meta.dirname, `../src/${module}.ts`), 'utf8')).not.toMatch(
      /'node:|process\.|Buffer/,
    )
})
