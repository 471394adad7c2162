/** A real Redis with one replica behind a slow link: what the replica answers, and what it has when it takes over. */
import { drawFrom } from '@repo/common/async/random'
import { sleep } from '@repo/common/async/timer'
import { until } from '@repo/common/async/until'
import { median } from '@repo/common/measure'
import { connectRedis, once } from '@repo/common/servers/connect'
import { startProxy } from '@repo/common/servers/proxy'
import { startRedis } from '@repo/common/servers/redis'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'

export interface ReplicaOptions {
  /** Of the link between the two, in each direction. */
  delayMs: number
  /** Whether a write counts only when the replica has it, too: WAIT 1. */
  waits: boolean
  /** How often the replica is read. */
  rounds: number
  seed: number
  signal?: AbortSignal
}

/** A replica that takes longer counts as away: more than on any busy machine. */
const waitMs = 20_000
/** After a write, a client reads at the replica within this time. */
const pauseMs = 20
/** How long clients write before the primary is killed. */
const writesMs = 500
/** Without a delay, there may never be anything under way. */
const mostLooks = 20
const lists = Array.from({ length: 8 }, (_, at) => `list ${at}`)

export type ReplicaTrial = Awaited<ReturnType<typeof tryReplica>>

/**
 * Reads at the replica for some rounds. Then clients write at the same time, the primary is killed with SIGKILL, and the replica
 * becomes the primary at once.
 */
export async function tryReplica({ delayMs, waits, rounds, seed, signal }: ReplicaOptions) {
  await using stack = new AsyncDisposableStack()
  const primary = stack.use(await startRedis({ own: true, signal }))
  const replica = stack.use(await startRedis({ own: true, signal }))
  const link = stack.use(await startProxy({ port: primary.port, signal }))
  async function connect({ url }: { url: string }) {
    const connection = await connectRedis(url, once)
    stack.defer(async () => connection.disconnect())
    return connection
  }
  const atPrimary = await connect(primary)
  const atReplica = await connect(replica)
  // Otherwise it waits 5 s for more replicas.
  await atPrimary.config('SET', 'repl-diskless-sync-delay', 0)
  await atReplica.config('SET', 'masterauth', primary.password ?? '')
  await atReplica.replicaof(link.host, link.port)
  // Its link is up earlier, but the primary sends it nothing before its first acknowledgement.
  const follows = async () => (await atPrimary.set('x', 0)) && (await atPrimary.wait(1, 100)) === 1
  // What was written before there was a replica has offset 0, which any replica has reached. The second write is later.
  for (const what of ['the primary has a replica', 'the replica follows its primary'])
    await until(follows, { signal, what })
  link.delayMs = delayMs

  const draw = drawFrom(seed)
  const times: number[] = []
  let stale = 0
  for (let round = 1; round <= rounds; round++) {
    const begin = performance.now()
    // #region wait
    await atPrimary.set('x', round)
    if (waits) await atPrimary.wait(1, waitMs)
    times.push(performance.now() - begin)
    await sleep(pauseMs * draw.share(), signal)
    if ((await atReplica.get('x')) !== `${round}`) stale++
    // #endregion wait
  }

  const writers = await Promise.all(lists.map(() => connect(primary)))
  /** Appends to a list until the connection breaks, and returns how many were acknowledged. */
  async function append(list: string, at: number): Promise<number> {
    // Not in step.
    await sleep(2 * delayMs * draw.share())
    for (let acknowledged = 0; ; acknowledged++) {
      try {
        await writers[at].rpush(list, acknowledged)
        if (waits && (await writers[at].wait(1, waitMs)) === 0) return acknowledged
      } catch {
        return acknowledged
      }
    }
  }
  const appending = Promise.all(lists.map(append))
  await sleep(writesMs, signal)
  const lengths = (at: typeof atPrimary) => Promise.all(lists.map((list) => at.llen(list)))
  let seen: number[]
  for (let look = 1; ; look++) {
    seen = await lengths(atPrimary)
    // With WAIT, there is not always something on its way.
    if (missing(seen, await lengths(atReplica)) > 0 || look === mostLooks) {
      // What is on its way does not arrive.
      link.block()
      // Unless it has arrived since the look, on a busy machine.
      if (look === mostLooks || missing(seen, await lengths(atReplica)) > 0) break
      link.heal()
    }
    await sleep(delayMs / 4, signal)
  }
  primary.server?.process.kill('SIGKILL')
  await atReplica.replicaof('NO', 'ONE')
  const acknowledged = await appending
  const kept = await lengths(atReplica)
  return {
    /** Reads at the replica, each soon after a write at the primary had been acknowledged, and how many of them missed it. */
    reads: rounds,
    stale,
    /** How long a write took, in the median. */
    writeMs: median(times),
    /** The number of writes that had been acknowledged when the replica took over, and of those that it does not have. */
    acknowledged: sum(acknowledged),
    lost: missing(acknowledged, kept),
    /** The number of writes that a reader had seen at the old primary, acknowledged or not, and that are gone. */
    gone: missing(seen, kept),
  }
}

const missing = (counts: number[], kept: number[]) => sum(counts.map((each, at) => Math.max(0, each - kept[at])))
const sum = (numbers: number[]) => numbers.reduce((total, each) => total + each, 0)
