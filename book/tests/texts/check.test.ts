/** Each fault of a text is found, with its file and line, and nothing else is reported. */
import { fileURLToPath } from 'node:url'
import { runProgram } from '@repo/common/testing/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { checkTexts } from '../../src/texts/check.ts'
import { chapterFolders, chapterNamed } from '../../src/texts/folders.ts'
import { type Fixture, fixture } from './fixture.ts'

const readme = 'chapters/01-count/README.md'
const sum = 'chapters/01-count/src/sum/sum.ts'
const claims = 'chapters/01-count/claims/count.ts'
const program = fileURLToPath(new URL('../../src/texts/check.program.ts', import.meta.url))

it('finds nothing in texts that are true', async () => {
  await using repository = await fixture()
  expect(await checkTexts(repository.root)).toEqual([])
})

/** What is wrong, the file, what is replaced by what, and the faults that this makes. */
const faults: [what: string, file: string, from: string, to: string, ...found: string[]][] = [
  // Code
  [
    'code that differs',
    readme,
    '  sum += number\n',
    '  sum += 1\n',
    `${readme}:26: code: received a block that differs from "src/sum/sum.ts#loop"; accepts what the source holds: npm run sync`,
  ],
  [
    'a source that has changed',
    sum,
    'sum += number',
    'sum += +number',
    `${readme}:26: code: received a block that differs from "src/sum/sum.ts#loop"; accepts what the source holds: npm run sync`,
  ],
  [
    'a file that is missing',
    readme,
    'sum.ts#loop',
    'gone.ts#loop',
    `${readme}:25: code: received "src/sum/gone.ts#loop"; accepts a file: there is no chapters/01-count/src/sum/gone.ts`,
    `${sum}:3: region: received "loop", which no README.md shows; accepts regions that one shows`,
  ],
  [
    'a region that is missing',
    readme,
    'sum.ts#loop',
    'sum.ts#lop',
    `${readme}:25: code: received "src/sum/sum.ts#lop"; accepts loop`,
    `${sum}:3: region: received "loop", which no README.md shows; accepts regions that one shows`,
  ],
  [
    'a whole file',
    readme,
    'sum.ts#loop',
    'sum.ts',
    `${readme}:25: code: received "src/sum/sum.ts"; accepts path#region`,
    `${sum}:3: region: received "loop", which no README.md shows; accepts regions that one shows`,
  ],
  [
    'a region that is unused',
    sum,
    '  return sum',
    '  // #region result\n  return sum\n  // #endregion result',
    `${sum}:9: region: received "result", which no README.md shows; accepts regions that one shows`,
  ],
  [
    'a region without an end',
    sum,
    '  return sum',
    '  // #region result\n  return sum',
    `${sum}:9: region: received "result" without an end; accepts #endregion result below it`,
  ],

  // Claims
  [
    'a sentence that differs from its claim',
    readme,
    'at the age of 9',
    'at the age of 8',
    `${readme}:22: claim: "known-formula": received "The sum is n (n + 1) / 2, as Gauss knew at the age of 8."; accepts "The sum is n (n + 1) / 2, as Gauss knew at the age of 9." as in ${claims}:5`,
  ],
  [
    'a sentence without a claim',
    claims,
    "'known-formula'",
    "'old-formula'",
    `${claims}:5: claim: received "old-formula", which no sentence of ${readme} is marked with; accepts one`,
    `${readme}:22: claim: received "known-formula"; accepts a claim that a file in claims declares`,
  ],
  [
    'a claim without an end',
    readme,
    '<!-- /claim -->',
    '',
    `${claims}:5: claim: received "known-formula", which no sentence of ${readme} is marked with; accepts one`,
    `${readme}:22: claim: received "known-formula" without an end; accepts <!-- /claim --> after the sentence`,
  ],
  [
    'an end without a claim',
    readme,
    'UTF-8',
    '<!-- /claim -->UTF-8',
    `${readme}:23: claim: received an end; accepts it only after <!-- claim: id -->`,
  ],
  [
    'an id of another form',
    claims,
    "'known-formula'",
    'knownFormula',
    `${claims}:5: claim: received "knownFormula"; accepts an id in lower case with hyphens`,
    `${claims}:5: claim: received "knownFormula", which no sentence of ${readme} is marked with; accepts one`,
    `${readme}:22: claim: received "known-formula"; accepts a claim that a file in claims declares`,
  ],

  // Numbers
  [
    'a number that nothing answers for',
    readme,
    'UTF-8 has',
    'Of 4 texts, UTF-8 has',
    `${readme}:23: number: received 4 in "Of 4 texts, UTF-8 has nothing to do with it…"; accepts numbers of a block of this section, a claim, or a sentence with a link or a source`,
  ],

  // Markers and terms
  [
    'a marker that no check knows',
    readme,
    '<!-- term: sum -->',
    '<!-- therm: sum -->',
    `${readme}:21: marker: received "therm: sum"; accepts code: path#region, claim: id, /claim, term: name, source: origin or interactive: element`,
  ],
  [
    'a marker that Markdown would take for HTML',
    readme,
    ' <!-- term: sum -->\n',
    '\n<!-- term: sum -->',
    `${readme}:22: marker: received one at the start of a line, which Markdown takes for HTML; accepts it at the end of the line above or, before a paragraph, on a line of its own: npm run sync moves it`,
  ],
  [
    'a term that is defined twice',
    readme,
    'UTF-8',
    '<!-- term: Sum -->UTF-8',
    `${readme}:23: term: received "Sum", which line 21 defines; accepts one definition of each term`,
  ],
  [
    'a term without a sentence',
    readme,
    '<!-- code:',
    '<!-- term: hand -->\n\n<!-- code:',
    `${readme}:25: term: received "hand" without a sentence; accepts it directly before the sentence that defines it`,
  ],

  // Names
  [
    'a link to a file that is missing',
    'README.md',
    'README.md#counting',
    'TEXT.md',
    'README.md:3: link: received "chapters/01-count/TEXT.md"; accepts a file: there is no chapters/01-count/TEXT.md',
  ],
  [
    'a link to a heading that is missing',
    'README.md',
    '#counting',
    '#sums',
    `README.md:3: link: received "chapters/01-count/README.md#sums"; accepts a heading of ${readme}: #chapter-1-counting, #counting`,
  ],
  [
    'a picture that is missing',
    readme,
    'numbers.svg',
    'sums.svg',
    `${readme}:19: picture: received "pictures/sums.svg"; accepts a file: there is no chapters/01-count/pictures/sums.svg`,
  ],
  [
    'an example in a table',
    readme,
    '[`count`]',
    '[`sum`]',
    `${readme}:5: example: received "sum"; accepts an example of 01-count: count`,
  ],
  [
    'an example in a command',
    readme,
    'start count',
    'start sum',
    `${readme}:12: example: received "sum"; accepts an example of 01-count: count`,
  ],
  [
    'an option in a command',
    readme,
    'count --limit 3',
    'count --until 3',
    `${readme}:12: count: option: received "--until"; accepts --limit, --fail, --forever, --quick, --json, --help`,
  ],
  [
    'a value in a command',
    readme,
    'count --limit 3',
    'count --limit 300 # numbers: 3',
    `${readme}:12: count: --limit: received "300"; accepts a whole number from 1 to 100`,
  ],
  [
    'an operand in a command',
    readme,
    'count --limit 3',
    'count 3',
    `${readme}:12: count: operand: received "3"; accepts no operands, only --limit, --fail, --forever, --quick, --json, --help`,
  ],
  [
    'an option of the headline',
    readme,
    'start count --limit',
    'start --until',
    `${readme}:12: count: option: received "--until"; accepts --limit, --fail, --forever, --quick, --json, --help`,
  ],
  [
    'an option of a program',
    readme,
    'add --limit',
    'add --until',
    `${readme}:33: option: received "--until"; accepts --limit, --help`,
  ],
  [
    'an option in inline code',
    readme,
    '`--limit 100`',
    '`--until 100`',
    `${readme}:33: option: received "--until"; accepts --fail, --forever, --help, --json, --limit, --quick, or the name of its program before it`,
  ],
  [
    'a package',
    readme,
    '--filter 01-count start',
    '--filter 01-sum start',
    `${readme}:12: package: received "01-sum"; accepts 01-count`,
  ],
  [
    'a script of a package',
    readme,
    '01-count add',
    '01-count sum',
    `${readme}:33: script: received "sum"; accepts start, add`,
  ],
  [
    'a script of the root',
    'README.md',
    'npm run start',
    'npm run begin',
    'README.md:3: script: received "npm run begin"; accepts npm run start',
  ],
  [
    'a path in inline code',
    readme,
    '`count`](#counting)',
    '`count`](#counting) `src/count`',
    `${readme}:5: path: received "src/count"; accepts a file or folder of this project`,
    `${readme}:5: example: received "src/count"; accepts an example of 01-count: count`,
  ],
  [
    'a diagram without a picture',
    readme,
    '## Counting\n',
    '## Counting\n\n```mermaid\nflowchart LR\n  a --> b\n```\n',
    `${readme}:9: diagram: there is no picture of it; npm run book:draw draws one`,
  ],
]

let shared: Fixture
beforeAll(async () => {
  shared = await fixture()
})
afterAll(() => shared[Symbol.asyncDispose]())

it.each(faults)('finds %s', async (_what, file, from, to, ...found) => {
  // A module is loaded once from each place, and a program asked for its options once: only other claims need a new one.
  await using own = file === claims ? await fixture() : undefined
  const repository = own ?? shared
  const before = await repository.read(file)
  await using _restored = { [Symbol.asyncDispose]: () => repository.write(file, before) }
  await repository.replace(file, from, to)
  const lines = (await checkTexts(repository.root)).map(({ file, line, message }) => `${file}:${line}: ${message}`)
  expect(lines.sort()).toEqual(found.sort())
})

it('says which files of claims and examples cannot be used', async () => {
  await using repository = await fixture()
  await repository.write(claims, 'export default undefined\n')
  await repository.write(
    'chapters/01-count/claims/sum.ts',
    (await repository.read('chapters/01-count/claims/count.ts'))
      .replace('known', 'old')
      .replace('default undefined', ''),
  )
  await repository.write('chapters/01-count/examples/sum.ts', "throw new Error('not today')\n")
  const lines = (await checkTexts(repository.root)).map(({ file, line, message }) => `${file}:${line}: ${message}`)
  expect(lines).toContain(`${claims}:1: claims: received no default export; accepts export default claims(example, …)`)
  expect(lines).toContain('chapters/01-count/examples/sum.ts:1: example: it cannot be loaded: not today')
})

it('refuses an id that two files of a chapter have, and claims about another example', async () => {
  await using repository = await fixture()
  const text = await repository.read(claims)
  await repository.write('chapters/01-count/claims/other.ts', text)
  await repository.write(
    'chapters/01-count/examples/second.ts',
    (await repository.read('chapters/01-count/examples/count.ts')).replace('count: ', 'second: '),
  )
  await repository.write('chapters/01-count/claims/second.ts', text.replace('examples/count.ts', 'examples/second.ts'))
  const lines = (await checkTexts(repository.root)).map(({ file, line, message }) => `${file}:${line}: ${message}`)
  expect(lines).toEqual([
    'chapters/01-count/claims/other.ts:1: claims: received claims about count.ts; accepts those about examples/other.ts',
    `chapters/01-count/claims/second.ts:5: claim: received "known-formula", which ${claims}:5 has; accepts each id once in a chapter`,
  ])
})

it('prints a line for each fault, of the chosen chapters and kinds, and exits with 1', async () => {
  await using repository = await fixture()
  const check = async (...args: string[]) => {
    const { code, stdout, stderr } = await runProgram(program, args, { cwd: repository.root })
    return { code, stdout, stderr }
  }
  expect(await check('01')).toEqual({ code: 0, stdout: '', stderr: '' })
  await repository.replace(readme, 'UTF-8 has', 'Of 4 texts, UTF-8 has')
  await repository.replace(readme, 'numbers.svg', 'sums.svg')
  const number = /^chapters\/01-count\/README\.md:23: number: received 4 /
  const all = await check()
  expect(all).toMatchObject({ code: 1, stderr: 'error: 2 faults in the texts\n' })
  expect(all.stdout.split('\n')[1]).toMatch(number)
  const some = await check('--numbers', '01')
  expect(some).toMatchObject({ code: 1, stderr: 'error: 1 fault in the texts\n' })
  expect(some.stdout).toMatch(number)
  expect(await check('--all')).toEqual({
    code: 2,
    stdout: '',
    stderr: 'error: option: received "--all"; accepts --numbers\n',
  })
})

it('knows chapters by their first letters', async () => {
  await using repository = await fixture()
  const folders = await chapterFolders(repository.root)
  expect(['01', '01-count', 'bench'].map((given) => chapterNamed(folders, given))).toEqual([
    'chapters/01-count',
    'chapters/01-count',
    'bench',
  ])
  expect(() => chapterNamed(folders, '02')).toThrow('chapter: received "02"; accepts 01-count, bench')
})
