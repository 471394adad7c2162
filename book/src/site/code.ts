/** Code as the site shows it: coloured at build time by the classes of highlight.js, whose colours are in book.css. */
import type { Element } from 'hast'
import { common, createLowlight } from 'lowlight'

const lowlight = createLowlight(common)

/**
 * A block of code. A language that is not known is not coloured.
 *
 * @param language such as `ts` or `sh`
 */
export function colour(code: string, language: string): Element {
  const names = language === 'sh' ? ['terminal', ...(code.trim().includes('\n') ? [] : ['prompt'])] : []
  return {
    type: 'element',
    tagName: 'pre',
    // A right-to-left reader has code from left to right.
    properties: { dir: 'ltr', ...(names.length > 0 && { className: names }) },
    children: [
      {
        type: 'element',
        tagName: 'code',
        properties: {},
        children: lowlight.registered(language)
          ? (lowlight.highlight(language, code).children as Element[])
          : [{ type: 'text', value: code }],
      },
    ],
  }
}
