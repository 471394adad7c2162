/**
 * The web tier as Elastic Beanstalk starts it. Everything comes from environment variables: Beanstalk sets PORT, the
 * environment's own settings are BUCKET and QUEUE_URL, and the bundler has put in VERSION.
 */
import { serve } from '@hono/node-server'
import { s3Client, sqsClient } from '../cloud/clients.ts'
import { placesFromEnvironment } from '../cloud/place.ts'
import { webTier } from './web-tier.ts'

const { PORT = '8080', BUCKET: bucket = '', QUEUE_URL: queueUrl = '' } = process.env
// Not destructured: the bundler replaces exactly this expression.
const version = process.env.VERSION ?? 'unversioned'
const { storage, queues } = placesFromEnvironment()
const log = (line: string) => void process.stderr.write(`${line}\n`)
const app = webTier({ s3: s3Client(storage), sqs: sqsClient(queues), bucket, queueUrl, version, log })
// Loopback is enough: Beanstalk's nginx runs on the same machine.
const server = serve({ fetch: app.fetch, port: Number(PORT), hostname: '127.0.0.1' })
process.once('SIGTERM', () => server.close(() => process.exit(0)))
