/**
 * `<history-stepper>`: a history of chapter 7's orders on simulated nodes, step by step, with faults to switch and the
 * invariants beside it.
 */
import { type Bug, bugs } from '07-testing/pipeline/orders'
import { css, html, LitElement, nothing, svg } from 'lit'
import {
  columns,
  describe,
  type Fault,
  faultsAt,
  faultsOf,
  faultText,
  invariantsAt,
  nodeOf,
  type Told,
  tell,
  withFaults,
} from './history.ts'
import { look, slider } from './look.ts'
import { shortest } from './shortest.ts'

const bugNames = Object.keys(shortest) as Bug[]
const rowHeight = 15
const headHeight = 22
/** The places of a column and of a row in the picture, in pixels. */
const x = (column: number) => 60 + 140 * column
const y = (row: number) => 20 + rowHeight * row
const width = x(columns.length - 1) + 140

class HistoryStepper extends LitElement {
  static override styles = [
    look,
    css`
      fieldset {
        margin: 0 0 0.75rem;
        padding: 0.5rem 0.75rem;
        border: 1px solid var(--line);
      }
      fieldset label {
        display: block;
      }
      select {
        max-width: 100%;
      }
      input[type='number'] {
        width: 7rem;
      }
      .steps {
        flex: 1 1 100%;
        order: -1;
      }
      .now {
        min-height: 3em;
        font-weight: 600;
      }
      .beside {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 1rem;
      }
      @container (min-width: 40rem) {
        .beside {
          grid-template-columns: minmax(0, 1fr) 13rem;
        }
        .steps {
          flex: 1;
          order: 0;
        }
      }
      .picture {
        max-height: 26rem;
        overflow: auto;
        border: 1px solid var(--line);
      }
      ul {
        margin: 0;
        padding: 0;
        list-style: none;
      }
      li {
        margin-bottom: 0.5rem;
      }
      li.broken {
        font-weight: 600;
      }
      li small {
        font-weight: normal;
      }
      svg text {
        fill: var(--text);
        font-size: 11px;
      }
      svg {
        display: block;
      }
      svg.heads {
        position: sticky;
        top: 0;
        background: var(--sl-color-bg, Canvas);
      }
      svg.heads text {
        font-size: 12px;
        font-weight: 600;
      }
      svg .arrow {
        cursor: pointer;
      }
      svg .arrow line {
        stroke: var(--blue);
        stroke-width: 1.5;
      }
      svg .arrow .hit {
        stroke: transparent;
        stroke-width: 12;
      }
      svg .lost line:not(.hit) {
        stroke: var(--red);
        stroke-dasharray: 4 3;
      }
      svg .cross {
        fill: var(--red);
        font-size: 14px;
        font-weight: bold;
      }
      svg .current line:not(.hit) {
        stroke-width: 3;
      }
      svg .current text {
        font-weight: 700;
      }
      svg .later {
        opacity: 0.25;
      }
    `,
  ]

  #bug: Bug = 'early-ack'
  #hasBug = true
  #seed = 0
  #faults: { fault: Fault; isOn: boolean }[] = faultsOf(shortest[this.#bug]).map((fault) => ({ fault, isOn: true }))
  #told: Told = this.#tell()
  #step = 0

  #tell(): Told {
    const faults = this.#faults.flatMap(({ fault, isOn }) => (isOn ? [fault] : []))
    const scenario = { ...withFaults(shortest[this.#bug], faults), jitter: this.#seed }
    return tell(scenario, this.#hasBug ? this.#bug : undefined)
  }

  get #atMs() {
    return this.#told.moments[this.#step]?.atMs ?? 0
  }

  #go(step: number) {
    this.#step = Math.min(Math.max(0, step), this.#told.moments.length - 1)
    this.requestUpdate()
  }

  /** Runs the changed scenario. The reader stays at the same time. */
  #again() {
    const atMs = this.#atMs
    this.#told = this.#tell()
    this.#go(this.#told.moments.findLastIndex((moment) => moment.atMs <= atMs))
  }

  #choose(bug: Bug) {
    this.#bug = bug
    this.#hasBug = true
    this.#faults = faultsOf(shortest[bug]).map((fault) => ({ fault, isOn: true }))
    this.#step = 0
    this.#again()
  }

  /** Adds a fault, or switches the one that is there. */
  #toggle(fault: Fault) {
    const text = faultText(fault)
    const known = this.#faults.find((one) => faultText(one.fault) === text)
    if (known) known.isOn = !known.isOn
    else this.#faults.push({ fault, isOn: true })
    this.#again()
  }

  override updated() {
    const moment = this.#told.moments[this.#step]
    const picture = this.renderRoot.querySelector('.picture')
    if (!moment || !picture) return
    const column = columns.indexOf(nodeOf(moment))
    picture.scrollTo({
      top: y(this.#step) + headHeight - picture.clientHeight / 2,
      left: x(column) - picture.clientWidth / 2,
    })
  }

  override render() {
    const { moments, text } = this.#told
    const moment = moments[this.#step]
    if (!moment) return nothing
    const { lose, crash } = faultsAt(moment)
    const { requests } = shortest[this.#bug]
    const orders = requests.map(({ quantity, item, card }) => `${quantity} ${item} with a ${card} card`)
    return html`
      <div class="row">
        <label>
          The shortest history of
          <select @change=${(event: Event) => this.#choose((event.target as HTMLSelectElement).value as Bug)}>
            ${bugNames.map((bug) => html`<option ?selected=${bug === this.#bug}>${bug}</option>`)}
          </select>
        </label>
        <label>
          Seed of the message times (0: 1 ms each)
          <input
            type="number"
            min="0"
            max="999999"
            .value=${String(this.#seed)}
            @change=${(event: Event) => {
              this.#seed = Math.max(0, Math.trunc((event.target as HTMLInputElement).valueAsNumber) || 0)
              this.#again()
            }}
          />
        </label>
      </div>
      <p>Ordered: ${orders.join(', ')}.</p>
      <fieldset>
        <legend>What goes wrong</legend>
        ${checkbox(`the bug: ${bugs[this.#bug]}`, this.#hasBug, (isOn) => {
          this.#hasBug = isOn
          this.#again()
        })}
        ${this.#faults.map(({ fault, isOn }) => checkbox(faultText(fault), isOn, () => this.#toggle(fault)))}
        <div class="row">
          <button type="button" ?disabled=${!lose} @click=${() => lose && this.#toggle(lose)}>Lose this message</button>
          <button type="button" @click=${() => this.#toggle(crash)}>Crash ${nodeOf(moment)} now</button>
        </div>
      </fieldset>
      <div class="row">
        <button type="button" aria-label="To the beginning" @click=${() => this.#go(0)}>|◀</button>
        <button type="button" aria-label="Step back" @click=${() => this.#go(this.#step - 1)}>◀</button>
        <div class="steps">
          ${slider({
            label: 'Step',
            value: this.#step + 1,
            text: `${this.#step + 1} of ${moments.length}`,
            min: 1,
            max: moments.length,
            step: 1,
            onInput: (step) => this.#go(step - 1),
          })}
        </div>
        <button type="button" aria-label="Step forward" @click=${() => this.#go(this.#step + 1)}>▶</button>
        <button type="button" aria-label="To the end" @click=${() => this.#go(moments.length - 1)}>▶|</button>
      </div>
      <p class="now" role="status">${describe(moment)}</p>
      <div class="beside">
        <div class="picture" tabindex="0" role="region" aria-label="The history as a picture">${this.#picture()}</div>
        <ul aria-label="Invariants">
          ${invariantsAt(this.#told, this.#atMs).map(({ name, details }) =>
            details.length === 0
              ? html`<li>✓ ${name}</li>`
              : html`<li class="broken">✗ ${name} ${details.map((detail) => html`<small>${detail}</small>`)}</li>`,
          )}
        </ul>
      </div>
      <details>
        <summary>The history as text</summary>
        <pre tabindex="0" role="region" aria-label="The history as text">${text}</pre>
      </details>
    `
  }

  #picture() {
    const { moments, arrows, marks } = this.#told
    const height = y(moments.length)
    const classes = (begin: number, isCurrent: boolean) =>
      `${begin > this.#step ? 'later' : ''} ${isCurrent ? 'current' : ''}`
    return html`
      <svg class="heads" width=${width} height=${headHeight} aria-hidden="true">
        ${columns.map((name, column) => svg`<text x=${x(column)} y="15" text-anchor="middle">${name}</text>`)}
      </svg>
      <svg width=${width} height=${height} role="img" aria-label=${`${moments.length} moments; now ${this.#step + 1}`}>
        <marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">
          <path d="M0 0L8 4L0 8z" fill="var(--blue)" />
        </marker>
        <rect x="0" y=${y(this.#step) - rowHeight / 2} width=${width} height=${rowHeight} fill="var(--grey)" opacity="0.3" />
        ${columns.map(
          (_, column) => svg`
            <path d=${`M${x(column)} 0V${height}`} stroke="var(--grey)" opacity="0.5" />`,
        )}
        ${moments.map(({ atMs }, row) =>
          atMs === moments[row - 1]?.atMs ? nothing : svg`<text x="4" y=${y(row) + 4}>${atMs} ms</text>`,
        )}
        ${arrows.map(({ line, from, to, begin, end, text, lost }) => {
          const ends = [x(from), y(begin), x(to), y(end)] as const
          const isCurrent = moments[this.#step]?.line === line
          const { lose } = faultsAt({ line, atMs: line.sentMs, isEnd: false })
          return svg`
            <g class=${`arrow ${lost ? 'lost' : ''} ${classes(begin, isCurrent)}`} @click=${() => lose && this.#toggle(lose)}>
              <title>Switch the loss of message ${line.number}</title>
              ${segment(ends, 'hit')} ${segment(ends, '', lost ? '' : 'url(#head)')}
              <text x=${(ends[0] + ends[2]) / 2} y=${(ends[1] + ends[3]) / 2 - 5} text-anchor="middle">${text}</text>
              ${lost ? svg`<text class="cross" x=${ends[2]} y=${ends[3] + 5} text-anchor="middle">✕</text>` : nothing}
            </g>`
        })}
        ${marks.map(
          ({ column, row, text, isOnLeft }) => svg`
            <g class=${classes(row, row === this.#step)}>
              <circle cx=${x(column)} cy=${y(row)} r="5" fill="var(--red)" />
              <text x=${x(column) + (isOnLeft ? -9 : 9)} y=${y(row) + 4} text-anchor=${isOnLeft ? 'end' : 'start'}>${text}</text>
            </g>`,
        )}
      </svg>
    `
  }
}

const segment = ([x1, y1, x2, y2]: readonly [number, number, number, number], name: string, marker = '') =>
  svg`<line class=${name} x1=${x1} y1=${y1} x2=${x2} y2=${y2} marker-end=${marker || nothing} />`

const checkbox = (label: string, isOn: boolean, onChange: (isOn: boolean) => void) => html`
  <label>
    <input
      type="checkbox"
      .checked=${isOn}
      @change=${(event: Event) => onChange((event.target as HTMLInputElement).checked)}
    />
    ${label}
  </label>
`

customElements.define('history-stepper', HistoryStepper)
