/** Faults that make a page hard to use for some of its readers, found by axe. */
import axe from 'axe-core'
import type { Page } from 'playwright-core'

/** Returns the violations of some of axe's rules, or of all. */
export async function violationsOf(page: Page, rules?: string[]): Promise<axe.Result[]> {
  await page.evaluate(axe.source)
  // The details of what is right take most of the time on long pages.
  const options: axe.RunOptions = { resultTypes: ['violations'], ...(rules && { runOnly: rules }) }
  return page.evaluate(async (options) => {
    const { axe: injected } = globalThis as unknown as { axe: typeof axe }
    return (await injected.run(options)).violations
  }, options)
}
