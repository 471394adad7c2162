/** Figures for the book's own pages, taken from the outputs that the texts have recorded. */
import GithubSlugger from 'github-slugger'
import { exists, read } from './repository.ts'

const figure = /`figure: (\S+) (.+?) > (.+?) > (.+?)`/g

/**
 * Replaces each `figure: bench compare > bee-queue > tasks per second` by the figure itself, linked to where it was
 * recorded: the folder, the command behind `start`, the row by its first cell, and the column, by its title or as a number
 * from 1.
 *
 * @throws an Error that names what does not exist
 */
export function figuresOf(markdown: string): string {
  return markdown.replaceAll(figure, (_, folder: string, command: string, row: string, column: string) => {
    const path = exists(`chapters/${folder}/README.md`) ? `chapters/${folder}/README.md` : `${folder}/README.md`
    const { output, anchor } = recorded(path, `pnpm --filter ${folder} start ${command}`)
    return `[${cell(output, row, column, path)}](../../${path}#${anchor})`
  })
}

/** The output below a command, and the heading above it. */
function recorded(path: string, command: string): { output: string; anchor: string } {
  const text = read(path)
  const at = text.indexOf(`\`\`\`\n${command}\n\`\`\``)
  if (at < 0) throw new Error(`${path}: it has no recorded output of "${command}"`)
  const [, output = ''] = /^```\n.*\n```\s+```\w*\n([\s\S]*?)\n```/.exec(text.slice(at)) ?? []
  const slugger = new GithubSlugger()
  // A number behind an anchor depends on all headings before it. Code may have lines that look like headings.
  const above = text.slice(0, at).replaceAll(/^```[\s\S]*?^```/gm, '')
  const anchor = [...above.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => slugger.slug(title)).at(-1) ?? ''
  return { output, anchor }
}

function cell(output: string, row: string, column: string, path: string): string {
  const lines = output.split('\n')
  const cells = (line: string) => line.trim().split(/\s{2,}/)
  const at = lines.findIndex((line) => cells(line)[0] === row)
  if (at < 0) throw new Error(`${path}: the output has no row "${row}"`)
  const values = cells(lines[at] ?? '')
  const header = /^\d+$/.test(column) ? -1 : lines.slice(0, at).findLastIndex((line) => cells(line).includes(column))
  if (header < 0 && !/^\d+$/.test(column)) throw new Error(`${path}: the output has no column "${column}"`)
  const titles = cells(lines[header] ?? '')
  // The column of names often has no title.
  const index = header < 0 ? Number(column) : titles.indexOf(column) + values.length - titles.length
  const value = values[index]
  if (value === undefined) throw new Error(`${path}: the row "${row}" has no column "${column}"`)
  return value
}
