/** What an example says of itself. By itself, because a chapter's help reads many headers and runs nothing. */
import { readFile } from 'node:fs/promises'
import { basename, extname } from 'node:path'

/**
 * Reads the header comment of an example: its name and summary from the first line, `name: summary`, and all its text.
 */
export async function readHeader(file: string): Promise<{ name: string; summary: string; text: string }> {
  const source = await readFile(file, 'utf8')
  const comment = /^\s*\/\*\*(.*?)\*\//s.exec(source)?.[1] ?? ''
  const text = comment.replaceAll(/^[ \t]*\* ?/gm, '').trim()
  const name = basename(file, extname(file))
  const firstLine = text.split('\n', 1)[0] ?? ''
  if (!firstLine.startsWith(`${name}: `)) throw new Error(`${file} must open with a comment "${name}: <summary>"`)
  return { name, summary: firstLine.slice(name.length + 2), text }
}
