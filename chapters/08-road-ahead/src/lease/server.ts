/** A server that gives leases, as handlers. Its decisions are on its disk before it tells anybody. */
import type { Receive } from '@repo/simulator/simulator'
import type { Answer, Message, Steps } from './lease.ts'

/** Who holds the lock, until when by the server's clock, and with which token. */
interface Lease {
  by: string
  untilMs: number
  token: number
}

export interface LeaseServerOptions {
  clock: () => number
  /** A mistake: the tokens are not saved, and count from 1 again after a restart. */
  forgetsTokens?: boolean
  /** Called when somebody frees the lock of another whose lease is running. */
  onTheft?: (by: string, from: string) => void
}

/** Starts the server, with what it saved before. */
export function startLeaseServer(
  disk: ReadonlyMap<string, unknown>,
  { clock, forgetsTokens = false, onTheft }: LeaseServerOptions,
): Receive<string, Message> {
  let lease = (disk.get('lease') ?? { by: '', untilMs: Number.NEGATIVE_INFINITY, token: 0 }) as Lease

  function* keep(next: Lease): Steps<Answer> {
    lease = next
    yield { do: 'save', key: 'lease', value: forgetsTokens ? { ...next, token: 0 } : next }
    return next.by === '' ? { isDone: true } : { isDone: true, token: next.token }
  }

  return (message) => {
    if (!('by' in message)) return undefined
    const { by } = message
    const isFree = clock() >= lease.untilMs
    if (message.do === 'take') {
      if (!isFree && lease.by !== by) return { isDone: false }
      return keep({ by, untilMs: clock() + message.ms, token: isFree ? lease.token + 1 : lease.token })
    }
    if (message.compares && lease.by !== by) return { isDone: false }
    if (!isFree && lease.by !== by) onTheft?.(by, lease.by)
    return keep({ by: '', untilMs: Number.NEGATIVE_INFINITY, token: lease.token })
  }
}
