/** The script of the pages that the tests open, as a page of the site has it. */
import { loadElements } from '../../src/interactive/elements.ts'

await loadElements(document)
