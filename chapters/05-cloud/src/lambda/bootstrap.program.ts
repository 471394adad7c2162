/**
 * What Lambda's own image for Node.js does: it loads the handler once, then takes one invocation after the other from the
 * Runtime API. Lambda brings this program along, so it is not deployed.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
import { pathToFileURL } from 'node:url'
import { ready } from '@repo/common/process/ready'

type Handler = (event: unknown, context: object) => Promise<unknown>

const file = process.argv.at(-1) ?? ''
const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`
const { handler } = (await import(pathToFileURL(file).href)) as { handler: Handler }
ready()
// Behind the emulator nobody else knows this process.
if (!process.connected) process.stdout.write(`function process ${process.pid}\n`)

for (;;) {
  // The answer comes with the next invocation. An environment that gets none for five minutes ends, as Lambda's do.
  const next = await fetch(`${api}/next`)
  const awsRequestId = next.headers.get('lambda-runtime-aws-request-id')
  const deadline = Number(next.headers.get('lambda-runtime-deadline-ms'))
  const context = { awsRequestId, getRemainingTimeInMillis: () => deadline - Date.now() }
  const answer = await handler(await next.json(), context).then(
    (result) => ({ to: 'response', body: result ?? null }),
    (error: Error) => ({ to: 'error', body: { errorType: error.name, errorMessage: error.message } }),
  )
  await fetch(`${api}/${awsRequestId}/${answer.to}`, { method: 'POST', body: JSON.stringify(answer.body) })
}
