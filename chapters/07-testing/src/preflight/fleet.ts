/** Workers that are different on purpose, each in one or two respects. All are real processes on this machine. */
import { chmod, mkdir, readdir, symlink } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { versionOf } from '@repo/common/process/version'
import type { Proxy as Link } from '@repo/common/servers/proxy'
import type { Candidate } from './preflight.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

/** The name of each worker, and what is different about it. */
export const differences = {
  'as-it-is': undefined,
  'as-it-is-2': undefined,
  'other-zone': 'TZ=Pacific/Apia and LANG=tr_TR.UTF-8',
  'other-secret': 'another API_TOKEN',
  'old-node': 'another Node that is on PATH',
  'not-installed': 'node_modules without ioredis',
  'small-limits': '128 open files, an old space of 64 MB',
  'read-only': 'a work folder that it may not write to',
  'no-redis': 'Redis behind a proxy that lets nothing through',
  'wrong-clock': 'a clock that is 90 s fast (simulated)',
} as const
export type WorkerName = keyof typeof differences
export const workerNames = Object.keys(differences) as WorkerName[]

interface Surroundings {
  /** An empty folder that the caller provides. */
  folder: string
  redisUrl: string
  /** A blocked link to the same Redis. */
  blocked: Link
}

/** Returns how to start each of the workers; `missing` says which ones are impossible here, and why. */
export async function fleet(
  names: readonly WorkerName[],
  { folder, redisUrl, blocked }: Surroundings,
): Promise<{ candidates: Candidate[]; missing: string[] }> {
  const candidates: Candidate[] = []
  const missing: string[] = []
  for (const name of names) {
    const different = differences[name]
    const own = join(folder, name)
    await mkdir(own)
    const like: Candidate = {
      name,
      folder: chapter,
      work: own,
      env: { REDIS_URL: redisUrl, API_TOKEN: 'one that only the others have', TZ: 'UTC' },
      ...(different && { different }),
    }
    const env = (more: NodeJS.ProcessEnv) => ({ ...like, env: { ...like.env, ...more } })
    if (name === 'other-zone') candidates.push(env({ TZ: 'Pacific/Apia', LANG: 'tr_TR.UTF-8', LC_ALL: undefined }))
    else if (name === 'other-secret') candidates.push(env({ API_TOKEN: 'one that nobody else may see' }))
    else if (name === 'wrong-clock') candidates.push(env({ PREFLIGHT_CLOCK_OFFSET_MS: '90000' }))
    else if (name === 'no-redis') {
      const url = new URL(redisUrl)
      url.host = `${blocked.host}:${blocked.port}`
      candidates.push(env({ REDIS_URL: url.href }))
    } else if (name === 'not-installed') {
      await linkPackages(own, 'ioredis')
      candidates.push({ ...like, folder: own })
    } else if (name === 'read-only') {
      await chmod(own, 0o555)
      // Permissions do not bind root until it drops that privilege.
      const isRoot = process.getuid?.() === 0
      const launcher = ['setpriv', '--bounding-set=-all', '--inh-caps=-all']
      candidates.push({ ...like, ...(isRoot && { launcher }) })
    } else if (name === 'small-limits') {
      if (process.platform === 'win32') missing.push(`${name}: Windows has no ulimit`)
      // The program and its arguments are passed as the shell's arguments, so they need no quoting.
      const launcher = ['/bin/sh', '-c', 'ulimit -n 128 && exec "$0" "$@"']
      if (process.platform !== 'win32')
        candidates.push({ ...env({ NODE_OPTIONS: '--max-old-space-size=64' }), launcher })
    } else if (name === 'old-node') {
      const node = await anotherNode()
      if (node) candidates.push({ ...like, node })
      else missing.push(`${name}: there is no other Node on PATH`)
    } else candidates.push(like)
  }
  return { candidates, missing }
}

/** Links all the chapter's packages but one into a folder. */
async function linkPackages(folder: string, without: string) {
  const packages = join(chapter, 'node_modules')
  await mkdir(join(folder, 'node_modules'))
  for (const name of await readdir(packages)) {
    if (name !== without) await symlink(join(packages, name), join(folder, 'node_modules', name), 'junction')
  }
}

/** Returns the path of the oldest Node on PATH whose version differs from this one's. */
async function anotherNode(): Promise<string | undefined> {
  const found = new Map<string, string>()
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, process.platform === 'win32' ? 'node.exe' : 'node')
    const version = await versionOf([path])
    // tsx runs the probe, and needs Node 18.
    if (version && version !== process.versions.node && Number.parseInt(version, 10) >= 18) found.set(version, path)
  }
  const [oldest] = [...found].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
  return oldest?.[1]
}
