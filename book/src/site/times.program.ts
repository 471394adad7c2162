/** `npm run book:times -- [03-parallel/fib…]`: runs the examples in their quick form and writes how long each takes. */
import { readFile, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { readChapter } from '@repo/common/example/chapter'
import { describeError, UsageError } from '@repo/common/example/usage'
import { howMany } from '@repo/common/output/terminal'
import { runExample } from '@repo/common/testing/testing'
import type { Times } from './indexes.ts'
import { foldersOfExamples, root } from './repository.ts'

const file = 'times.json'

try {
  const all = (
    await Promise.all(
      foldersOfExamples.map(async (folder) => {
        const { name, examples } = await readChapter(join(root, folder))
        return examples.map((example) => ({ folder, example: example.name, id: `${name}/${example.name}` }))
      }),
    )
  ).flat()
  const wanted = process.argv.slice(2).filter((word) => word !== '--')
  for (const id of wanted) {
    if (!all.some((each) => each.id === id)) throw new UsageError('example', id, all.map(({ id }) => id).join(', '))
  }
  const before = JSON.parse(await readFile(file, 'utf8').catch(() => '{}')) as Partial<Times>
  const times: Times = {
    machine: `${howMany(availableParallelism(), 'core')}, ${process.platform}, Node ${process.versions.node}`,
    date: new Date().toISOString().slice(0, 10),
    // Examples that are gone go away.
    examples: Object.fromEntries(all.flatMap(({ id }) => (before.examples?.[id] ? [[id, before.examples[id]]] : []))),
  }
  for (const { folder, example, id } of all) {
    if (wanted.length > 0 && !wanted.includes(id)) continue
    process.stderr.write(`${id} …`)
    const start = performance.now()
    const run = await runExample(join(root, folder), example, ['--quick', '--json'], { timeoutMs: 600_000 })
    const seconds = Number(((performance.now() - start) / 1000).toFixed(1))
    process.stderr.write(` ${run.code === 0 ? `${seconds} s` : `exit code ${run.code}: ${run.stderr.trim()}`}\n`)
    if (run.code !== 0) {
      process.exitCode = 1
      continue
    }
    const { picture = [] } = run.json<{ picture?: string | string[] }>()
    const draws = [picture].flat().map((path) => basename(path))
    times.examples[id] = { seconds, draws }
    // What takes minutes is not lost when a later example fails.
    await writeFile(file, `${JSON.stringify(times, undefined, 2)}\n`)
  }
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
