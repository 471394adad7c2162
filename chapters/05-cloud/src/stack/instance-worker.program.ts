/**
 * The worker tier on an instance without Beanstalk. The daemon that hands it messages runs in the same process. The
 * user data sets the environment variables.
 */
import { once } from 'node:events'
import { serve } from '@hono/node-server'
import { runDaemon } from '../beanstalk/sqs-daemon.ts'
import { workerTier } from '../beanstalk/worker-tier.ts'
import { s3Client, sqsClient } from '../cloud/clients.ts'
import { placesFromEnvironment } from '../cloud/place.ts'

const { BUCKET: bucket = '', QUEUE_URL: queueUrl = '' } = process.env
const { storage, queues } = placesFromEnvironment()
const log = (line: string) => void process.stderr.write(`${line}\n`)
const app = workerTier({ s3: s3Client(storage), bucket, log })
const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
await once(server, 'listening')
const address = server.address()
if (address === null || typeof address === 'string') throw new Error(`no port in ${address}`)

// The daemon finishes the messages that it has taken. The rest stay in the queue.
const stopping = new AbortController()
process.once('SIGTERM', () => stopping.abort())
await runDaemon({
  sqs: sqsClient(queues),
  queueUrl,
  url: `http://127.0.0.1:${address.port}/`,
  signal: stopping.signal,
  onDelivery: (id, answer) => process.stdout.write(`${id}: ${answer}\n`),
})
process.exit(0)
