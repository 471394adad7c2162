/**
 * What a worker says about itself before the work: everything that is different on somebody else's machine. Uses Node's own
 * modules only, so that it also runs where the work would not.
 */
import { createHmac } from 'node:crypto'
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { availableParallelism, hostname, release, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { getHeapStatistics } from 'node:v8'
import { maskPasswords } from '@repo/common/output/secrets'
import { ready } from '@repo/common/process/ready'
import { installedVersion } from './installed.ts'

export interface Question {
  /** Packages by name, as they are found from `folder`. */
  packages: string[]
  folder: string
  /** Where results would be written. */
  work: string
  /** Variables whose values may be seen; of all others only a hash with this key leaves the process. */
  visible: string[]
  key: string
}

export interface Report {
  node: string
  system: string
  host: string
  user: string
  umask: string
  timeZone: string
  locale: string
  cores: number
  /** In bytes: what this process may still use, of memory and of JavaScript's heap, and the free space of its folder. */
  freeMemory: number
  heapLimit: number
  freeDisk: number
  /** null where there is no limit. */
  openFiles: number | null
  /** By name; undefined where it is not installed. */
  packages: Record<string, string | undefined>
  /** What is wrong with writing to the folder and to that for temporary files; undefined when all is well. */
  folder: string | undefined
  temporary: string | undefined
  /** By name: its value, or a hash where nobody needs to see it. */
  variables: Record<string, { value: string } | { hash: string }>
  /** Round trip in ms, or in words what is wrong. */
  redis: number | string
}

/** A worker that is busy is no worker without a queue. */
const redisTimeoutMs = 5_000

/** Wrong on purpose in the worker `wrong-clock`: simulated, the machine's clock is left alone. */
const clockOffsetMs = Number(process.env.PREFLIGHT_CLOCK_OFFSET_MS ?? 0)
const now = () => performance.timeOrigin + performance.now() + clockOffsetMs

process.on('message', async (message: { kind: 'clock' } | ({ kind: 'report' } & Question)) => {
  // At once: what is measured is the way there and back.
  if (message.kind === 'clock') process.send?.({ kind: 'clock', at: now() })
  else process.send?.({ kind: 'report', report: await report(message) })
})
ready()

// The network interfaces would be looked up by name.
Object.assign(process.report, { excludeNetwork: true })

async function report({ packages, folder, work, visible, key }: Question): Promise<Report> {
  const { env } = process
  const { timeZone, locale } = Intl.DateTimeFormat().resolvedOptions()
  const { bavail, bsize } = await statfs(work).catch(() => ({ bavail: 0, bsize: 0 }))
  return {
    node: process.versions.node,
    system: `${process.platform} ${process.arch} ${release()}`,
    host: hostname(),
    user: userName(),
    umask: process.umask().toString(8).padStart(3, '0'),
    timeZone,
    locale,
    cores: availableParallelism(),
    freeMemory: process.availableMemory(),
    freeDisk: bavail * bsize,
    heapLimit: getHeapStatistics().heap_size_limit,
    openFiles: openFileLimit(),
    packages: Object.fromEntries(
      await Promise.all(packages.map(async (name) => [name, await installedVersion(folder, name)] as const)),
    ),
    folder: await cannotWrite(work),
    temporary: await cannotWrite(tmpdir()),
    variables: Object.fromEntries(
      Object.entries(env).flatMap(([name, value = '']) => [
        [
          name,
          visible.includes(name)
            ? { value: maskPasswords(value) }
            : { hash: createHmac('sha256', key).update(value).digest('hex') },
        ],
      ]),
    ),
    redis: await askRedis(env.REDIS_URL),
  }
}

function userName(): string {
  try {
    const { username, uid } = userInfo()
    return `${username} (${uid})`
  } catch {
    // A user without an entry in the system's list, as in many containers.
    return String(process.getuid?.() ?? 'unknown')
  }
}

/** Of this process, in force now: not what a shell elsewhere says. */
function openFileLimit(): number | null {
  const limits = (process.report.getReport() as { userLimits?: { open_files?: { soft: number | 'unlimited' } } })
    .userLimits
  const soft = limits?.open_files?.soft
  return typeof soft === 'number' ? soft : null
}

/** By doing it: permission bits say nothing of a full disk, a read-only mount, or root. */
async function cannotWrite(folder: string): Promise<string | undefined> {
  try {
    const trial = await mkdtemp(join(folder, 'preflight-'))
    try {
      await writeFile(join(trial, 'file'), 'written', { flush: true })
    } finally {
      await rm(trial, { recursive: true, force: true })
    }
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}

async function askRedis(url: string | undefined): Promise<number | string> {
  if (!url) return 'REDIS_URL is not set'
  // What a worker would use; where it is not installed, that is its own line of the report.
  const { Redis } = await import('ioredis')
  const client = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    enableReadyCheck: false,
    connectTimeout: redisTimeoutMs,
    commandTimeout: redisTimeoutMs,
  })
  let reason: Error | undefined
  client.on('error', (error: Error) => {
    reason ??= error
  })
  try {
    await client.connect()
    await client.ping()
    const start = performance.now()
    await client.ping()
    return performance.now() - start
  } catch (error) {
    return maskPasswords(String((reason ?? (error as Error)).message))
  } finally {
    if (client.status !== 'end') client.disconnect()
  }
}
