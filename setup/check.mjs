/** `npm run check`: what can be said about the sources without running them. Every check runs, even after a failure. */
import { install } from './install.mjs'
import { run, say } from './run.mjs'

await install()
const env = { TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1' }
const checks = [
  ['types', 'turbo', 'run', 'typecheck', '--ui=stream', '--output-logs=errors-only'],
  ['formatting and lint', 'biome', 'check', '.'],
  ['import directions', 'depcruise', '--config', '.dependency-cruiser.mjs', 'chapters', 'packages', 'bench'],
  ['unused code', 'knip'],
]
const failed = []
for (const [what, command, ...args] of checks) {
  say(`checking ${what}`)
  if ((await run(command, args, { stdout: true, env })).code !== 0) failed.push(what)
}
if (failed.length > 0) say(`error: ${failed.join(', ')}: see above`)
process.exitCode = failed.length > 0 ? 1 : 0
