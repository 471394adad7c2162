/** Finds processes by a variable that they have inherited: also those whose parent has ended. */
import { execFile } from 'node:child_process'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const [lookMs, mostLooks] = [10, 1_000]
/** In /proc/PID/stat: where the environment begins and ends, counted from what follows the name in parentheses. */
const environmentFields = [47, 49] as const

/**
 * Returns pid and command line of each of this user's processes that have the variable with this value in their
 * environment. On Linux it misses servers that overwrite their environment with a title, such as sshd and postgres:
 * check their pid or port as well.
 */
export async function processesWith(name: string, value: string): Promise<string[]> {
  const setting = `${name}=${value}`
  if (process.platform !== 'linux') {
    // Each line has the command and then the environment.
    const { stdout } = await promisify(execFile)('ps', ['-Eww', '-axo', 'pid=,command='], { maxBuffer: 64 << 20 })
    return stdout.split('\n').filter((line) => line.includes(setting))
  }
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))
  const found = await Promise.all(
    pids.map(async (pid) => {
      try {
        const environment = await environmentOf(pid)
        if (!environment.split('\0').includes(setting)) return []
        return [`${pid} ${(await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim()}`]
      } catch {
        // It belongs to another user, or has just ended.
        return []
      }
    }),
  )
  return found.flat()
}

async function environmentOf(pid: string): Promise<string> {
  for (let look = 1; ; look++) {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8')
    if (environment !== '' || look === mostLooks) return environment
    // Kernel threads and zombies have no program.
    await readlink(`/proc/${pid}/exe`)
    // While a process turns into another program it seems to have none: the kernel does not say yet where it begins.
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const [begins, ends] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(...environmentFields)
    if (begins === ends && begins !== '0') return environment
    await delay(lookMs)
  }
}
