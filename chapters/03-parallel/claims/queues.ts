import { claims } from '@repo/common/example/claims'
import { count, times } from '@repo/common/output/terminal'
import queues from '../examples/queues.ts'

export default claims(queues, {
  'one-kill-fails-one-task': {
    says: 'One task fails, every other task is done, and the program ends.',
    holds: ({ failed, tasks, words }) => failed.length === 1 && tasks === 234 && words === 1_789_020,
    values: ({ failed, words }) => `${failed.length} failed, ${count(words)} words`,
    args: ['--quick', '--kill'],
  },
  'the-ring-loses-nothing': {
    says: 'The ring loses, doubles, damages and reorders nothing',
    holds: ({ checked }) => checked.taken >= 100_000 && checked.lostOrDoubled === 0 && checked.wrong === 0,
    values: ({ checked }) => `${count(checked.taken)} items, ${checked.lostOrDoubled} and ${checked.wrong} wrong`,
  },
  'the-ring-beats-messages': {
    says: 'it passes at least twice as many items per second as postMessage, item by item.',
    holds: ({ ratio }) => ratio >= 2,
    values: ({ ratio }) => times(ratio),
    cores: 2,
  },
  'batches-help': {
    says: 'Messages with 256 items each pass at least five times as many items per second as messages with one',
    holds: ({ perSecond: { batches = 0, postMessage = 0 } }) => batches >= 5 * postMessage,
    values: ({ perSecond: { batches = 0, postMessage = 0 } }) => times(batches / postMessage),
  },
  'no-queue-is-fastest': {
    says: 'Making and checking an item takes less time than any way of passing it on',
    holds: ({ perSecond: { alone = 0, ...others } }) => Object.values(others).every((rate) => rate < alone),
    values: ({ perSecond }) => `${count(Math.round(perSecond.alone ?? 0))} items/s alone`,
  },
})
