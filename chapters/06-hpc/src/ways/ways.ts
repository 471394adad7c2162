/** The ways that the `ssh` example compares: each does some of the same and returns how long one took, in ms. */
import { mkdir } from 'node:fs/promises'
import { join, posix } from 'node:path'
import type { Connection } from '../ssh/connection.ts'
import { type LoginNode, resultName } from './login-node.ts'
import { copyByRsync, copyByScp, copyByTar, runBySsh, type To } from './programs.ts'

export type Ways = Record<string, () => Promise<number>>

const atOnce = 10

/** Slow ways do fewer of the same: what is compared is the time for one. */
const each = (times: number, run: (times: number) => Promise<unknown>) => async () => {
  const begun = performance.now()
  await run(times)
  return (performance.now() - begun) / times
}
const oneByOne = (run: (at: number) => Promise<unknown>) => async (times: number) => {
  for (let at = 0; at < times; at++) await run(at)
}
const together = (run: (at: number) => Promise<unknown>) => async (times: number) => {
  await Promise.all(Array.from({ length: times }, (_, at) => run(at)))
}

interface Options {
  to: To
  connection: Connection
  /** Those that are on this machine. */
  programs: ReadonlySet<'ssh' | 'scp' | 'rsync' | 'tar'>
  /** How many a slow way does. */
  some: number
}

/** Ways to run a small command. */
export function waysToAsk({
  to,
  connection,
  programs,
  master,
  some,
}: Options & { master: { through: string[] } | undefined }): Ways {
  const ask = () => connection.run(['true'])
  return {
    ...(programs.has('ssh') && {
      'ssh for each': each(some, (times) => runBySsh(to, times)),
      'ssh for each, 10 at a time': each(some, (times) => runBySsh(to, times, { atOnce })),
    }),
    ...(master && {
      'ssh with ControlMaster, 10 at a time': each(2 * some, (times) => runBySsh(to, times, { atOnce, ...master })),
    }),
    'one connection': each(5 * some, oneByOne(ask)),
    'one connection, 10 at a time': each(20 * some, together(ask)),
  }
}

/**
 * Ways to fetch small files.
 *
 * @param all the folder with `results` of them; `few` is one with `some`
 */
export function waysToFetch({
  to,
  connection,
  programs,
  node,
  all,
  few,
  results,
  some,
  signal,
}: Options & { node: LoginNode; all: string; few: string; results: number; signal: AbortSignal }): Ways {
  const fetch = (at: number) => connection.readFile(posix.join(all, resultName(at)), { signal })
  // Into a new folder each time: nothing is there already.
  let copies = 0
  const copy = (times: number, run: (folder: string) => Promise<unknown>) =>
    each(times, async () => {
      const folder = join(node.folder, `copy-${copies++}`)
      await mkdir(folder)
      await run(folder)
    })
  return {
    'one after the other': each(some, oneByOne(fetch)),
    ...(programs.has('scp') && node.isOpenSsh && { 'scp -r': copy(some, (folder) => copyByScp(to, few, folder)) }),
    ...(programs.has('rsync') && { 'rsync -a': copy(results, (folder) => copyByRsync(to, all, folder)) }),
    'all asked for at once': each(results, together(fetch)),
    'download, with checksums': copy(results, (folder) => connection.download(all, folder, { signal })),
    ...(programs.has('tar') && {
      'one tar stream': copy(results, (folder) => copyByTar(connection, all, folder, signal)),
    }),
  }
}
