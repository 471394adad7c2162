/**
 * The web tier takes a text, divides it among the workers, and reports their progress. It keeps no state. So all its
 * instances give the same answers, and nothing is lost when one dies.
 */
import { Hono } from 'hono'
import { html } from 'hono/html'
import { largestText, type Shared, submitText, textStatus } from './text-parts.ts'

export interface WebTierOptions extends Shared {
  /** The version that it reports. */
  version: string
  /** Called with errors, which belong in the log and not in the response. */
  log: (line: string) => void
}

/** Returns the application. */
export function webTier({ version, log, ...shared }: WebTierOptions): Hono {
  const app = new Hono()
  app.get('/', (c) => c.html(page(version)))
  app.get('/version', (c) => c.json({ version }))

  app.post('/texts', async (c) => {
    const text = await readText(c.req.raw)
    if (text === undefined) return c.json({ error: `at most ${largestText} bytes` }, 413)
    if (text.trim() === '') return c.json({ error: 'the body is empty; accepts a text' }, 400)
    const status = await submitText(shared, text)
    return c.json(status, 202, { location: `/texts/${status.id}` })
  })
  app.get('/texts/:id{[0-9a-f-]{36}}', async (c) => {
    const status = await textStatus(shared, c.req.param('id'))
    return status ? c.json(status) : c.json({ error: `text ${c.req.param('id')} does not exist` }, 404)
  })
  app.onError((error, c) => {
    log(error.message)
    return c.json({ error: 'the text cannot be counted now; try again later' }, 503)
  })
  return app
}

/**
 * Returns the body of a request; undefined if it is too large. Reads it to its end in any case: with a rest that nobody has
 * read, the connection cannot carry another request, and it may carry those of several clients.
 */
async function readText({ body }: Request): Promise<string | undefined> {
  let chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.length
    if (bytes <= largestText) chunks.push(chunk)
    else chunks = []
  }
  return bytes <= largestText ? Buffer.concat(chunks).toString() : undefined
}

/** A page for a browser. It sends a text and shows the progress. */
function page(version: string) {
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Word counts</title>
<style>body { font: 1rem/1.5 system-ui; max-width: 40rem; margin: 2rem auto; padding: 0 1rem } textarea { width: 100% }</style>
<h1>Word counts</h1>
<form><textarea name="text" rows="10" required aria-label="text"></textarea><p><button>Count</button> <small>version ${version}</small></p></form>
<progress value="0" max="1" hidden></progress>
<pre role="status"></pre>
<script>
  const [form, bar, status] = ['form', 'progress', 'pre'].map((name) => document.querySelector(name))
  form.onsubmit = async (event) => {
    event.preventDefault()
    const answer = await fetch('/texts', { method: 'POST', body: form.text.value })
    let text = await answer.json()
    bar.hidden = false
    while (text.error === undefined && text.top === undefined) {
      bar.value = text.counted / text.parts
      status.textContent = text.counted + ' of ' + text.parts + ' parts counted'
      await new Promise((resolve) => setTimeout(resolve, 300))
      text = await (await fetch('/texts/' + text.id)).json()
    }
    bar.hidden = true
    status.textContent = text.error ?? text.words + ' words, ' + text.distinct + ' distinct\\n' +
      text.top.map(({ word, count }) => String(count).padStart(8) + '  ' + word).join('\\n')
  }
</script>`
}
