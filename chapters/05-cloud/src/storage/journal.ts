/**
 * The journal of an upload: a file beside the uploaded one that records which parts the store has. It outlives the
 * process, so that the upload can resume or be given up later.
 *
 * The first line names the upload and describes the file. Each further line is a StoredPart. A process that is killed
 * while it writes, or a full disk, leaves half a line at the end, which is cut off before anything is appended.
 */
import { randomUUID } from 'node:crypto'
import { link, open, readFile, rename, rm, truncate } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { md5Of } from './checksums.ts'
import { onDisk } from './disk.ts'
import type { StoredPart, Upload } from './parts.ts'

/** The upload, and the file when it began. */
export interface JournalHead extends Upload {
  partSize: number
  size: number
  mtimeMs: number
  /** The metadata with which the store began the object. Nothing can change it later. */
  metadata: Record<string, string>
}

export interface Journal {
  head: JournalHead
  parts: StoredPart[]
}

const headLine = z.strictObject({
  bucket: z.string(),
  key: z.string(),
  id: z.string().min(1),
  partSize: z.int().positive(),
  size: z.int().positive(),
  mtimeMs: z.number(),
  // Earlier journals have none, and every upload has some.
  metadata: z.record(z.string(), z.string()).default({}),
})

const partLine = z.object({
  number: z.int().positive(),
  bytes: z.int().positive(),
  etag: z.string().min(1),
  crc32: z.string().length(8),
  keepsCrc32: z.boolean().default(true),
})

/** The file that records the stored parts of a file while it is uploaded. */
export const journalOf = (path: string) => beside(path, '.upload')

/** File systems allow no more bytes in a name. */
const longestName = 255

/** The path of a file that belongs to another one in the same folder. */
export function beside(path: string, suffix: string): string {
  const name = `${basename(path)}${suffix}`
  return Buffer.byteLength(name) <= longestName
    ? `${path}${suffix}`
    : join(dirname(path), `${md5Of(basename(path))}${suffix}`)
}

/**
 * Reads the journal of a file. Returns undefined where there is none.
 *
 * @throws a NoJournalError when a file of that name is somebody's own
 */
export async function readJournal(path: string): Promise<Journal | undefined> {
  const file = journalOf(path)
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (code === 'EISDIR') throw new NoJournalError(file)
    throw error
  }
  const [first = '', ...lines] = text.split('\n')
  const head = headLine.safeParse(jsonOf(first))
  if (!head.success) throw new NoJournalError(file)
  // The last line is empty, or torn. Any other that cannot be read was damaged: its part is sent again.
  const read = lines.slice(0, -1).map((line) => partLine.safeParse(jsonOf(line)).data)
  const parts = new Map(read.flatMap((part) => (part ? [[part.number, part]] : [])))
  return { head: head.data, parts: [...parts.values()] }
}

/** A file has the name of a journal, and is something else. */
export class NoJournalError extends Error {
  constructor(file: string) {
    super(`${file} is not the journal of an upload, and stays as it is: move it away, because a journal needs its name`)
  }
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

/** A journal to which parts are added. */
export interface OpenJournal extends AsyncDisposable {
  add: (part: StoredPart) => Promise<void>
}

/** Begins the journal of a file. Never overwrites somebody's own file. */
export async function beginJournal(path: string, head: JournalHead): Promise<OpenJournal> {
  const { bucket, key, id, partSize, size, mtimeMs, metadata } = head
  // It gets its name when its first line is whole. If this process were killed in between, the next one could not tell
  // an unfinished journal from somebody's own file.
  const unnamed = beside(path, `.${randomUUID()}.upload`)
  try {
    const line = `${JSON.stringify({ bucket, key, id, partSize, size, mtimeMs, metadata })}\n`
    const journal = await append(unnamed, 'wx', line, journalOf(path))
    try {
      await name(unnamed, path)
      return journal
    } catch (error) {
      await journal[Symbol.asyncDispose]()
      throw error
    }
  } finally {
    await rm(unnamed, { force: true })
  }
}

async function name(unnamed: string, path: string): Promise<void> {
  try {
    // A link does not replace a file, as renaming does.
    await link(unnamed, journalOf(path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error
    // Some file systems have no links. Renaming would replace a journal that is there.
    if (await readJournal(path)) throw error
    await rename(unnamed, journalOf(path))
  }
}

/** Continues the journal of a file, after its last whole line. */
export async function continueJournal(path: string): Promise<OpenJournal> {
  const file = journalOf(path)
  const text = await readFile(file)
  const whole = text.lastIndexOf('\n') + 1
  if (whole > 0) await truncate(file, whole)
  return await append(file, 'a', whole > 0 ? '' : '\n')
}

/** @param journal how an error names the file */
async function append(path: string, flag: 'wx' | 'a', line: string, journal = path): Promise<OpenJournal> {
  const file = await onDisk(journal, open(path, flag))
  const add = (text: string) => onDisk(journal, file.appendFile(text))
  try {
    await add(line)
    return { add: (part) => add(`${JSON.stringify(part)}\n`), [Symbol.asyncDispose]: () => file.close() }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Removes the journal of a file. */
export async function removeJournal(path: string): Promise<void> {
  await rm(journalOf(path), { force: true })
}
