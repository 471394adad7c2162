/**
 * Progress on standard error: a live line on a terminal; elsewhere a plain line every two seconds, and so none for
 * shorter work.
 */
import { createRequire } from 'node:module'
import { count } from './terminal.ts'

// Loaded only for a terminal: elsewhere it would be a fifth of the start of an example, for nothing.
const require = createRequire(import.meta.url)
const loadOra = () => (require('ora') as typeof import('ora')).default

const plainEveryMs = 2_000

export interface Progress extends Disposable {
  /**
   * Shows how much is done, in the units of `total`, and perhaps a new label. Only a terminal shows `details`, as lines
   * below.
   */
  update: (done: number, label?: string, details?: string) => void
}

/**
 * Shows progress until the returned object is disposed of: `using bar = progress('comparing pairs', 27_028)`.
 *
 * @param total all the work, in the units of `update`; without it only the label is shown
 */
export function progress(label: string, total = 0): Progress {
  // Some pseudo-terminals report zero columns, and ora would then clear lines for ever.
  const onTerminal = process.stderr.isTTY && process.stderr.columns > 0
  // discardStdin would put the terminal into raw mode, and the program would not get Ctrl-C.
  const spinner = onTerminal ? loadOra()({ text: label, discardStdin: false }).start() : undefined
  let text = label
  let shownAt = performance.now()

  return {
    update(done, now = label, details) {
      const share = Math.min(1, done / total)
      const counted = total > 1 ? ` (${count(done)} of ${count(total)})` : ''
      text = total === 0 ? now : `${now} ${bar(share)} ${Math.floor(100 * share)} %${counted}`
      if (spinner) spinner.text = details ? `${text}\n${details}` : text
      else if (performance.now() - shownAt >= plainEveryMs) {
        shownAt = performance.now()
        process.stderr.write(`${text}\n`)
      }
    },
    [Symbol.dispose]: () => void spinner?.stop(),
  }
}

function bar(share: number, width = 20): string {
  const full = Math.round(share * width)
  return '█'.repeat(full) + '░'.repeat(width - full)
}
