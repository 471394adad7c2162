/**
 * `npm run claims [-- chapter [example…]] [--json]`: runs the examples that the claims of the texts are about, in their quick
 * form, and says which claims hold on this machine.
 */
import { install } from './install.mjs'
import { lookFor, needs, users } from './needs.mjs'
import { offerHelp, run } from './run.mjs'

offerHelp(`npm run claims [-- chapter [example…]] [--json]: which claims of the texts hold on this machine

  npm run claims                           all of them; half an hour and more, on a quiet machine
  npm run claims -- 03                     those of chapter 3
  npm run claims -- 03 fib                 those about one example
  npm run --silent claims -- 03 --json     as one JSON document
`)
const node = await install()
// What an example cannot run without, and this machine does not have.
const missing = {}
const usersOf = users()
for (const part of needs) {
  const { examples } = usersOf.get(part.id)
  if (examples.length === 0 || (await lookFor(part)).found) continue
  for (const example of examples) missing[example] = [...(missing[example] ?? []), part.name]
}
const env = { MISSING: JSON.stringify(missing) }
const program = ['--import', 'tsx', 'book/src/texts/claims.program.ts', ...process.argv.slice(2)]
process.exitCode = (await run(node, program, { stdout: true, env })).code
