/**
 * Progress on standard error: a live line on a terminal, a plain line every two seconds elsewhere, nothing for work that
 * ends sooner than that.
 */
import ora from 'ora'
import { count } from './terminal.ts'

const plainEveryMs = 2_000

export interface Progress extends Disposable {
  /**
   * Says how far the work is, in the units of `total`, and optionally what it does now; `details` are lines that only a
   * terminal shows, below the others.
   */
  update: (done: number, label?: string, details?: string) => void
}

/**
 * Shows that work goes on until the returned object is disposed of (`using bar = progress('comparing pairs', 27_028)`).
 *
 * @param total in the units of `update`; without it only the label is shown
 */
export function progress(label: string, total = 0): Progress {
  // Some pseudo-terminals say that they have no columns; ora then clears lines without end.
  const onTerminal = process.stderr.isTTY && process.stderr.columns > 0
  // discardStdin would put the terminal into raw mode and take Ctrl-C away from the program.
  const spinner = onTerminal ? ora({ text: label, discardStdin: false }).start() : undefined
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
