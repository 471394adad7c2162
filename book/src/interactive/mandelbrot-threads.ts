/** `<mandelbrot-threads>`: the Mandelbrot set on the reader's own cores, and how much faster they are than one. */
import { tilesOf } from '@repo/common/workloads/mandelbrot'
import { css, html, LitElement, nothing } from 'lit'
import { DrawingPool, type Picture } from './drawing-pool.ts'
import { look, slider } from './look.ts'
import type { Drawn } from './mandelbrot.worker.ts'

const size = { width: 960, height: 600, iterations: 2000 }
const chapter3 = { name: 'the part that chapter 3 draws', ...size, centerX: -0.743643, centerY: 0.131825, zoom: 500 }
const views = [chapter3, { name: 'the whole set', ...size, centerX: -0.75, centerY: 0, zoom: 1 }]
const tileSide = 64
const rounds = 5

class MandelbrotThreads extends LitElement {
  static override styles = [
    look,
    css`
      canvas {
        display: block;
        width: 100%;
        margin-bottom: 0.75rem;
        background: black;
      }
      fieldset {
        min-width: 0;
        margin: 0;
        padding: 0;
        border: 0;
      }
      p strong {
        font-size: 1.125rem;
      }
    `,
  ]

  readonly #cores = navigator.hardwareConcurrency
  #workers = Math.max(2, this.#cores)
  #view = chapter3
  #pool: DrawingPool | undefined
  #alone: Picture[] = []
  #together: Picture[] = []
  #message = ''

  override disconnectedCallback() {
    super.disconnectedCallback()
    this.#pool?.close()
  }

  /** Draws with one worker and with all, in turn; the first round is not counted. */
  async #measure() {
    const view = this.#view
    const tiles = tilesOf(view, tileSide)
    const pool = new DrawingPool(this.#workers)
    this.#pool = pool
    this.#alone = []
    this.#together = []
    const context = this.renderRoot.querySelector('canvas')?.getContext('2d')
    const onTile = ({ tile: { left, top, right, bottom }, image }: Drawn) =>
      context?.putImageData(new ImageData(image, right - left, bottom - top), left, top)
    try {
      for (let round = 0; round <= rounds; round++) {
        this.#message = round === 0 ? 'Warming up …' : `Round ${round} of ${rounds} …`
        this.requestUpdate()
        for (const [count, pictures] of [
          [1, this.#alone],
          [this.#workers, this.#together],
        ] as const) {
          context?.clearRect(0, 0, view.width, view.height)
          const picture = await pool.draw(view, tiles, count, onTile)
          if (round > 0) pictures.push(picture)
        }
      }
      this.#message = 'Done.'
    } catch (error) {
      this.#message = `${(error as Error).message}.`
    } finally {
      pool.close()
      this.#pool = undefined
      this.requestUpdate()
    }
  }

  /** What was measured with other settings says nothing about these. */
  #forget() {
    this.#alone = []
    this.#together = []
    this.#message = ''
    this.requestUpdate()
  }

  override render() {
    const isMeasuring = this.#pool !== undefined
    return html`
      <div class="sliders">
        <label>
          View:
          <select
            ?disabled=${isMeasuring}
            @change=${(event: Event) => {
              this.#view = views[(event.target as HTMLSelectElement).selectedIndex] ?? chapter3
              this.#forget()
            }}
          >
            ${views.map(({ name }) => html`<option>${name}</option>`)}
          </select>
        </label>
        <fieldset ?disabled=${isMeasuring}>
          ${slider({
            label: 'Workers',
            value: this.#workers,
            text: String(this.#workers),
            min: 2,
            max: Math.max(4, 2 * this.#cores),
            step: 1,
            onInput: (workers) => {
              this.#workers = workers
              this.#forget()
            },
          })}
        </fieldset>
      </div>
      <canvas width=${size.width} height=${size.height} role="img" aria-label=${`The Mandelbrot set: ${this.#view.name}`}></canvas>
      <div class="row">
        ${
          isMeasuring
            ? html`<button type="button" @click=${() => this.#pool?.close()}>Stop</button>`
            : html`<button type="button" class="main" @click=${() => this.#measure()}>Draw and measure</button>`
        }
        <span role="status">${this.#message}</span>
      </div>
      ${this.#table()}
    `
  }

  #table() {
    const alone = median(this.#alone)
    const together = median(this.#together)
    if (!alone || !together) return nothing
    const speedup = alone.ms / together.ms
    return html`
      <p>
        ${this.#workers} workers are <strong>${speedup.toFixed(2)}×</strong> as fast as one, by the medians of
        ${this.#together.length} rounds, on a machine whose browser reports ${this.#cores} ${this.#cores === 1 ? 'core' : 'cores'}.
      </p>
      <div class="scroll" tabindex="0" role="region" aria-label="Times">
        <table>
          <thead>
            <tr>
              <th scope="col" class="number">workers</th>
              <th scope="col" class="number">time</th>
              <th scope="col" class="number">speedup</th>
              <th scope="col">tiles each</th>
            </tr>
          </thead>
          <tbody>
            ${[alone, together].map(
              ({ ms, tiles }) => html`
                <tr>
                  <td class="number">${tiles.length}</td>
                  <td class="number">${ms.toFixed(0)} ms</td>
                  <td class="number">${(alone.ms / ms).toFixed(2)}×</td>
                  <td>${tiles.join(', ')}</td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    `
  }
}

/** Returns the picture whose time is in the middle. */
const median = (pictures: readonly Picture[]): Picture | undefined =>
  pictures.toSorted((a, b) => a.ms - b.ms)[Math.floor(pictures.length / 2)]

customElements.define('mandelbrot-threads', MandelbrotThreads)
