/**
 * What a worker reports about itself before the work: everything that may be different on another machine. It uses only
 * Node's own modules, so that it runs even where the work would not.
 */
import { createHmac } from 'node:crypto'
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { availableParallelism, release, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { getHeapStatistics } from 'node:v8'
import { messageOf } from '@repo/common/output/errors'
import { maskPasswords, shownUrl, shownVariable } from '@repo/common/output/secrets'
import { ready } from '@repo/common/process/ready'
import { installedVersion } from './installed.ts'

export interface Question {
  /** The names of packages, which are resolved from `folder`. */
  packages: string[]
  folder: string
  /** Where results would be written. */
  work: string
  /** Variables whose values may be seen. For all others, only a hash made with this key leaves the process. */
  visible: string[]
  key: string
}

export interface Report {
  node: string
  system: string
  user: string
  umask: string
  timeZone: string
  locale: string
  cores: number
  /**
   * The memory and the heap that this process may use, and the free space of its folder, in bytes; undefined for what the
   * system does not tell.
   */
  freeMemory: number | undefined
  heapLimit: number
  freeDisk: number | undefined
  /** null when there is no limit. */
  openFiles: number | null | undefined
  /** The version of each package; undefined for one that is not installed. */
  packages: Record<string, string | undefined>
  /** Why the folder, and the one for temporary files, cannot be written; undefined when they can. */
  folder: string | undefined
  temporary: string | undefined
  /** The value of each variable, or its hash if nobody may see the value. */
  variables: Record<string, { value: string } | { hash: string }>
  /** The round trip in ms, or what is wrong, in words. */
  redis: number | string
}

/** A busy worker answers late, but it can still reach the queue. */
const redisTimeoutMs = 5_000

/** The simulated error of the worker `wrong-clock`; the machine's clock is left alone. */
const clockOffsetMs = Number(process.env.PREFLIGHT_CLOCK_OFFSET_MS ?? 0)
const now = () => performance.timeOrigin + performance.now() + clockOffsetMs

process.on('message', async (message: { kind: 'clock' } | ({ kind: 'report' } & Question)) => {
  // Without delay: the sender measures the round trip.
  if (message.kind === 'clock') process.send?.({ kind: 'clock', at: now() })
  else process.send?.({ kind: 'report', report: await report(message) })
})
ready()

// Otherwise a report looks up the host names of its network connections.
Object.assign(process.report, { excludeNetwork: true })

async function report({ packages, folder, work, visible, key }: Question): Promise<Report> {
  const { env } = process
  const { timeZone, locale } = Intl.DateTimeFormat().resolvedOptions()
  const disk = await statfs(work).catch(() => undefined)
  return {
    node: process.versions.node,
    system: `${process.platform} ${process.arch} ${release()}`,
    user: userName(),
    umask: process.umask().toString(8).padStart(3, '0'),
    timeZone,
    locale,
    cores: availableParallelism(),
    // Without /proc it is 0, of which no process could ask.
    freeMemory: process.availableMemory() || undefined,
    freeDisk: disk && disk.bavail * disk.bsize,
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
            ? { value: shownVariable(name, value) }
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
    // A user without an entry in the user database, as in many containers.
    return String(process.getuid?.() ?? 'unknown')
  }
}

/** Returns the limit of this process, which may differ from that of a shell; undefined if the system does not tell. */
function openFileLimit(): number | null | undefined {
  const limits = (process.report.getReport() as { userLimits?: { open_files?: { soft: number | 'unlimited' } } })
    .userLimits
  const soft = limits?.open_files?.soft
  return soft === 'unlimited' ? null : soft
}

/** Tries it: permission bits say nothing about a full disk, a read-only mount, or root. */
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
    return (error as NodeJS.ErrnoException).code ?? messageOf(error)
  }
}

async function askRedis(url: string | undefined): Promise<number | string> {
  if (!url) return 'REDIS_URL is not set'
  const { protocol = '', hostname = '' } = URL.parse(url) ?? {}
  // ioredis would take it for a path, and say it in its error.
  if (!/^rediss?:$/.test(protocol) || hostname === '') return `REDIS_URL is no Redis URL: ${shownUrl(url)}`
  // As a worker would. If ioredis is not installed, another line of the report says so.
  const { connectRedis } = await import('@repo/common/servers/connect')
  const timeouts = { connectTimeout: redisTimeoutMs, commandTimeout: redisTimeoutMs }
  try {
    const client = await connectRedis(url, { ...timeouts, retryStrategy: () => null, enableReadyCheck: false })
    try {
      const start = performance.now()
      await client.ping()
      return performance.now() - start
    } finally {
      client.disconnect()
    }
  } catch (error) {
    const { cause = error } = error as Error
    return maskPasswords(messageOf(cause))
  }
}
