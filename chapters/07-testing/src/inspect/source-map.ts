/** Source maps: in the code itself, or in a file beside it. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { AnyMap, type TraceMap } from '@jridgewell/trace-mapping'

/**
 * Returns the source map that a script names. Its sources are resolved: against the map, and its `sourceRoot`.
 *
 * @returns undefined when there is none at this URL, or it cannot be read: then the code itself is all that is known
 */
export function readSourceMap(mapUrl: string, scriptUrl: string): TraceMap | undefined {
  try {
    const url = URL.parse(mapUrl, scriptUrl) ?? new URL(mapUrl)
    if (url.protocol === 'data:') return new AnyMap(textOf(mapUrl), scriptUrl) as TraceMap
    // A debugger must not fetch what a program names.
    return url.protocol === 'file:'
      ? (new AnyMap(readFileSync(fileURLToPath(url), 'utf8'), url.href) as TraceMap)
      : undefined
  } catch {
    return undefined
  }
}

/** Returns what a `data:` URL contains. */
function textOf(url: string): string {
  const [, parameters = '', data = ''] = /^data:([^,]*),(.*)$/s.exec(url) ?? []
  return parameters.endsWith(';base64') ? Buffer.from(data, 'base64').toString() : decodeURIComponent(data)
}
