/** The document that a lock protects, as handlers: the store refuses a token that is lower than one that it has seen. */
import type { Receive } from '@repo/simulator/simulator'
import type { Answer, Message, Steps } from '../lease/lease.ts'

/** @param onSaved called with what is on the disk */
export function startDocument(
  disk: ReadonlyMap<string, unknown>,
  onSaved: (value: string) => void,
): Receive<string, Message> {
  let { value, seen } = (disk.get('document') ?? { value: '', seen: 0 }) as { value: string; seen: number }

  function* keep(): Steps<Answer> {
    const kept = value
    yield { do: 'save', key: 'document', value: { value, seen } }
    onSaved(kept)
    return { isDone: true, value: kept }
  }

  return (message) => {
    if (!('do' in message && (message.do === 'read' || message.do === 'write'))) return undefined
    // #region fence
    const { token = seen } = message
    if (token < seen) return { isDone: false }
    seen = token
    if (message.do === 'write') value = message.value
    // #endregion fence
    return keep()
  }
}
