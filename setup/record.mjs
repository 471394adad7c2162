/**
 * `npm run record -- 02 [example…]`: runs the commands of a chapter's README.md, or of the bench's, and replaces the
 * output and the pictures there with the new ones. Use a quiet machine, and read the explanations between the outputs
 * again afterwards.
 *
 * A recorded command is a block of one line, `pnpm --filter <chapter> start …`. The block after it is its output; the
 * first picture after that, before the next command, is the one it drew.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { install } from './install.mjs'
import { fail, root, say } from './run.mjs'

const recorded = /```\w*\n(pnpm --filter \S+ start.*)\n```\s+```\w*\n([\s\S]*?)\n?```/dg
const picture = /!\[[^\]]*\]\((pictures\/[^)]+)\)/

const [given = '', ...examples] = process.argv.slice(2)
const chapters = [...readdirSync(join(root, 'chapters')).sort(), 'bench']
const chapter = chapters.find((name) => given !== '' && name.startsWith(given))
if (chapter === undefined) fail(`chapter: received "${given}"; accepts ${chapters.join(', ')}`, 2)
const folder = chapter === 'bench' ? join(root, chapter) : join(root, 'chapters', chapter)
const file = join(folder, 'README.md')
await install()

const blocks = () => [...readFileSync(file, 'utf8').matchAll(recorded)]
for (const [at, [, command]] of blocks().entries()) {
  // Words, or anything between single quotes; the fifth word is the example.
  const words = [...command.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word)
  if (examples.length > 0 && !examples.includes(words[4])) continue
  say(command)
  const [program, ...args] = words
  const { status, stdout } = spawnSync(join(root, 'node_modules', '.bin', program), ['--silent', ...args], {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  })
  if (status !== 0) fail(`it ended with exit code ${status}: ${stdout.trim()}`)
  put(
    at,
    stdout
      .replaceAll(`${root}/`, '')
      .replaceAll(/[ \t]+$/gm, '')
      .trim(),
  )
}

/** Replaces the recorded output, and the picture shown below it with the one that the output names. */
function put(at, output) {
  const text = readFileSync(file, 'utf8')
  const [block, next] = blocks().slice(at, at + 2)
  const [start, end] = block.indices[2]
  writeFileSync(file, text.slice(0, start) + output + text.slice(end))

  const drawn = [...output.matchAll(/^Picture: (.+)$/gm)].at(-1)?.[1]
  const shown = picture.exec(text.slice(end, next?.index))?.[1]
  if (drawn && shown) copyFileSync(join(root, drawn), join(folder, shown))
}
