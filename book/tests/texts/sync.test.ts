/** Code of the sources in the texts, and markers where Markdown does not show them. */
import { fileURLToPath } from 'node:url'
import { runProgram } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import { checkTexts, syncTexts } from '../../src/texts/check.ts'
import { placeMarkers } from '../../src/texts/place.ts'
import { readRegions } from '../../src/texts/regions.ts'
import { fixture } from './fixture.ts'

const readme = 'chapters/01-count/README.md'
const sum = 'chapters/01-count/src/sum/sum.ts'
const program = fileURLToPath(new URL('../../src/texts/sync.program.ts', import.meta.url))

describe('regions of a source file', () => {
  const read = (...lines: string[]) => {
    const { regions, faults } = readRegions('a.ts', lines.join('\n'))
    return {
      code: Object.fromEntries([...regions.values()].map(({ name, code }) => [name, code])),
      faults: faults.map(({ line, message }) => `${line}: ${message}`),
    }
  }

  it('are their lines without the common indentation and without other tags', () => {
    const source = [
      '  // #region a',
      '  if (x) {',
      '',
      '    // #region b',
      '    y()',
      '    // #endregion b',
      '  }',
      '  // #endregion a',
    ]
    expect(read(...source)).toEqual({ code: { a: 'if (x) {\n\n  y()\n}', b: 'y()' }, faults: [] })
  })

  it('may overlap, and begin with # in Python and in the shell', () => {
    const source = ['# #region a', 'x()', '# #region b', 'y()', '# #endregion a', 'z()', '# #endregion b']
    expect(read(...source)).toEqual({ code: { a: 'x()\ny()', b: 'y()\nz()' }, faults: [] })
  })

  it('have an end, a line of code, and a name of their own', () => {
    expect(read('// #region a', 'x()').faults).toEqual([
      '1: region: received "a" without an end; accepts #endregion a below it',
    ])
    expect(read('// #region a', '', '// #endregion a').faults).toEqual([
      '1: region: received "a" without a line; accepts at least one line of code',
    ])
    expect(read('// #region a', 'x()', '// #endregion a', '// #region a', 'y()', '// #endregion a').faults).toEqual([
      '4: region: received a second "a"; accepts each name once',
      '6: region: received the end of "a"; accepts only the end of an open region',
    ])
    expect(read('// #region A b', 'x()', '// #endregion').faults).toEqual([
      '1: region: received "A b"; accepts a name in lower case with hyphens, such as on-threads',
      '3: region: received ""; accepts a name in lower case with hyphens, such as on-threads',
    ])
  })
})

describe('markers at the start of a line', () => {
  const place = (...lines: string[]) => placeMarkers('a.md', lines.join('\n')).source.split('\n')

  it('go to the end of the line above within a paragraph', () => {
    expect(place('One.', '<!-- claim: a -->Two', '<!-- /claim --> <!-- term: b -->', 'three.')).toEqual([
      'One. <!-- claim: a -->',
      'Two<!-- /claim --> <!-- term: b -->',
      'three.',
    ])
  })

  it('go onto a line of their own at the start of a paragraph, an item and a quotation', () => {
    expect(place('# Title', '<!-- term: a -->One')).toEqual(['# Title', '<!-- term: a -->', 'One'])
    expect(place('- One', '- <!-- claim: a --><!-- term: b -->Two')).toEqual([
      '- One',
      '- <!-- claim: a --><!-- term: b -->',
      '  Two',
    ])
    expect(place('', '> <!-- claim: a -->One')).toEqual(['', '> <!-- claim: a -->', '> One'])
  })

  it('stay where they stand well, and in code', () => {
    const lines = [
      '<!-- term: a -->',
      'One <!-- claim: b -->Two.<!-- /claim -->',
      '',
      '```',
      'a',
      '<!-- claim: c -->d',
      '```',
      '',
      '<!-- code: a.ts#b -->',
      '```',
      '```',
    ]
    expect(place(...lines)).toEqual(lines)
  })
})

it('sync writes what differs, says so, and leaves the rest', async () => {
  await using repository = await fixture()
  const before = await repository.read(readme)
  await repository.replace(sum, 'sum += number', 'sum = sum + number')
  await repository.replace(readme, ' <!-- term: sum -->\n', '\n<!-- term: sum -->')
  const { changed, faults } = await syncTexts(repository.root, true)
  expect(faults).toEqual([])
  expect(changed.map(({ line }) => line)).toEqual([22, 26])
  expect(await repository.read(readme)).toBe(before.replace('sum += number', 'sum = sum + number'))
  expect(await syncTexts(repository.root, true)).toEqual({ changed: [], faults: [] })
  expect(await checkTexts(repository.root)).toEqual([])
})

it('sync inserts the block below a marker that has none, also in a list', async () => {
  await using repository = await fixture()
  await repository.replace(
    readme,
    '**Change.**',
    '- as above:\n\n  <!-- code: src/sum/sum.ts#result -->\n\n**Change.**',
  )
  await repository.replace(sum, '  return sum', '  // #region result\n  return sum\n  // #endregion result')
  await syncTexts(repository.root, true)
  expect(await repository.read(readme)).toContain(
    '  <!-- code: src/sum/sum.ts#result -->\n  ```ts\n  return sum\n  ```\n\n**Change.**',
  )
  expect(await checkTexts(repository.root)).toEqual([])
})

it('sync --check only compares, and exits with 1 if something differs', async () => {
  await using repository = await fixture()
  const sync = (...args: string[]) => runProgram(program, args, { cwd: repository.root })
  expect(await sync('--check')).toMatchObject({ code: 0, stdout: '', stderr: '' })
  await repository.replace(readme, 'sum += number', 'sum += 1')
  const differs = `${readme}:26: code: received a block that differs from "src/sum/sum.ts#loop"`
  expect(await sync('--check')).toMatchObject({
    code: 1,
    stdout: `${differs}; accepts what the source holds: npm run sync\n`,
  })
  expect(await repository.read(readme)).toContain('sum += 1')
  expect(await sync()).toMatchObject({ code: 0, stdout: `${differs}: written\n` })
  expect(await repository.read(readme)).toContain('sum += number')
  expect(await sync('--chek')).toMatchObject({ code: 2, stderr: 'error: option: received "--chek"; accepts --check\n' })
})
