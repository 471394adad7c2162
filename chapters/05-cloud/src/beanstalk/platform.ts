/**
 * What the example needs of Elastic Beanstalk, as an interface with two sides: processes on this machine
 * (local-platform.ts) and Amazon's API (beanstalk.ts).
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Tier } from './bundle.ts'

/** How an environment is, in Beanstalk's words. */
export type Status = 'Launching' | 'Updating' | 'Ready' | 'Terminating' | 'Terminated'
export type Health = 'Grey' | 'Green' | 'Yellow' | 'Red'

export interface Environment {
  name: string
  tier: Tier
  version: string
  status: Status
  health: Health
  /** The name by which clients know it, which a swap gives to another environment; only of web tiers. */
  cname?: string | undefined
  /** Why it is red, where that is known. */
  reason?: string | undefined
}

export interface EnvironmentRequest {
  name: string
  tier: Tier
  version: string
  /** The environment variables its program finds. */
  settings: Record<string, string>
}

export interface Platform extends AsyncDisposable {
  /** For a sentence to the reader. */
  name: string
  /** Makes a bundle available under a label. */
  createVersion: (label: string, bundle: Uint8Array) => Promise<void>
  /** Has an environment started; it is not ready when this is fulfilled. */
  createEnvironment: (request: EnvironmentRequest) => Promise<void>
  /** All environments of the application but those that have ended. */
  environments: () => Promise<Environment[]>
  /** Exchanges the names by which clients know two environments of the web tier. */
  swap: (one: string, other: string) => Promise<void>
  /** Ends an environment; it may still be there when this is fulfilled. */
  terminate: (name: string) => Promise<void>
}

export interface WaitOptions {
  signal?: AbortSignal
  timeoutMs?: number
  everyMs?: number
  onChange?: (environments: Environment[]) => void
}

/**
 * Waits until the environments of these names are ready and healthy, and returns them.
 *
 * @throws an Error when one turns red or ends, or when they take longer than `timeoutMs`, 15 minutes
 */
export async function waitForHealth(
  platform: Platform,
  names: string[],
  { signal, timeoutMs = 15 * 60_000, everyMs = 5_000, onChange }: WaitOptions = {},
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

/** Waits until there is none of these environments any more. */
export async function waitForEnd(
  platform: Pick<Platform, 'environments'>,
  names: string[],
  { signal, timeoutMs = 15 * 60_000, everyMs = 5_000 }: Omit<WaitOptions, 'onChange'> = {},
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
