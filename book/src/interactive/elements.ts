/**
 * The interactive parts of the book, as custom elements. A chapter's README has a place for each, such as
 * `<!-- interactive: amdahl-explorer -->`. A page has the element itself, with `instead` as its content: readers see this
 * sentence until the element's script has loaded, and without JavaScript for good.
 */

/** What an element shows without its script, and how to load that. */
export interface Interactive {
  instead: string
  /** Defines the element. */
  load: () => Promise<unknown>
}

export const elements: Record<string, Interactive> = {
  'amdahl-explorer': {
    instead:
      'With JavaScript, this place has sliders for the laws of Amdahl, Gustafson and Gunther, and room for your own measured points.',
    load: () => import('./amdahl-explorer.ts'),
  },
  'event-loop-quiz': {
    instead:
      'With JavaScript, this place asks you for the order of the callbacks, and then compares it with the real one.',
    load: () => import('./event-loop-quiz.ts'),
  },
  'mandelbrot-threads': {
    instead:
      'With JavaScript, this place draws the Mandelbrot set on all cores of your machine, and measures how much faster they are than one.',
    load: () => import('./mandelbrot-threads.ts'),
  },
  'history-stepper': {
    instead:
      'With JavaScript, this place runs the simulator: you step through a history of the orders, switch faults on and off, and see which invariant breaks.',
    load: () => import('./history-stepper.ts'),
  },
}

/** Loads the elements that a document contains, and no others. */
export async function loadElements(document: ParentNode): Promise<void> {
  await Promise.all(Object.entries(elements).map(([name, { load }]) => document.querySelector(name) && load()))
}
