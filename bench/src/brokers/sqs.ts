/** SQS as chapter 5 practises it: fauxqs in a process of its own, with everything in its memory. */
import { startPracticeCloud } from '05-cloud/local/practice-cloud'
import type { BrokerKind } from './broker.ts'

export const sqs: BrokerKind = {
  missing: async () => undefined,
  async start(signal) {
    const cloud = await startPracticeCloud({ signal })
    const { credentials } = cloud.place
    const faultless = "the practice cloud keeps its messages in memory; Amazon's SQS has them on several machines"
    const refuse = async () => {
      throw new Error(faultless)
    }
    return {
      version: 'SQS by the practice cloud',
      durability: "in memory (Amazon's own: on several machines before the answer)",
      reach: {
        endpoints: [{ host: '127.0.0.1', port: cloud.server.info.port }],
        user: credentials?.accessKeyId ?? '',
        password: credentials?.secretAccessKey ?? '',
      },
      pids: () => [cloud.server.pid],
      folders: [],
      crash: refuse,
      loseMachine: refuse,
      faultless,
      [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
    }
  },
}
