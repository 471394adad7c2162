/**
 * Code in the texts comes from the sources. `<!-- code: path#region -->` stands directly above a block, and the block holds
 * what the region of that file holds.
 */
import { readFile } from 'node:fs/promises'
import { extname, join, posix } from 'node:path'
import type { Code } from 'mdast'
import { visit } from 'unist-util-visit'
import { readRegions } from './regions.ts'
import { type Fault, rangeOf, type Text } from './text.ts'

const languages: Record<string, string> = { '.mts': 'ts', '.mjs': 'js', '.py': 'python' }

/** Source files by their paths from the root, read once, and which of their regions the texts show. */
export function openSources(root: string) {
  const files = new Map<string, Promise<ReturnType<typeof readRegions>>>()
  const shown = new Set<string>()
  const read = (file: string) => {
    const reading = files.get(file) ?? readFile(join(root, file), 'utf8').then((source) => readRegions(file, source))
    files.set(file, reading)
    return reading
  }
  return {
    /** Returns the code of a region, or undefined if the file has no such region. Rejects if there is no such file. */
    async show(file: string, region: string): Promise<{ code: string | undefined; regions: string[] }> {
      const { regions } = await read(file)
      shown.add(`${file}#${region}`)
      return { code: regions.get(region)?.code, regions: [...regions.keys()] }
    },
    /** What is wrong with the regions of files, when all texts have shown theirs. */
    async faults(paths: string[]): Promise<Fault[]> {
      const found = await Promise.all(
        paths.map(async (file) => {
          const { regions, faults } = await read(file)
          const unused = [...regions.values()].filter(({ name }) => !shown.has(`${file}#${name}`))
          const message = ({ name }: { name: string }) =>
            `region: received "${name}", which no README.md shows; accepts regions that one shows`
          return [...faults, ...unused.map((region) => ({ file, line: region.line, message: message(region) }))]
        }),
      )
      return found.flat()
    },
  }
}

export type Sources = ReturnType<typeof openSources>

/**
 * Writes the code of the regions into a text.
 *
 * @returns the new source, a fault for each block that differs from its region, and one for each that has none
 */
export async function syncCode(text: Text, sources: Sources) {
  const { file, source } = text
  const stale: Fault[] = []
  const faults: Fault[] = []
  const blocks = new Map<number, Code>()
  visit(text.tree, 'code', (node) => void blocks.set(rangeOf(node).line, node))

  let written = ''
  let done = 0
  for (const { name, value, line, end } of text.markers) {
    if (name !== 'code') continue
    const [path = '', region = ''] = value.split('#')
    const from = posix.join(posix.dirname(file), path)
    const fault = (message: string) => void faults.push({ file, line, message: `code: ${message}` })
    if (region === '') {
      fault(`received "${value}"; accepts path#region`)
      continue
    }
    const { code, regions } = await sources.show(from, region).catch(() => ({ code: undefined, regions: undefined }))
    if (code === undefined) {
      const accepts = regions?.length ? regions.join(', ') : 'a region that the file has'
      fault(`received "${value}"; accepts ${regions ? accepts : `a file: there is no ${from}`}`)
      continue
    }
    const block = blocks.get(line + 1)
    const lineStart = source.lastIndexOf('\n', end - 1) + 1
    const indent = /^[ \t]*/.exec(source.slice(lineStart))?.[0] ?? ''
    const language = block?.lang ?? languages[extname(path)] ?? extname(path).slice(1)
    const fence = code.includes('```') ? '````' : '```'
    const shown = [fence + language, ...code.split('\n'), fence]
      .map((one) => (one === '' ? '' : indent + one))
      .join('\n')
    const old = block ? source.slice(rangeOf(block).start, rangeOf(block).end) : ''
    if (indent + old === shown) continue
    stale.push({
      file,
      line: block ? line + 1 : line,
      message: `code: received ${block ? 'a block that differs from' : 'no block below'} "${value}"; accepts what the source holds: npm run sync`,
    })
    written += `${source.slice(done, end)}\n${shown}`
    done = block ? rangeOf(block).end : end
  }
  return { source: written + source.slice(done), stale, faults }
}
