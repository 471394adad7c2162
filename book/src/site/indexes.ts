/** Pages made of what is in the folders: the examples and the exercises. */
import { posix } from 'node:path'
import { readHeader } from '@repo/common/example/header'
import { visit } from 'unist-util-visit'
import { needs, users } from '../../../setup/needs.mjs'
import { linkTo } from './references.ts'
import { chapters, foldersOfExamples, list, read, root } from './repository.ts'
import type { Text } from './text.ts'

/** A timed run of all examples in their quick form: `book/times.json`, written by `times.program.ts`. */
export interface Times {
  /** Where it was timed, such as `2 cores, linux, Node 24.21.0`. */
  machine: string
  date: string
  /** By `03-parallel/fib`. */
  examples: Record<string, Timed>
}

export interface Timed {
  seconds: number
  /** The names of the pictures. */
  draws: string[]
}

export const readTimes = () => JSON.parse(read('book/times.json')) as Times

/** Which examples need a part of the system, and which only use it where it is there. */
function needed(name: string, use: ReturnType<typeof users>): string {
  const parts = needs.flatMap(({ id, name: part }) => {
    const { examples = [], optional = [] } = use.get(id) ?? {}
    return examples.includes(name) ? [part] : optional.includes(name) ? [`${part} (optional)`] : []
  })
  return parts.join(', ') || '–'
}

/** The index of all examples, with how long they take if that was measured. */
export async function examplesText(texts: Text[], times: Times): Promise<string> {
  const use = users()
  const isTimed = Object.keys(times.examples).length > 0
  const sections = await Promise.all(
    foldersOfExamples.map(async (folder) => {
      const chapter = posix.basename(folder)
      const files = list(`${folder}/examples`).filter((name) => name.endsWith('.ts'))
      const examples = await Promise.all(files.map((name) => readHeader(`${root}/${folder}/examples/${name}`)))
      const text = texts.find(({ file }) => file === `${folder}/README.md`)
      if (text === undefined) throw new Error(`${folder}: it has examples and no README.md`)
      const rows = examples.map(({ name, summary }) => {
        const { anchor, pictures } = sectionOf(text, name)
        const timed = times.examples[`${chapter}/${name}`]
        const others = (timed?.draws ?? []).filter((file) => !pictures.has(file)).map((file) => `\`${file}\``)
        const draws = [...pictures.values(), ...others]
        return [
          `[\`${name}\`](${linkTo(text, anchor)})`,
          `${summary} ([source](../../${folder}/examples/${name}.ts))`,
          needed(`${chapter}/${name}`, use),
          ...(isTimed ? [timed ? seconds(timed.seconds) : 'not timed'] : []),
          draws.join('; ') || '–',
        ]
      })
      return [
        `## ${text.title}`,
        table(['example', 'what it shows', 'needs', ...(isTimed ? ['takes'] : []), 'draws'], rows),
      ]
    }),
  )
  const count =
    sections
      .flat()
      .join('\n')
      .match(/^\| \[`/gm)?.length ?? 0
  return [
    '# All examples',
    isTimed
      ? `${count} programs to run. "Takes" is the time of the quick form (\`--quick\`) from start to end, on ${times.machine}; without it, most take several times as long.`
      : `${count} programs to run.`,
    ...sections.flat(),
  ].join('\n\n')
}

/** Where a text runs an example first, and the descriptions of the pictures that its runs there drew, by file name. */
function sectionOf(text: Text, example: string): { anchor?: string; pictures: Map<string, string> } {
  const command = new RegExp(`^pnpm .*\\bstart ${example}(\\s|$)`, 'm')
  const pictures = new Map<string, string>()
  let heading = -1
  let anchor: string | undefined
  let isRun = false
  visit(text.tree, (node) => {
    // The first heading is the title.
    if (node.type === 'heading') heading++
    else if (node.type === 'code' && /^pnpm /.test(node.value)) {
      isRun = command.test(node.value)
      if (isRun) anchor ??= text.headings[heading - 1]?.slug
    } else if (node.type === 'image' && isRun) pictures.set(posix.basename(node.url), node.alt ?? '')
  })
  return { ...(anchor && { anchor }), pictures }
}

const seconds = (value: number) => (value < 9.95 ? `${value.toFixed(1)} s` : `${value.toFixed(0)} s`)

const table = (head: string[], rows: string[][]) =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n')
const cell = (text: string) => text.replaceAll('|', '\\|')

/** The index of the exercises: a folder each, whose README.md begins with the exercise's title. */
export function exercisesText(): string {
  const sections = chapters.map((chapter) => {
    const text = read(`${chapter}/README.md`)
    const names = list(`${chapter}/exercises`).filter((name) => name.endsWith('/'))
    const rows = names.map((folder) => {
      const name = folder.slice(0, -1)
      const task = read(`${chapter}/exercises/${name}/README.md`)
      const [, builds = '–'] =
        new RegExp(`^\\| \\[.*\\]\\(exercises/${name}\\b.*?\\) +\\| (.*?) +\\|$`, 'm').exec(text) ?? []
      return [`[\`${name}\`](../../${chapter}/exercises/${name}): ${titleOf(task)}`, builds]
    })
    return [`## ${titleOf(text)}`, table(['exercise', 'what you build'], rows)]
  })
  return [
    '# Exercises',
    'Each exercise has a task, hints, a checker that says whether your answer is right, and a solution. [Exercises](../../README.md#exercises) has the commands.',
    ...sections.flat(),
  ].join('\n\n')
}

const titleOf = (text: string) => /^# (.+)$/m.exec(text)?.[1] ?? ''
