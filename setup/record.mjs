/**
 * `npm run record -- 02 [example…]`: runs the commands of a chapter's README.md, or of the bench's, and replaces the
 * output and the pictures there with the new ones. Use a quiet machine, and read the explanations between the outputs
 * again afterwards.
 *
 * `npm run record -- --check 02 [example…]` compares the outputs instead, `--check --all` those of all chapters, and
 * `--check --part 2/3` every third one of all, from the second on.
 *
 * A recorded command is a block of one line, `pnpm --filter <chapter> start …`. The block after it is its output; the
 * pictures after that, before the next command, are those it drew (pictures.mjs).
 */
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { install } from './install.mjs'
import { picturesToReplace } from './pictures.mjs'
import { fail, offerHelp, root, run, say } from './run.mjs'

const recorded = /```\w*\n(pnpm --filter \S+ start.*)\n```\s+```\w*\n([\s\S]*?)\n?```/dg
const timeoutMs = 15 * 60_000

offerHelp(`npm run record -- chapter [example…]: runs the commands of a text again, and writes their outputs and pictures into it

  npm run record -- 02                     all of chapter 2, on a quiet machine
  npm run record -- 02 grep                those of one example
  npm run record -- --check 02             compares instead
  npm run record -- --check --all          all chapters
  npm run record -- --check --part 2/3     every third command of all, from the second on
`)
const options = readOptions()
const commands = recordedCommands()
const node = await install()
if (!options.check) await record()
else if (process.features.typescript) process.exitCode = await check()
// The first command on a machine whose own Node is older: now the pinned one is there.
else process.exitCode = (await run(node, process.argv.slice(1), { stdout: true })).code

/** Returns what the command line asks for: the folders of chapters, the examples, and which part of their commands. */
function readOptions() {
  const chapters = [...readdirSync(join(root, 'chapters')).sort(), 'bench']
  const { values, positionals } = parse()
  const [given, ...examples] = positionals
  const isAll = values.all || values.part !== undefined || (values.check && given === undefined)
  if (isAll && (!values.check || given !== undefined)) fail('--all and --part go with --check, without a chapter', 2)
  const [part, parts] = /^\d+\/\d+$/.test(values.part ?? '1/1') ? (values.part ?? '1/1').split('/').map(Number) : []
  if (!(part >= 1 && part <= parts)) fail(`--part: received "${values.part}"; accepts 1/3, 2/3, 3/3 and the like`, 2)
  const chosen = isAll ? chapters : chapters.filter((name) => given && name.startsWith(given)).slice(0, 1)
  if (chosen.length === 0) fail(`chapter: received "${given ?? ''}"; accepts ${chapters.join(', ')}`, 2)
  const folders = chosen.map((name) => (name === 'bench' ? name : `chapters/${name}`))
  return { check: values.check, folders, examples, part, parts }
}

function parse() {
  try {
    const options = { check: { type: 'boolean' }, all: { type: 'boolean' }, part: { type: 'string' } }
    return parseArgs({ options, allowPositionals: true })
  } catch (error) {
    return fail(error.message, 2)
  }
}

function recordedCommands() {
  const { folders, examples, part, parts } = options
  const all = folders.flatMap((folder) =>
    blocks(folder).map(({ 1: command, 2: output, indices, input }, at) => {
      // Words, or anything between single quotes; the fifth word is the example.
      const words = [...command.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word)
      const lineOf = (offset) => input.slice(0, offset).split('\n').length
      const lines = { command: lineOf(indices[1][0]), output: lineOf(indices[2][0]) }
      return { folder, at, command, words, output, lines }
    }),
  )
  const unknown = examples.find((example) => !all.some(({ words }) => words[4] === example))
  if (unknown !== undefined) {
    const known = [...new Set(all.map(({ words }) => words[4]))]
    fail(`example: received "${unknown}"; accepts ${known.join(', ')}`, 2)
  }
  return all
    .filter(({ words }) => examples.length === 0 || examples.includes(words[4]))
    .filter((_, at) => at % parts === part - 1)
}

function blocks(folder) {
  return [...readFileSync(join(root, folder, 'README.md'), 'utf8').matchAll(recorded)]
}

/** Runs a recorded command, and returns its output as a text shows it, or in one line why there is none. */
async function outputOf([program, ...args]) {
  const command = join(root, 'node_modules', '.bin', program)
  const env = { NO_COLOR: '1' }
  const { code, output, printed } = await run(command, ['--silent', ...args], { env, capture: true, timeoutMs })
  if (code !== 0) {
    const said = output.trim().split('\n')
    // The program's own line; pnpm adds some.
    const line = said.findLast((line) => line.startsWith('error: ')) ?? said.at(-1)
    return { error: `it ended with exit code ${code}: ${line.replace(/^error: /, '')}` }
  }
  const text = printed
    .replaceAll(`${root}/`, '')
    // Workers are named after the machine that they run on and the number of their process.
    .replaceAll(new RegExp(`(?<![\\w.-])${hostname().replaceAll('.', '\\.')}(?=-\\d)`, 'g'), 'vm')
    .replaceAll(/[ \t]+$/gm, '')
    // A table's first line begins with a blank.
    .replace(/^\s*\n/, '')
    .trimEnd()
  return { text }
}

async function record() {
  for (const { folder, at, command, words } of commands) {
    say(command)
    const { text, error } = await outputOf(words)
    if (error) fail(error)
    put(folder, at, text)
  }
}

/** Replaces the recorded output, and the pictures shown below it with those that the output names. */
function put(folder, at, output) {
  const file = join(root, folder, 'README.md')
  const [block, next] = blocks(folder).slice(at, at + 2)
  const { input, indices } = block
  const [start, end] = indices[2]
  writeFileSync(file, input.slice(0, start) + output + input.slice(end))

  for (const [drawn, shown] of picturesToReplace(output, input.slice(end, next?.index))) {
    copyFileSync(join(root, drawn), join(root, folder, shown))
  }
}

/** Prints where fresh outputs differ from the recorded ones, and returns the exit code. */
async function check() {
  const { compareOutput } = await import('../book/src/texts/outputs.ts')
  let same = 0
  for (const [done, { folder, command, words, output, lines }] of commands.entries()) {
    say(`${done + 1} of ${commands.length}: ${command}`)
    const { text, error } = await outputOf(words)
    const file = `${folder}/README.md`
    if (error) {
      console.log(`${file}:${lines.command}: ${command}: ${error}`)
      continue
    }
    const differences = compareOutput(output, text)
    if (differences.length === 0) same++
    for (const { at, recorded, fresh } of differences) {
      console.log(`${file}:${lines.output + at}: ${command}`)
      for (const line of recorded) console.log(`  recorded: ${line}`)
      for (const line of fresh) console.log(`  fresh:    ${line}`)
    }
  }
  console.log(`${same} of ${commands.length} outputs are as recorded`)
  return same === commands.length ? 0 : 1
}
