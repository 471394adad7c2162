/** The ports of another process. */
import { execFile } from 'node:child_process'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { promisify } from 'node:util'

/** Returns the TCP ports at which a process listens; undefined where the system does not tell. */
export async function listeningPorts(pid: number): Promise<Set<number> | undefined> {
  try {
    return process.platform === 'linux' ? await portsOfLinux(pid) : await portsByLsof(pid)
  } catch {
    return undefined
  }
}

async function portsOfLinux(pid: number): Promise<Set<number>> {
  const files = await readdir(`/proc/${pid}/fd`)
  const links = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')))
  const inodes = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []))
  const ports = new Set<number>()
  for (const table of ['tcp', 'tcp6']) {
    const text = await readFile(`/proc/${pid}/net/${table}`, 'utf8').catch(() => '')
    for (const line of text.split('\n').slice(1)) {
      // The number, local and remote address, state (0A listens), queues, timers, retransmits, user, timeout, inode.
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
      if (state === '0A' && inodes.has(inode)) ports.add(Number.parseInt(local.split(':')[1] ?? '', 16))
    }
  }
  return ports
}

async function portsByLsof(pid: number): Promise<Set<number>> {
  const args = ['-nP', '-a', '-p', String(pid), '-iTCP', '-sTCP:LISTEN', '-Fn']
  // It ends with 1 when there are none.
  const { stdout } = await promisify(execFile)('lsof', args).catch((error: { code?: unknown; stdout?: string }) => {
    if (error.code !== 1) throw error
    return { stdout: error.stdout ?? '' }
  })
  return new Set([...stdout.matchAll(/^n.*:(\d+)$/gm)].map(([, port]) => Number(port)))
}
