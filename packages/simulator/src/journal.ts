/** What a node has saved: a file to which records are appended. */
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'

export interface Journal extends AsyncDisposable {
  /** The newest value of each key. */
  values: ReadonlyMap<string, unknown>
  /**
   * Resolves when the value is on the disk (fsync), and with it all that was saved before. Rejects if that fails, and
   * always from then on. A value that is there already is not written again.
   */
  save: (key: string, value: unknown) => Promise<void>
}

/**
 * Opens a journal, or begins one. A crash may tear the last line: nobody was promised what is in it, so it is dropped.
 *
 * @throws an Error of one line if an earlier line is damaged, or the file cannot be read and written
 */
export async function openJournal(path: string): Promise<Journal> {
  await mkdir(dirname(path), { recursive: true })
  const file = await open(path, 'a+')
  const values = new Map<string, unknown>()
  try {
    const { size } = await file.stat()
    const bytes = Buffer.alloc(size)
    await file.read(bytes, 0, size, 0)
    let end = 0
    for (let line = 1; end < size; line++) {
      const next = bytes.indexOf('\n', end) + 1
      const records = next === 0 ? undefined : recordsOf(bytes.toString('utf8', end, next - 1))
      if (records === undefined) {
        if (next > 0 && next < size) throw new Error(`${path}: line ${line} is damaged, and it is not the last one`)
        await file.truncate(end)
        break
      }
      for (const [key, value] of records) values.set(key, value)
      end = next
    }
    await syncFolder(dirname(path))
  } catch (error) {
    await file.close()
    throw error
  }

  let saved: Promise<void> = Promise.resolve()
  /** Records that wait for the disk. One write serves all of them: one by one, on a slow disk they would wait ever longer. */
  let waiting: Records | undefined
  return {
    values,
    save(key, value) {
      if (values.has(key) && values.get(key) === value) return saved
      values.set(key, value)
      if (waiting) waiting.push([key, value])
      else {
        const records: Records = [[key, value]]
        waiting = records
        saved = saved.then(async () => {
          waiting = undefined
          await file.appendFile(lineOf(records))
          await file.datasync()
        })
      }
      return saved
    },
    async [Symbol.asyncDispose]() {
      await saved.catch(() => {})
      await file.close()
    },
  }
}

type Records = [key: string, value: unknown][]

/** What is written together is a line, so that a crash leaves all of it or nothing. */
function lineOf(records: Records): string {
  const text = JSON.stringify(records)
  return `${crc32(text)} ${text}\n`
}

/** Returns undefined for a damaged line. */
function recordsOf(line: string): Records | undefined {
  const space = line.indexOf(' ')
  const text = line.slice(space + 1)
  return space > 0 && line.slice(0, space) === String(crc32(text)) ? JSON.parse(text) : undefined
}

/** A new file is there after a crash only if its folder is on the disk as well. */
async function syncFolder(path: string) {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
