/** A member as a process. One whose handler failed ends, and the others will notice. */
import { runNode } from '@repo/simulator/processes'
import type { Report, Settings } from './processes.ts'
import { createMember, type Message, type News } from './swim.ts'

await runNode<Message, Settings, Report>((world, { name, settings, report }) => {
  const onDead = ({ member }: News, found: boolean) => report({ member, found })
  const member = createMember(world, { ...settings, name, onDead })
  member.start()
  return member.receive
})
