/** The practice cloud's server: fauxqs, which accepts every request, behind a check of the requests' signatures. */
import { ready } from '@repo/common/process/ready'
import { practiceApp } from './practice-buckets.ts'
import { refuse } from './signature.ts'

const credentials = {
  accessKeyId: process.env.PRACTICE_KEY_ID ?? '',
  secretAccessKey: process.env.PRACTICE_SECRET ?? '',
}
const app = practiceApp()
app.addHook('onRequest', async (request, reply) => {
  const { method = '', url = '', headers } = request.raw
  const refusal = refuse({ method, url, headers }, credentials, Date.now())
  if (!refusal) return
  const { code, message } = refusal
  // Each service has its own format for errors.
  if (request.headers['content-type']?.includes('json')) {
    return reply.status(403).header('content-type', 'application/x-amz-json-1.0').send({ __type: code, message })
  }
  const xml = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`
  return reply.status(403).header('content-type', 'application/xml').send(xml)
})
// The package's own startFauxqs would listen on every interface.
await app.listen({ port: 0, host: '127.0.0.1' })
process.once('SIGTERM', () => process.exit(0))
const address = app.server.address()
ready({ port: typeof address === 'object' ? address?.port : undefined })
