/** What processes cost, as Linux counts it. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Returns the pids of these processes and of all that they have started, and so on; only the given ones off Linux. */
export async function withDescendants(pids: readonly number[]): Promise<number[]> {
  if (process.platform !== 'linux') return [...pids]
  const parents = new Map<number, number>()
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const line = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '')
    // After the name in parentheses: the state and the parent.
    parents.set(Number(entry), Number(line.slice(line.lastIndexOf(')') + 2).split(' ')[1]))
  }
  const found = new Set(pids)
  for (let before = 0; before < found.size; ) {
    before = found.size
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid)
  }
  return [...found]
}

/**
 * Returns the memory of processes and of their descendants in bytes, where what several of them share counts once;
 * undefined off Linux, or if one of them cannot be read.
 */
export async function memoryOf(pids: readonly number[]): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined
  const sizes = await Promise.all(
    (await withDescendants(pids)).map(async (pid) => {
      const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '')
      return 1_024 * Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0)
    }),
  )
  return sizes.reduce((sum, size) => sum + size, 0) || undefined
}

/** Returns the size of all files below folders, in bytes on the disk. */
export async function diskOf(folders: readonly string[]): Promise<number> {
  const sizes = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(folder, { recursive: true }).catch(() => [])
      // A file may be gone in the meantime.
      const files = await Promise.all(names.map((name) => stat(join(folder, name)).catch(() => undefined)))
      return files.reduce((sum, file) => sum + (file?.isFile() ? 512 * file.blocks : 0), 0)
    }),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
