/**
 * `npm run bench [-- suite…]`: gives the same work to the book's programs, to others, and to the bare machine, in one run. Its
 * options are those of bench/examples/suites.ts, which `--help` lists.
 */
import { install } from './install.mjs'
import { run } from './run.mjs'

const node = await install()
const program = ['--import', 'tsx', 'bench/examples/suites.ts', ...process.argv.slice(2)]
process.exitCode = (await run(node, program, { stdout: true })).code
