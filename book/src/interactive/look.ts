/** What the interactive elements have in common: colours, controls, tables. */
import { css, html } from 'lit'

/** The colours are Starlight's, which follow its light and dark theme; elsewhere the browser's own. */
export const look = css`
  :host {
    --text: var(--sl-color-text, CanvasText);
    --line: var(--sl-color-gray-5, color-mix(in srgb, CanvasText 25%, Canvas));
    /* As in the chapters' pictures: they differ enough on white, on black and for colour-blind readers. */
    --blue: #3b82f6;
    --orange: #e8590c;
    --green: #0ca678;
    --violet: #ae3ec9;
    --red: #e03131;
    --grey: #868e96;
    display: block;
    margin-block: 1.5rem;
    padding: 1rem;
    border: 1px solid var(--line);
    border-radius: 0.5rem;
    color: var(--text);
    font-size: 0.9375rem;
    line-height: 1.5;
    container-type: inline-size;
  }
  :host([hidden]) {
    display: none;
  }
  * {
    box-sizing: border-box;
  }
  p {
    margin: 0 0 0.75rem;
  }
  code,
  pre {
    font-family: var(--sl-font-mono, ui-monospace, monospace);
    font-size: 0.8125rem;
  }
  pre {
    overflow-x: auto;
    margin: 0 0 1rem;
    padding: 0.75rem;
    border: 1px solid var(--line);
  }
  button,
  select,
  input,
  textarea {
    font: inherit;
    color: inherit;
  }
  button,
  select,
  textarea,
  input[type='number'] {
    min-height: 2.25rem;
    padding: 0.25rem 0.75rem;
    border: 1px solid var(--sl-color-gray-3, GrayText);
    border-radius: 0.25rem;
    background: var(--sl-color-bg, Canvas);
  }
  button {
    cursor: pointer;
  }
  button.main {
    border-color: transparent;
    background: var(--sl-color-text-accent, ButtonText);
    color: var(--sl-color-black, ButtonFace);
  }
  button:disabled {
    opacity: 0.5;
    cursor: default;
  }
  :focus-visible {
    outline: 2px solid var(--sl-color-text-accent, Highlight);
    outline-offset: 2px;
  }
  input[type='range'] {
    display: block;
    width: 100%;
    min-height: 1.5rem;
    margin: 0;
    accent-color: var(--sl-color-text-accent, auto);
  }
  .row {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.5rem;
    margin-bottom: 0.75rem;
  }
  .sliders {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(14rem, 100%), 1fr));
    gap: 0.5rem 1.5rem;
    margin-bottom: 1rem;
  }
  .scroll {
    margin-bottom: 0.75rem;
    overflow-x: auto;
  }
  table {
    width: 100%;
    border-collapse: collapse;
    font-variant-numeric: tabular-nums;
  }
  th,
  td {
    padding: 0.25rem 0.75rem 0.25rem 0;
    border-bottom: 1px solid var(--line);
    text-align: start;
    vertical-align: top;
    font-weight: normal;
  }
  thead th {
    font-weight: 600;
  }
  .number {
    text-align: end;
  }
  td.number {
    white-space: nowrap;
  }
  small {
    display: block;
    font-size: 0.8125rem;
  }
`

export interface Slider {
  label: string
  value: number
  /** The value as readers see it. */
  text: string
  min: number
  max: number
  step: number
  onInput: (value: number) => void
}

/** A labelled slider with its value beside the label. */
export const slider = ({ label, value, text, min, max, step, onInput }: Slider) => html`
  <label>
    ${label}: <strong>${text}</strong>
    <input
      type="range"
      aria-label=${label}
      aria-valuetext=${text}
      min=${min}
      max=${max}
      step=${step}
      .value=${String(value)}
      @input=${(event: Event) => onInput((event.target as HTMLInputElement).valueAsNumber)}
    />
  </label>
`
