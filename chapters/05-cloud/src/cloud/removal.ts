/**
 * Removes things from a cloud, each by itself. A service that cannot be asked, or a thing that cannot be removed, does not
 * keep the others alive. What somebody else has removed in the meantime is gone as well.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '@repo/common/output/errors'
import pLimit from 'p-limit'
import type { CloudError } from './errors.ts'
import type { Place } from './place.ts'

/** How to find and remove what there is of one kind. */
export interface Kind {
  /** Returns names or ids. */
  find: () => Promise<string[]>
  /** Removes one of them and waits until it is gone. May be rejected with an error that says that it does not exist. */
  remove: (name: string) => Promise<unknown>
}

/** What is left, and why. */
export interface Left<Name extends string = string> {
  kind: Name
  /** Undefined if the service could not be asked, so that nobody knows whether anything is left. */
  name?: string
  why: string
}

export interface Removal<Name extends string> {
  /** Names or ids, by kind. */
  removed: Record<Name, string[]>
  left: Left<Name>[]
}

export interface RemovalOptions {
  signal?: AbortSignal | undefined
  /** How long to try again what others still use; 30 s. At Amazon it is free within seconds after their end. */
  patienceMs?: number
  /** The time between two tries; 3 s. */
  everyMs?: number
  /** Called with the kind that comes next. */
  onKind?: (kind: string) => void
}

const requestsAtOnce = 8

/** Returns all there is of these kinds, and the kinds whose service could not be asked. */
export async function findEach<Name extends string>(
  kinds: Record<Name, Kind>,
): Promise<{ found: Record<Name, string[]>; notAsked: Left<Name>[] }> {
  const found = emptyLists(kinds)
  const notAsked: Left<Name>[] = []
  for (const kind of namesOf(kinds)) {
    try {
      found[kind] = await kinds[kind].find()
    } catch (error) {
      notAsked.push({ kind, why: messageOf(error) })
    }
  }
  return { found, notAsked }
}

/**
 * Removes all there is of these kinds, in their order: what uses others comes first. Never throws for what cannot be
 * removed.
 *
 * @throws the signal's reason, if it is aborted
 */
export async function removeEach<Name extends string>(
  kinds: Record<Name, Kind>,
  { signal, patienceMs = 30_000, everyMs = 3_000, onKind }: RemovalOptions = {},
): Promise<Removal<Name>> {
  const deadline = performance.now() + patienceMs
  const removed = emptyLists(kinds)
  const limit = pLimit(requestsAtOnce)
  for (;;) {
    const left: Left<Name>[] = []
    let maySucceedLater = false
    const keep = (error: unknown, what: Omit<Left<Name>, 'why'>) => {
      signal?.throwIfAborted()
      left.push({ ...what, why: messageOf(error) })
      maySucceedLater ||= inUse.includes((error as CloudError).name)
    }
    for (const kind of namesOf(kinds)) {
      signal?.throwIfAborted()
      onKind?.(kind)
      const { find, remove } = kinds[kind]
      try {
        const gone = await limit.map(await find(), async (name) => {
          try {
            await unlessGone(remove(name))
            return [name]
          } catch (error) {
            keep(error, { kind, name })
            return []
          }
        })
        removed[kind] = [...new Set([...removed[kind], ...gone.flat()])]
      } catch (error) {
        keep(error, { kind })
      }
    }
    // Another round lists everything again: an instance that is only just starting may have been missing in the list.
    if (!maySucceedLater || performance.now() >= deadline) return { removed, left }
    await delay(everyMs, undefined, { signal })
  }
}

/** The error names with which Amazon's services refuse to remove what another thing uses. */
const inUse = [
  'BucketNotEmpty',
  'DeleteConflictException',
  'DependencyViolation',
  'IncorrectState',
  'InvalidGroup.InUse',
  'OperationInProgressException',
  'VolumeInUse',
]

/** Waits for a request. That the thing does not exist is no error: it then returns undefined. */
export async function unlessGone<Result>(request: Promise<Result>): Promise<Result | undefined> {
  try {
    return await request
  } catch (error) {
    const { name, message } = error as CloudError
    const isGone = /\.NotFound$|^NoSuch|NonExistent|DoesNotExist/.test(name) || /No Application named/.test(message)
    if (!isGone) throw error
    return undefined
  }
}

/** One line for everything that is left. */
export function describeLeft(left: readonly Left[]): string {
  return left.map(({ kind, name = 'not asked', why }) => `${kind} ${name}: ${why}`).join('; ')
}

/** The command that removes what this chapter has in a place. */
export function cleanCommand({ kind }: Place): string {
  return `pnpm --filter 05-cloud start instances clean${kind === 'aws' ? ' --aws' : ''}`
}

const namesOf = <Name extends string>(kinds: Record<Name, Kind>) => Object.keys(kinds) as Name[]

function emptyLists<Name extends string>(kinds: Record<Name, Kind>): Record<Name, string[]> {
  return Object.fromEntries(namesOf(kinds).map((kind) => [kind, []])) as unknown as Record<Name, string[]>
}
