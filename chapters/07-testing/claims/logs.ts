import { claims } from '@repo/common/example/claims'
import logs from '../examples/logs.ts'

export default claims(logs, {
  'merged-is-possible': {
    says: 'By the clocks some messages are received before they are sent; merged, none is.',
    holds: ({ impossibleByClock, impossibleMerged }) => impossibleByClock > 0 && impossibleMerged === 0,
    values: ({ impossibleByClock, impossibleMerged }) => `${impossibleByClock}, ${impossibleMerged}`,
  },
  'token-in-no-file': {
    says: 'The example searches all files for the token and finds nothing.',
    holds: ({ secretsFound }) => secretsFound === 0,
  },
  'one-line-unreadable': {
    says: 'One line could not be read.',
    holds: ({ unreadable }) => unreadable.length === 1,
    values: ({ unreadable }) => unreadable.join('; '),
  },
})
