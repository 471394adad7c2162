/** A server of a Raft group as a process. It is killed with SIGKILL, and started again. */
import { messageOf } from '@repo/common/output/errors'
import { runNode } from '@repo/simulator/processes'
import type { Message } from './messages.ts'
import { type ServerSettings, startServer } from './server.ts'

try {
  await runNode<Message, ServerSettings>((world, { name, settings, disk }) =>
    startServer(world, disk, { ...settings, name }),
  )
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`, () => process.exit(1))
}
