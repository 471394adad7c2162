/** `<event-loop-quiz>`: put the callbacks into the order in which they run, and then see the real one. */
import { css, html, LitElement } from 'lit'
import { look } from './look.ts'
import { answers, choices, code, score } from './quiz.ts'

class EventLoopQuiz extends LitElement {
  static override styles = [
    look,
    css`
      ol {
        margin: 0 0 0.75rem;
        padding-inline-start: 2rem;
      }
      pre {
        max-height: 24rem;
      }
    `,
  ]

  #order: string[] = []
  #isShown = false

  async #choose(name: string) {
    this.#order = [...this.#order, name]
    this.requestUpdate()
    await this.updateComplete
    // The next choice has moved to where the pressed button was, unless that was the last one.
    if (!this.shadowRoot?.activeElement) this.renderRoot.querySelector<HTMLElement>('.choices button, .main')?.focus()
  }

  #takeBack() {
    this.#order = this.#order.slice(0, -1)
    this.requestUpdate()
  }

  async #show(isShown: boolean) {
    this.#isShown = isShown
    if (!isShown) this.#order = []
    this.requestUpdate()
    await this.updateComplete
    // The pressed button is gone; the keyboard goes on where the page has changed.
    this.renderRoot.querySelector<HTMLElement>('.next')?.focus()
  }

  override render() {
    return html`
      <pre tabindex="0" role="region" aria-label="The code"><code>${code}</code></pre>
      ${this.#isShown ? this.#result() : this.#question()}
    `
  }

  #question() {
    const left = choices.filter((name) => !this.#order.includes(name))
    return html`
      <p class="next" tabindex="-1">In which order do they run? Press what runs first, then what runs next, and so on.</p>
      <div class="row choices" role="group" aria-label="What runs next">
        ${left.map((name) => html`<button type="button" @click=${() => this.#choose(name)}>${name}</button>`)}
      </div>
      <ol aria-label="Your order" aria-live="polite">
        ${this.#order.map((name) => html`<li>${name}</li>`)}
      </ol>
      <div class="row">
        <button type="button" ?disabled=${this.#order.length === 0} @click=${this.#takeBack}>Take back</button>
        <button type="button" class="main" @click=${() => this.#show(true)}>Show the order</button>
      </div>
    `
  }

  #result() {
    return html`
      <p class="next" tabindex="-1">
        <strong>${score(this.#order)} of ${answers.length}</strong> at their place. This is the order in which Node runs them; a test
        of chapter 2 observes it.
      </p>
      <div class="scroll" tabindex="0" role="region" aria-label="The order">
        <table>
          <thead>
            <tr>
              <th scope="col" class="number">#</th>
              <th scope="col">what runs, and why</th>
              <th scope="col">you said</th>
            </tr>
          </thead>
          <tbody>
            ${answers.map(({ name, why }, at) => {
              const said = this.#order[at]
              return html`
                <tr>
                  <td class="number">${at + 1}</td>
                  <th scope="row">${name}<small>${why}</small></th>
                  <td>${said === name ? '✓ the same' : said === undefined ? '–' : `✗ ${said}`}</td>
                </tr>
              `
            })}
          </tbody>
        </table>
      </div>
      <div class="row"><button type="button" @click=${() => this.#show(false)}>Try again</button></div>
    `
  }
}

customElements.define('event-loop-quiz', EventLoopQuiz)
