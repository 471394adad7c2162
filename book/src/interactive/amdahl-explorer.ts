/**
 * `<amdahl-explorer>`: the laws of speedup with sliders, and the reader's own measured points among them. The formulas
 * are those of chapter 1.
 */
import { css, html, LitElement, nothing, svg } from 'lit'
import { look, slider } from './look.ts'
import {
  curve,
  type LawName,
  lawNames,
  limits,
  type Measured,
  type Parameters,
  percent,
  readMeasured,
  speedups,
  times,
} from './speedup.ts'

const styles: Record<LawName, { color: string; dash: string }> = {
  ideal: { color: 'var(--grey)', dash: '2 4' },
  Amdahl: { color: 'var(--blue)', dash: '' },
  Gustafson: { color: 'var(--green)', dash: '10 3' },
  USL: { color: 'var(--orange)', dash: '6 3' },
}
const margin = { left: 44, right: 12, top: 10, bottom: 42 }

class AmdahlExplorer extends LitElement {
  static override styles = [
    look,
    css`
      svg {
        display: block;
        /* Until the observer has told the width: a phone is narrower than the first drawing. */
        max-width: 100%;
        margin-bottom: 0.75rem;
      }
      svg text {
        fill: var(--text);
        font-size: 12px;
      }
      textarea {
        display: block;
        width: 100%;
        min-height: 4rem;
        margin-block: 0.25rem;
        font-family: var(--sl-font-mono, ui-monospace, monospace);
        font-size: 0.8125rem;
      }
      td svg,
      th svg {
        display: inline;
        margin: 0 0.375rem 0 0;
        vertical-align: middle;
      }
    `,
  ]

  #parameters: Parameters = { parallel: 0.9, contention: 0.05, coherency: 0.001 }
  /** The number of processors is 2 to the power of this. */
  #doublings = 6
  #measured: Measured | undefined
  #message = ''
  #width = 640
  readonly #observer = new ResizeObserver(([entry]) => {
    this.#width = Math.max(260, Math.floor(entry?.contentRect.width ?? this.#width))
    this.requestUpdate()
  })

  override connectedCallback() {
    super.connectedCallback()
    this.#observer.observe(this)
  }

  override disconnectedCallback() {
    super.disconnectedCallback()
    this.#observer.disconnect()
  }

  get #processors() {
    return 2 ** this.#doublings
  }

  #set(change: Partial<Parameters>) {
    this.#parameters = { ...this.#parameters, ...change }
    this.requestUpdate()
  }

  #paste(output: string) {
    this.#measured = undefined
    this.#message = ''
    if (output.trim() !== '') {
      try {
        const measured = readMeasured(output)
        this.#measured = measured
        this.#parameters = measured.fitted
        const most = Math.max(...measured.rows.map(({ workers }) => workers))
        this.#doublings = Math.max(1, Math.ceil(Math.log2(most)))
        const busy = measured.busy ? ' The machine was busy: do not believe these figures.' : ''
        this.#message = `${measured.rows.length} points, measured on ${measured.cores} cores. The sliders show their fits: Amdahl’s on the machine’s ceiling, the USL’s on threads.${busy}`
      } catch (error) {
        this.#message = (error as Error).message
      }
    }
    this.requestUpdate()
  }

  override render() {
    const { parallel, contention, coherency } = this.#parameters
    const processors = this.#processors
    return html`
      <div class="sliders">
        ${slider({
          label: 'Processors',
          value: this.#doublings,
          text: String(processors),
          min: 1,
          max: 10,
          step: 1,
          onInput: (doublings) => {
            this.#doublings = doublings
            this.requestUpdate()
          },
        })}
        ${slider({
          label: 'Parallel fraction f',
          value: parallel,
          text: `${(100 * parallel).toFixed(1)} %`,
          min: 0,
          max: 1,
          step: 0.001,
          onInput: (parallel) => this.#set({ parallel }),
        })}
        ${slider({
          label: 'Contention σ (USL)',
          value: contention,
          text: `${(100 * contention).toFixed(1)} %`,
          min: 0,
          max: 1,
          step: 0.001,
          onInput: (contention) => this.#set({ contention }),
        })}
        ${slider({
          label: 'Coherency κ (USL)',
          value: coherency,
          text: `${(100 * coherency).toFixed(2)} %`,
          min: 0,
          max: 0.1,
          step: 0.0001,
          onInput: (coherency) => this.#set({ coherency }),
        })}
      </div>
      ${this.#chart()} ${this.#table()}
      <label>
        Your own points: paste what <code>pnpm --filter 01-intro start measure --json</code> prints
        <textarea
          spellcheck="false"
          @input=${(event: Event) => this.#paste((event.target as HTMLTextAreaElement).value)}
        ></textarea>
      </label>
      <div role="status">${this.#message}</div>
    `
  }

  #table() {
    const processors = this.#processors
    const reached = speedups(this.#parameters, processors)
    const limit = limits(this.#parameters)
    return html`
      <div class="scroll" tabindex="0" role="region" aria-label="Speedups">
        <table>
          <thead>
            <tr>
              <th scope="col">law and its limit</th>
              <th scope="col" class="number">speedup on ${processors}</th>
              <th scope="col" class="number">efficiency</th>
            </tr>
          </thead>
          <tbody>
            ${lawNames.map(
              (law) => html`
                <tr>
                  <th scope="row">
                    <svg width="28" height="8" aria-hidden="true">${line('M0 4h28', styles[law])}</svg>${law}<small>${limit[law]}</small>
                  </th>
                  <td class="number">${times(reached[law])}</td>
                  <td class="number">${percent(reached[law] / processors)}</td>
                </tr>
              `,
            )}
            ${this.#measured?.rows.map(
              ({ workers, speedup, ceiling }) => html`
                <tr>
                  <th scope="row"><svg width="28" height="8" aria-hidden="true">${dot(14, 4)}</svg>measured on ${workers}<small>ceiling ${times(ceiling)}</small></th>
                  <td class="number">${times(speedup)}</td>
                  <td class="number">${percent(speedup / workers)}</td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    `
  }

  /** Both axes are logarithmic, so that the ideal is a straight line and one core is as readable as a thousand. */
  #chart() {
    const width = this.#width
    const height = Math.round(Math.min(380, 0.62 * width + 60))
    const most = this.#processors
    const curves = lawNames.map((law) => ({ law, points: curve(law, this.#parameters, most) }))
    const rows = this.#measured?.rows ?? []
    const values = [...curves.flatMap(({ points }) => points), ...rows.map(({ speedup }) => ({ y: speedup }))]
    const least = Math.min(1, ...values.map(({ y }) => y))
    const top = Math.max(most, ...values.map(({ y }) => y))
    const x = (processors: number) =>
      margin.left + (Math.log(processors) / Math.log(most)) * (width - margin.left - margin.right)
    const y = (speedup: number) =>
      height -
      margin.bottom -
      (Math.log(speedup / least) / Math.log(top / least)) * (height - margin.top - margin.bottom)
    const reached = speedups(this.#parameters, most)
    const summary = lawNames.map((law) => `${law} ${times(reached[law])}`).join(', ')
    return html`
      <svg width=${width} height=${height} role="img" aria-label=${`Speedup on 1 to ${most} processors. On ${most}: ${summary}.`}>
        ${powersOfTwo(1, most).map(
          (tick) => svg`
            <path d=${`M${x(tick)} ${margin.top}V${height - margin.bottom}`} stroke="var(--line)" />
            <text x=${x(tick)} y=${height - margin.bottom + 16} text-anchor="middle">${tick}</text>`,
        )}
        ${powersOfTwo(least, top).map(
          (tick) => svg`
            <path d=${`M${margin.left} ${y(tick)}H${width - margin.right}`} stroke="var(--line)" />
            <text x=${margin.left - 6} y=${y(tick) + 4} text-anchor="end">${tick < 1 ? `1/${1 / tick}` : tick}×</text>`,
        )}
        <text x=${(margin.left + width) / 2} y=${height - 6} text-anchor="middle">processors</text>
        ${curves.map(({ law, points }) => line(`M${points.map((point) => `${x(point.x).toFixed(1)} ${y(point.y).toFixed(1)}`).join('L')}`, styles[law]))}
        ${rows.map(({ workers, speedup }) => dot(x(workers), y(speedup)))}
      </svg>
    `
  }
}

const line = (path: string, { color, dash }: { color: string; dash: string }) =>
  svg`<path d=${path} fill="none" stroke=${color} stroke-width="2.5" stroke-dasharray=${dash || nothing} />`

const dot = (x: number, y: number) => svg`<circle cx=${x} cy=${y} r="4" fill="var(--red)" />`

/** The powers of two between two numbers, not too many for an axis. */
function powersOfTwo(least: number, most: number): number[] {
  const [from, to] = [Math.ceil(Math.log2(least) - 1e-9), Math.floor(Math.log2(most) + 1e-9)]
  const step = Math.ceil((to - from + 1) / 11)
  return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, at) => 2 ** (from + step * at))
}

customElements.define('amdahl-explorer', AmdahlExplorer)
