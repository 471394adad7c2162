/** A member as a process. One whose handler failed ends, and the others will notice. */
import { runNode } from '@repo/simulator/processes'
import { type Message, type SwimOptions, startMember } from './swim.ts'

/** What it is told. */
export type Settings = Omit<SwimOptions, 'name' | 'onDead'>

/** What it reports: which member is called dead, and whether it found that itself. */
export interface Report {
  member: string
  found: boolean
}

await runNode<Message, Settings, Report>((world, { name, settings, report }) =>
  startMember(world, { ...settings, name, onDead: ({ member }, found) => report({ member, found }) }),
)
