/**
 * A server that gives leases and keeps a document, as handlers. Its decisions are on its disk before it tells anybody. Of a
 * document's store, leases are not asked; of a lock's server, no document.
 */
import type { Receive } from '@repo/simulator/simulator'
import type { Answer, Message, Steps } from './lease.ts'
import type { Mistake } from './mistakes.ts'

export interface ServerOptions {
  clock: () => number
  mistake?: Mistake | undefined
  /** Called with what is on the disk. */
  onSaved: (value: string) => void
  /** Called when somebody frees the lock of another whose lease is running. */
  onTheft: (by: string, from: string) => void
}

/** Starts the server, with what it saved before. */
export function startServer(
  disk: ReadonlyMap<string, unknown>,
  { clock, mistake, onSaved, onTheft }: ServerOptions,
): Receive<string, Message> {
  const nobody = { by: '', untilMs: Number.NEGATIVE_INFINITY, token: 0 }
  /** Who holds the lock, until when by the server's clock, and with which token. */
  let lease = (disk.get('lease') ?? nobody) as typeof nobody
  /** The document, and the highest token that came with a request for it. */
  let { value, seen } = (disk.get('document') ?? { value: '', seen: 0 }) as { value: string; seen: number }

  function* keepLease(next: typeof nobody): Steps<Answer> {
    lease = next
    // The mistake: after a restart the tokens count from 1 again.
    yield { do: 'save', key: 'lease', value: mistake === 'forgets its tokens' ? { ...next, token: 0 } : next }
    return next.by === '' ? { isDone: true } : { isDone: true, token: next.token }
  }
  function* keepDocument(): Steps<Answer> {
    const kept = value
    yield { do: 'save', key: 'document', value: { value, seen } }
    onSaved(kept)
    return { isDone: true, value: kept }
  }

  return (message) => {
    if (!('do' in message)) return undefined
    if (message.do === 'read' || message.do === 'write') {
      // #region fence
      const { token = seen } = message
      if (token < seen) return { isDone: false }
      seen = token
      if (message.do === 'write') value = message.value
      // #endregion fence
      return keepDocument()
    }
    const { by } = message
    const isFree = clock() >= lease.untilMs
    if (message.do === 'take') {
      if (!isFree && lease.by !== by) return { isDone: false }
      return keepLease({ by, untilMs: clock() + message.ms, token: isFree ? lease.token + 1 : lease.token })
    }
    if (message.compares && lease.by !== by) return { isDone: false }
    if (!isFree && lease.by !== by) onTheft(by, lease.by)
    return keepLease({ ...nobody, token: lease.token })
  }
}
