/**
 * The part of Elastic Beanstalk that the example needs, as an interface. Behind it are processes on this machine
 * (local.ts) or Amazon's API (amazon.ts).
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Tier } from './bundle.ts'

/** The state of an environment, in Beanstalk's words. */
export type Status = 'Launching' | 'Updating' | 'Ready' | 'Terminating' | 'Terminated'
export type Health = 'Grey' | 'Green' | 'Yellow' | 'Red'

export interface Environment {
  name: string
  tier: Tier
  version: string
  status: Status
  health: Health
  /** The address by which clients know it. A swap gives it to another environment. Worker tiers have none. */
  cname?: string | undefined
  /** Why it is red, if that is known. */
  reason?: string | undefined
}

export interface EnvironmentRequest {
  name: string
  tier: Tier
  version: string
  /** Environment variables for its program. */
  settings: Record<string, string>
}

export interface Platform extends AsyncDisposable {
  /** As in "Two tiers on …". */
  name: string
  /** Stores a bundle under a label. */
  createVersion: (label: string, bundle: Uint8Array) => Promise<void>
  /** Starts an environment. It is not ready yet when this resolves. */
  createEnvironment: (request: EnvironmentRequest) => Promise<void>
  /** The environments of the application that have not ended. */
  environments: () => Promise<Environment[]>
  /** Exchanges the addresses of two environments of the web tier. */
  swap: (one: string, other: string) => Promise<void>
  /** Ends an environment. It may still exist when this resolves. */
  terminate: (name: string) => Promise<void>
}

/** Amazon takes some minutes to start or end an environment. */
const timeoutMs = 15 * 60_000

export interface WaitOptions {
  signal?: AbortSignal
  everyMs?: number
  onChange?: (environments: Environment[]) => void
}

/**
 * Waits until the environments with these names are ready and healthy, and returns them.
 *
 * @throws an Error when one turns red or ends, or when they take longer than 15 minutes
 */
export async function waitForHealth(
  platform: Platform,
  names: string[],
  { signal, everyMs = 5_000, onChange }: WaitOptions = {},
): Promise<Environment[]> {
  const deadline = performance.now() + timeoutMs
  let before = ''
  for (;;) {
    const all = await platform.environments()
    const waited = names.map((name) => all.find((environment) => environment.name === name))
    const found = waited.filter((environment) => environment !== undefined)
    const states = found.map(({ name, status, health }) => `${name} is ${status}, ${health}`)
    if (states.join() !== before) onChange?.(found)
    before = states.join()
    const failed = found.find(
      ({ status, health }) => /^Terminat/.test(status) || (status === 'Ready' && health === 'Red'),
    )
    if (failed)
      throw new Error(
        `${failed.name} is ${failed.status}, ${failed.health}${failed.reason ? `: ${failed.reason}` : ''}`,
      )
    if (found.length === names.length && found.every(isHealthy)) return found
    if (performance.now() > deadline) {
      throw new Error(`not healthy within ${timeoutMs / 1000} s: ${states.join('; ') || names.join(', ')}`)
    }
    await delay(everyMs, undefined, { signal })
  }
}

const isHealthy = ({ status, health }: Environment) => status === 'Ready' && health === 'Green'

/** Waits until none of these environments exists any more. */
export async function waitForEnd(
  platform: Pick<Platform, 'environments'>,
  names: string[],
  { signal, everyMs = 5_000 }: Omit<WaitOptions, 'onChange'> = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const left = (await platform.environments()).filter(({ name }) => names.includes(name))
    if (left.length === 0) return
    if (performance.now() > deadline) {
      throw new Error(`still there after ${timeoutMs / 1000} s: ${left.map(({ name }) => name).join(', ')}`)
    }
    await delay(everyMs, undefined, { signal })
  }
}
