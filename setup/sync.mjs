/**
 * `npm run sync [-- --check]`: writes the code that the texts show, from the regions of the sources, and moves markers to where
 * Markdown does not show them. `--check` only compares.
 */
import { install } from './install.mjs'
import { offerHelp, run } from './run.mjs'

offerHelp(`npm run sync [-- --check]: writes the code that the texts show, from the regions of the sources; --check only compares
`)
const node = await install()
const program = ['--import', 'tsx', 'book/src/texts/sync.program.ts', ...process.argv.slice(2)]
process.exitCode = (await run(node, program, { stdout: true })).code
