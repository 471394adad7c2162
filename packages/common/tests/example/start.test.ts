import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../src/process/temporary.ts'
import { runProgram } from '../../src/testing/testing.ts'

const start = fileURLToPath(new URL('../../src/example/start.program.ts', import.meta.url))

/** Makes a chapter with two examples from the fixture. */
async function chapter() {
  const folder = await temporaryFolder()
  const source = await readFile(new URL('../fixtures/declared.ts', import.meta.url), 'utf8')
  await mkdir(join(folder.path, 'examples'))
  await writeFile(join(folder.path, 'package.json'), JSON.stringify({ type: 'module', tour: ['second'] }))
  for (const name of ['first', 'second']) {
    const here = source
      .replace('declared:', `${name}:`)
      .replaceAll('../../src/', new URL('../../src/', import.meta.url).href)
    await writeFile(join(folder.path, 'examples', `${name}.ts`), here)
  }
  return folder
}

describe("a chapter's start", () => {
  it('runs the headline without a name and lists the others', async () => {
    await using folder = await chapter()
    const { code, stdout } = await runProgram(start, [], { cwd: folder.path })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^running with 2 workers\n/)
    expect(stdout).toMatch(/ {2}first +an example that shows/)
    expect(stdout).toMatch(/ {2}second +an example that shows .* \(the headline\)/)
  })

  it('runs an example by its name, with its options, also after --', async () => {
    await using folder = await chapter()
    const named = await runProgram(start, ['first', '--json', '--workers', '3'], { cwd: folder.path })
    expect(named.json()).toMatchObject({ workers: 3 })
    const separated = await runProgram(start, ['--', 'first', '--json'], { cwd: folder.path })
    expect(separated.json()).toMatchObject({ workers: 2 })
    const headline = await runProgram(start, ['--json', '--quick'], { cwd: folder.path })
    expect(headline.json()).toMatchObject({ quick: true })
  })

  it('refuses an unknown example with exit code 2', async () => {
    await using folder = await chapter()
    const { code, stderr } = await runProgram(start, ['third'], { cwd: folder.path })
    expect({ code, stderr }).toEqual({ code: 2, stderr: 'error: example: received "third"; accepts first, second\n' })
  })
})
