/** The worker tier as Elastic Beanstalk starts it: see web-tier.program.ts. */
import { serve } from '@hono/node-server'
import { placesFromEnvironment, s3Client } from '../cloud/cloud.ts'
import { workerTier } from './worker-tier.ts'

const { PORT = '8080', BUCKET: bucket = '' } = process.env
const log = (line: string) => void process.stderr.write(`${line}\n`)
const app = workerTier({ s3: s3Client(placesFromEnvironment().storage), bucket, log })
// Beanstalk's nginx is on the same machine, and so is the worker tier's daemon.
const server = serve({ fetch: app.fetch, port: Number(PORT), hostname: '127.0.0.1' })
process.once('SIGTERM', () => server.close(() => process.exit(0)))
