/** `npm run check`: what can be said about the sources without running them. Every check runs, even after a failure. */
import { install } from './install.mjs'
import { offerHelp, run, say } from './run.mjs'

offerHelp(`npm run check: types, formatting, lint, import directions, unused code, and whether the texts agree with the sources
`)
const node = await install()
const env = { TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1' }
const checks = [
  ['types', 'turbo', 'run', 'typecheck', '--ui=stream', '--output-logs=errors-only'],
  ['formatting and lint', 'biome', 'check', '.'],
  ['import directions', 'depcruise', '--config', '.dependency-cruiser.mjs', 'chapters', 'packages', 'bench', 'book'],
  ['unused code', 'knip'],
  ['texts', node, '--import', 'tsx', 'book/src/texts/check.program.ts'],
]
const failed = []
for (const [what, command, ...args] of checks) {
  say(`checking ${what}`)
  if ((await run(command, args, { stdout: true, env })).code !== 0) failed.push(what)
}
if (failed.length > 0) say(`error: ${failed.join(', ')}: see above`)
process.exitCode = failed.length > 0 ? 1 : 0
