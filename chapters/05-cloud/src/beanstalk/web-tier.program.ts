/**
 * The web tier as Elastic Beanstalk starts it: everything comes from the environment. Beanstalk sets PORT; BUCKET and
 * QUEUE_URL are the environment's own settings; VERSION is put in when the bundle is built.
 */
import { serve } from '@hono/node-server'
import { placesFromEnvironment, s3Client, sqsClient } from '../cloud/cloud.ts'
import { webTier } from './web-tier.ts'

const { PORT = '8080', BUCKET: bucket = '', QUEUE_URL: queueUrl = '' } = process.env
// In one piece: the bundler puts the version in its place.
const version = process.env.VERSION ?? 'unversioned'
const { storage, queues } = placesFromEnvironment()
const log = (line: string) => void process.stderr.write(`${line}\n`)
const app = webTier({ s3: s3Client(storage), sqs: sqsClient(queues), bucket, queueUrl, version, log })
// Beanstalk's nginx is on the same machine, and so is the worker tier's daemon.
const server = serve({ fetch: app.fetch, port: Number(PORT), hostname: '127.0.0.1' })
process.once('SIGTERM', () => server.close(() => process.exit(0)))
