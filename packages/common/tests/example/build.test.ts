/** Bundles of programs that start workers, programs and the reaper run from a folder that has nothing else. */
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { bundleProgram, bundleTogether } from '../../src/process/bundle.ts'
import { type TemporaryFolder, temporaryFolder } from '../../src/process/temporary.ts'
import { runProgram } from '../../src/testing/testing.ts'

const build = fileURLToPath(new URL('../../src/example/build.program.ts', import.meta.url))
const common = new URL('../../src/', import.meta.url)

const sources = {
  'work/double.worker.ts': `
    import { parentPort, workerData } from 'node:worker_threads'
    parentPort?.postMessage((workerData as number) * 2)`,
  'work/double.ts': `
    import { once } from 'node:events'
    import { Worker } from 'node:worker_threads'
    export async function double(value: number): Promise<number> {
      const [doubled] = await once(new Worker(new URL('./double.worker.ts', import.meta.url), { workerData: value }), 'message')
      return doubled
    }`,
  'rooms/child.program.ts': `
    import { ready } from '${new URL('process/ready.ts', common)}'
    import { double } from '../work/double.ts'
    ready(await double(21))
    process.on('message', () => {})`,
  'main.program.ts': `
    import { readFile } from 'node:fs/promises'
    import { startProgram } from '${new URL('process/child.ts', common)}'
    await using child = await startProgram<number>(new URL('./rooms/child.program.ts', import.meta.url))
    console.log(child.info, await readFile(new URL('./note.txt', import.meta.url), 'utf8'))`,
  'note.txt': 'copied as it is',
}

async function sourceFolder(files: Record<string, string>): Promise<TemporaryFolder> {
  const folder = await temporaryFolder()
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder.path, 'src', path, '..'), { recursive: true })
    await writeFile(join(folder.path, 'src', path), text.replaceAll('file://', ''))
  }
  return folder
}

it('keeps programs, workers and scripts where they find each other', async () => {
  await using folder = await sourceFolder(sources)
  expect(await runProgram(build, [], { cwd: folder.path })).toMatchObject({ code: 0, stdout: '' })
  const files = await readdir(join(folder.path, 'dist'), { recursive: true })
  expect(files.filter((file) => /\.\w+$/.test(file)).sort()).toEqual(
    expect.arrayContaining(['main.program.mjs', 'note.txt', 'rooms/child.program.mjs', 'work/double.worker.mjs']),
  )

  await using elsewhere = await temporaryFolder()
  await cp(join(folder.path, 'dist'), elsewhere.path, { recursive: true })
  await rm(join(folder.path, 'src'), { recursive: true })
  const run = await runProgram(join(elsewhere.path, 'main.program.mjs'), [], { cwd: elsewhere.path })
  expect(run, run.stderr).toMatchObject({ code: 0, stdout: '42 copied as it is\n' })
  expect(await run.leftBehind()).toEqual([])
})

it('makes the same bytes of the same sources, as does one program alone', async () => {
  await using folder = await sourceFolder({
    'one.program.ts': 'class Named {}\nconsole.log(process.env.VERSION, Named.name)',
  })
  const file = new URL(`file://${join(folder.path, 'src', 'one.program.ts')}`)
  const options = { target: 'node22', constants: { VERSION: 'seven' } }
  const bundle = await bundleProgram(file, options)
  expect(Buffer.from(bundle).equals(await bundleProgram(file, options))).toBe(true)
  await writeFile(join(folder.path, 'one.mjs'), bundle)
  expect((await runProgram(join(folder.path, 'one.mjs'))).stdout).toBe('seven Named\n')
})

it('bundles a file once, also where two name each other', { timeout: 5_000 }, async () => {
  const naming = (file: string) => `console.log(new URL('./${file}', import.meta.url))`
  await using folder = await sourceFolder({ 'a.ts': naming('b.ts'), 'b.ts': naming('a.ts') })
  const src = join(folder.path, 'src')
  const bundles = await bundleTogether(src, [join(src, 'a.ts')], { target: 'node22' })
  expect([...bundles.keys()].sort()).toEqual(['a.mjs', 'b.mjs'])
})

it('says in one line what cannot be bundled', async () => {
  await using folder = await sourceFolder({ 'one.program.ts': "import './missing.ts'" })
  const { code, stderr } = await runProgram(build, [], { cwd: folder.path })
  expect(code).toBe(1)
  expect(stderr).toMatch(/^error: Build failed.*missing\.ts.*\n$/)
})
