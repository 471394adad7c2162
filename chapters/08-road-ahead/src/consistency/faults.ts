/** What happens to the nodes of a system, from a seed. */
import { drawFrom } from '@repo/common/async/random'
import { sleep } from '@repo/common/async/timer'
import { until } from '@repo/common/async/until'
import type { StateRecord } from '@repo/common/servers/faults'
import { DisposableStack } from '@whatwg-node/disposablestack'
import { type System, type Trouble, troubles } from '../systems/system.ts'

export interface Fault {
  kind: Trouble
  /** The node that leads at that moment, or the one with this number. */
  target: 'leader' | number
  /** After the one before has ended. */
  afterMs: number
  lastsMs: number
  /** It lasts on until clients have an answer to what they asked in the meantime. Others must be able to give one. */
  untilAnswered?: boolean
}

/**
 * Returns the faults of a seed: the first five are one of each kind and strike the leader.
 *
 * @param pace a factor for all times
 */
export function faultsOf(seed: number, count: number, pace = 1): Fault[] {
  const draw = drawFrom(seed)
  const kinds: Trouble[] = []
  while (kinds.length < count) {
    const left = [...troubles]
    while (left.length > 0) kinds.push(...left.splice(draw.whole(0, left.length - 1), 1))
  }
  return kinds.slice(0, count).map((kind, at) => ({
    kind,
    target: at < troubles.length || draw.share() < 0.6 ? 'leader' : draw.whole(0, 2),
    afterMs: pace * draw.whole(200, 600),
    // A primary that is cut off is replaced after some seconds, and must still be cut off then.
    lastsMs: pace * (kind === 'cut off' ? draw.whole(3_000, 4_000) : draw.whole(1_000, 2_000)),
  }))
}

/**
 * Does it, and undoes it: when it returns, all nodes are up and connected. A wrong clock is left out where the system cannot
 * have it.
 *
 * @param record gets when each node was in trouble
 * @param options.isAnswered returns whether a client has an answer to what it asked after a moment of the record's clock
 */
export async function strike(
  system: System,
  { kind, target, afterMs, lastsMs, untilAnswered }: Fault,
  record: StateRecord<Trouble>,
  { signal, isAnswered }: { signal?: AbortSignal | undefined; isAnswered: (sinceMs: number) => boolean },
): Promise<void> {
  if (kind === 'clock wrong' && !system.setClock) return
  await sleep(afterMs, signal)
  const { nodes, children, network } = system
  // If nobody knows who leads, it is the first one.
  const node = (target === 'leader' ? await system.leader() : nodes[target % nodes.length]) ?? nodes[0] ?? ''
  const victims = kind === 'all killed' ? nodes : [node]
  // What a loss of power may leave on the disks, where that can be had. Writes go on for a while.
  const setDisksBack = kind === 'all killed' ? await system.keepDisks?.() : undefined
  if (setDisksBack) await sleep(lastsMs / 2, signal)
  const { process } = children.get(node)
  using states = new DisposableStack()
  for (const victim of victims) states.use(record.begin(victim, kind))
  try {
    if (kind === 'paused') process.kill('SIGSTOP')
    else if (kind === 'cut off') network.cut(node)
    else if (kind === 'clock wrong') await system.setClock?.(node, true)
    else await Promise.all(victims.map((victim) => children.get(victim).kill()))
    const sinceMs = record.now()
    await sleep(lastsMs, signal)
    if (untilAnswered) await until(() => isAnswered(sinceMs), { signal, what: `an answer without ${victims}` })
  } finally {
    if (kind === 'paused') process.kill('SIGCONT')
    if (kind === 'cut off') network.heal()
    if (kind === 'clock wrong') await system.setClock?.(node, false)
  }
  if (kind !== 'killed' && kind !== 'all killed') return
  await setDisksBack?.()
  await Promise.all(victims.map((victim) => children.restart(victim)))
}
