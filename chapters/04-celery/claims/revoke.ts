import { claims } from '@repo/common/example/claims'
import revoke from '../examples/revoke.ts'

type Result = Awaited<ReturnType<typeof revoke.run>>

/** What became of the task that was running when this was done to it. */
const running = ({ tasks }: Result, done: string) => tasks.find(({ was, what }) => was === 'running' && what === done)

export default claims(revoke, {
  'only-asked-is-stopped': {
    says: 'A running task continues unless the sender of the revocation asks to stop it.',
    holds: (result) =>
      running(result, 'revoked, not stopped')?.is === 'succeeded' &&
      running(result, 'revoked and stopped')?.is === 'revoked',
    values: ({ tasks }) => tasks.map(({ was, what, is }) => `${was}, ${what}: ${is}`).join('; '),
  },
  'stopped-at-once': {
    says: 'The one that is stopped here ends within a second, although it wanted ten minutes.',
    holds: ({ stoppedMs }) => stoppedMs < 1_000,
    values: ({ stoppedMs }) => `${stoppedMs.toFixed(1)} ms`,
  },
})
