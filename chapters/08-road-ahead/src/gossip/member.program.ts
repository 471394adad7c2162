/** A member as a process. One whose handler failed ends, and the others will notice. */
import { runNode } from '@repo/simulator/processes'
import { createMember, type Message, type SwimOptions } from './swim.ts'

/** What it is told. */
export type Settings = Omit<SwimOptions, 'name' | 'onDead'>

/** What it reports: which member is called dead, and whether it found that itself. */
export interface Report {
  member: string
  found: boolean
}

await runNode<Message, Settings, Report>((world, { name, settings, report }) => {
  const member = createMember(world, { ...settings, name, onDead: ({ member }, found) => report({ member, found }) })
  member.start()
  return member.receive
})
