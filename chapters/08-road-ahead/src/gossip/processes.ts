/** Members as processes on this machine. Each pings the others over UDP. */
import { type Processes, startProcesses } from '@repo/simulator/processes'
import type { SwimOptions } from './swim.ts'

/** What a member process is told. */
export type Settings = Omit<SwimOptions, 'name' | 'onDead'>

/** What it reports: which member is called dead, and whether it found that itself. */
export interface Report {
  member: string
  found: boolean
}

export interface Members extends Pick<Processes, 'children'>, AsyncDisposable {
  /** What was reported so far, by whom, and when, by `performance.now()`. */
  reports: readonly (Report & { by: string; atMs: number })[]
}

/** Starts members that know each other. */
export async function startMembers(settings: Settings, { signal }: { signal?: AbortSignal } = {}): Promise<Members> {
  const reports: Members['reports'][number][] = []
  const { children } = await startProcesses<Settings, Report>({
    program: new URL('./member.program.ts', import.meta.url),
    names: settings.members,
    settings,
    onReport: (by, { member, found }) => reports.push({ by, member, found, atMs: performance.now() }),
    signal,
  })
  return { reports, children, [Symbol.asyncDispose]: children[Symbol.asyncDispose] }
}
