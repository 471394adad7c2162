/** Outputs that cannot be written: a full disk, a closed pipe, and a folder for pictures that is none. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loader } from '../../src/process/child.ts'
import { type TemporaryFolder, temporaryFolder } from '../../src/process/temporary.ts'
import { runExample } from '../../src/testing/testing.ts'

const declared = fileURLToPath(new URL('../fixtures/declared.ts', import.meta.url))
const source = fileURLToPath(new URL('../../src/example/', import.meta.url))
const setup = fileURLToPath(new URL('../../../../setup/', import.meta.url))

/** A chapter whose examples draw, log, or parse options as a program does. */
let chapter: TemporaryFolder
beforeAll(async () => {
  chapter = await temporaryFolder()
  await mkdir(join(chapter.path, 'examples'))
  await writeFile(join(chapter.path, 'package.json'), JSON.stringify({ type: 'module', tour: ['draws'] }))
  await writeFile(
    join(chapter.path, 'examples', 'draws.ts'),
    `/** draws: a picture */
     import { example } from ${JSON.stringify(`${source}example.ts`)}
     import { logger } from ${JSON.stringify(`${source}../output/log.ts`)}
     export default example(import.meta, {
       options: {},
       async run(_, { print, picture }) {
         logger('draws').warn('drawing')
         process.stderr.write('drawing\\n')
         const drawn = await picture('drawn.svg', '<svg/>')
         print('a table', 'Picture: ' + drawn)
         return { picture: drawn }
       },
       figure: () => 'drawn',
     })`,
  )
  await writeFile(
    join(chapter.path, 'program.ts'),
    `import { program } from ${JSON.stringify(`${source}command-line.ts`)}
     await program({ usage: 'program', text: 'a program', options: {}, run: async () => {} })`,
  )
})
afterAll(() => chapter[Symbol.asyncDispose]())

describe.skipIf(!existsSync('/dev/full'))('a full disk', () => {
  it.each([
    ['an example', declared, []],
    ["a chapter's help", join(source, 'start.program.ts'), ['--help']],
    ['the tour', join(source, 'tour.program.ts'), []],
    ["a program's help", 'program.ts', ['--help']],
    ['npm start', join(setup, 'start.mjs'), ['--help']],
    ['npm test', join(setup, 'test.mjs'), ['--help']],
    ['npm run doctor', join(setup, 'doctor.mjs'), []],
  ])('in place of standard output is told in one line: %s', async (_, file, args) => {
    await using full = await open('/dev/full', 'w')
    const child = spawn(process.execPath, [...loader(), file, ...args], {
      cwd: chapter.path,
      stdio: ['ignore', full.fd, 'pipe'],
    })
    const said = child.stderr ? text(child.stderr) : ''
    expect(await once(child, 'close')).toEqual([1, null])
    expect(await said).toBe('error: standard output cannot be written: ENOSPC: no space left on device, write\n')
  })

  it('in place of standard error stops nobody', async () => {
    await using full = await open('/dev/full', 'w')
    const child = spawn(process.execPath, [...loader(), 'examples/draws.ts'], {
      cwd: chapter.path,
      stdio: ['ignore', 'pipe', full.fd],
    })
    const printed = child.stdout ? text(child.stdout) : ''
    expect(await once(child, 'close')).toEqual([0, null])
    expect(await printed).toMatch(/^a table\nPicture: .*drawn\.svg\n$/)
  })
})

it.each([
  ['an example', 'examples/draws.ts', [], 0],
  ['an example that is refused', 'examples/draws.ts', ['--nonsense'], 2],
  ['npm start', join(setup, 'start.mjs'), ['nonsense'], 2],
])('a closed standard error changes nothing: %s', async (_, file, args, code) => {
  // Nobody reads it any more.
  const child = spawn(process.execPath, [...loader(), file, ...args], {
    cwd: chapter.path,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  child.stderr?.destroy()
  expect(await once(child, 'exit')).toEqual([code, null])
})

describe('a picture that cannot be written', () => {
  it.each([
    ['a file', (out: string) => writeFile(out, '')],
    ['a link to itself', (out: string) => symlink(out, out)],
  ])('is a warning below the results when the folder is %s', async (_, make) => {
    await using folder = await temporaryFolder()
    await mkdir(join(folder.path, 'examples'))
    await writeFile(join(folder.path, 'package.json'), '{"type":"module"}')
    await writeFile(join(folder.path, 'examples/draws.ts'), await readFile(join(chapter.path, 'examples/draws.ts')))
    await make(join(folder.path, 'out'))
    const run = await runExample(folder.path, 'draws', [], { env: { LOG_LEVEL: 'silent' } })
    expect(run).toMatchObject({ code: 0, stdout: expect.stringMatching(/^a table\nPicture: none \(E[A-Z]+: .*\)\n$/) })
    expect(run.stderr).toMatch(/^drawing\nwarning: drawn\.svg cannot be written: E[A-Z]+: [^\n]*\n$/)
    expect(await readdir(folder.path)).toContain('out')
  })
})
