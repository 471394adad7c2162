/**
 * `build` of a chapter, run in the chapter's folder: bundles its programs and workers into `dist`, at the same
 * places as in `src`. A bundle needs Node and nothing else: `node dist/worker/main.program.mjs`.
 *
 * Argument: the oldest Node that they must run on; `node22` by default.
 */
import { glob, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { bundleTogether } from '../process/bundle.ts'
import { describeError } from './usage.ts'

const [target = 'node22'] = process.argv.slice(2)
const folder = resolve('src')

try {
  const programs = await Array.fromAsync(glob('**/*.{program,worker}.ts', { cwd: folder }), (file) =>
    join(folder, file),
  )
  const bundles = await bundleTogether(folder, programs.sort(), { target })
  await rm('dist', { recursive: true, force: true })
  for (const [path, contents] of bundles) {
    await mkdir(dirname(join('dist', path)), { recursive: true })
    await writeFile(join('dist', path), contents)
  }
  process.stderr.write(`${bundles.size} files in dist\n`)
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = 1
}
