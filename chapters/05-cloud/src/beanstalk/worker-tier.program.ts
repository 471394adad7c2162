/** The worker tier as Elastic Beanstalk starts it. See web-tier.program.ts for the environment variables. */
import { serve } from '@hono/node-server'
import { s3Client } from '../cloud/clients.ts'
import { placesFromEnvironment } from '../cloud/place.ts'
import { workerTier } from './worker-tier.ts'

const { PORT = '8080', BUCKET: bucket = '' } = process.env
const log = (line: string) => void process.stderr.write(`${line}\n`)
const app = workerTier({ s3: s3Client(placesFromEnvironment().storage), bucket, log })
// Loopback is enough: the daemon runs on the same machine.
const server = serve({ fetch: app.fetch, port: Number(PORT), hostname: '127.0.0.1' })
process.once('SIGTERM', () => server.close(() => process.exit(0)))
