/** Mutation tests: changes a file in one place after another, in a copy of the repository, and asks whether a test notices. */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, relative, resolve, sep } from 'node:path'
import { parseArgs } from 'node:util'
import { parseSync, Visitor } from 'oxc-parser'
import { install } from './install.mjs'
import { fail, root, run, say } from './run.mjs'

const help = `node setup/mutate.mjs <source file> <test file or folder>… [--count N] [--seed N] [--line N]

  node setup/mutate.mjs packages/common/src/async/checkpoint.ts packages/common/tests/async
      changes the file in one place after another (an operator, a condition, a number, a statement that goes),
      in a copy of the repository, runs the tests on each mutant and lists those that survive

  --count N   tries N mutants, chosen by chance, of all      --seed N   chooses others (1)
  --line N    tries those of one line only
`

const swapped = {
  '<': ['<='],
  '<=': ['<'],
  '>': ['>='],
  '>=': ['>'],
  '===': ['!=='],
  '!==': ['==='],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '<<': ['>>'],
  '&': ['|'],
  '|': ['&'],
  '&&': ['||'],
  '||': ['&&'],
  '??': ['&&'],
  '+=': ['-='],
  '-=': ['+='],
  '++': ['--'],
  '--': ['++'],
  min: ['max'],
  max: ['min'],
  some: ['every'],
  every: ['some'],
}

/** Every change that the file allows, in its order. */
function mutantsOf(path) {
  const source = readFileSync(path, 'utf8')
  const mutants = []
  const replace = ({ start, end }, by) => {
    const line = source.slice(0, start).split('\n').length
    mutants.push({ line, was: source.slice(start, end), by, text: source.slice(0, start) + by + source.slice(end) })
  }
  const text = ({ start, end }) => source.slice(start, end)
  /** Swaps what stands between two nodes, or at the edge of one. */
  function swap(start, end, operator) {
    const at = source.indexOf(operator, start)
    if (at < 0 || at >= end) return
    for (const other of Object.hasOwn(swapped, operator) ? swapped[operator] : [])
      replace({ start: at, end: at + operator.length }, other)
  }
  const binary = ({ left, right, operator }) => swap(left.end, right.start, operator)
  const always = ({ test }) => {
    if (test == null) return
    if (text(test) !== 'true') replace(test, 'true')
    if (text(test) !== 'false') replace(test, 'false')
  }
  const program = parseSync(path, source).program
  const types = []
  new Visitor({
    TSLiteralType: (node) => types.push(node),
    ImportDeclaration: ({ source: from }) => types.push(from),
    ExportNamedDeclaration: ({ source: from }) => from && types.push(from),
  }).visit(program)
  const isType = ({ start, end }) => types.some((type) => type.start <= start && end <= type.end)

  new Visitor({
    BinaryExpression: binary,
    LogicalExpression: binary,
    AssignmentExpression: binary,
    UpdateExpression: ({ start, end, operator }) => swap(start, end, operator),
    UnaryExpression: (node) => node.operator === '!' && replace(node, text(node.argument)),
    MemberExpression: ({ object, end, property }) => swap(object.end, end, property.name),
    IfStatement: always,
    WhileStatement(node) {
      replace({ start: node.start, end: node.start + 'while'.length }, 'if')
      replace(node.test, 'false')
    },
    ForStatement: ({ test }) => test && replace(test, 'false'),
    ConditionalExpression: always,
    ExpressionStatement(node) {
      if (!('directive' in node && node.directive)) replace(node, '{}')
    },
    ThrowStatement: (node) => replace(node, '{}'),
    Literal(node) {
      if (isType(node)) return
      if (typeof node.value === 'number') replace(node, String(node.value + 1))
      if (typeof node.value === 'boolean') replace(node, String(!node.value))
      // Sentences are for readers; a word is a setting, a name or a state.
      if (typeof node.value === 'string' && /^\S+$/.test(node.value)) replace(node, "'mutant'")
    },
  }).visit(program)
  return mutants.sort((a, b) => a.line - b.line)
}

/** Chooses by chance, the same for the same seed, and keeps the order (mulberry32). */
function sample(list, count, seed) {
  let state = seed
  const random = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const lots = new Map(list.map((mutant) => [mutant, random()]))
  const chosen = new Set([...list].sort((a, b) => lots.get(a) - lots.get(b)).slice(0, count))
  return list.filter((mutant) => chosen.has(mutant))
}

/** Copies the sources; the packages' links lead into the copy, everything installed stays where it is. */
function copyOfTheRepository() {
  const copy = realpathSync(mkdtempSync(join(tmpdir(), 'mutants-')))
  const left = new Set(['.git', '.turbo', 'dist', 'out', 'reports', '.vite', '.vitest-cache'])
  for (const entry of readdirSync(root)) {
    if (entry === 'node_modules') symlinkSync(join(root, entry), join(copy, entry))
    else if (!left.has(entry)) {
      cpSync(join(root, entry), join(copy, entry), {
        recursive: true,
        verbatimSymlinks: true,
        filter: (path) => !left.has(basename(path)),
      })
    }
  }
  return copy
}

/**
 * Ends what a mutant has left running: the code that it changed may be the one that ends processes. They are recognised
 * by an environment variable, which only Linux shows.
 */
function endWhatIsLeft(mark) {
  if (process.platform !== 'linux') return
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      if (readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark)) process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It belongs to another user, or has just ended.
    }
  }
}

function read() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        count: { type: 'string', default: 'Infinity' },
        seed: { type: 'string', default: '1' },
        line: { type: 'string' },
      },
    })
    return { ...values, paths: positionals.map((path) => relative(root, resolve(path))) }
  } catch (error) {
    return fail(error.message, 2)
  }
}

const { help: asked, count, seed, line, paths } = read()
if (asked) process.stdout.write(help)
else await mutate(paths)

async function mutate([file, ...tests]) {
  if (file === undefined || tests.length === 0) fail('receives a source file and its tests; see --help', 2)
  for (const path of [file, ...tests]) if (!existsSync(join(root, path))) fail(`there is no ${path}`, 2)
  await install()
  const all = mutantsOf(join(root, file))
  const mutants = sample(
    line === undefined ? all : all.filter((mutant) => mutant.line === Number(line)),
    Number(count),
    Number(seed),
  )
  const [place, name] = file.split(sep)
  const folder = join(place, name)
  const copy = copyOfTheRepository()
  process.on('exit', () => {
    endWhatIsLeft(`MUTANTS=${copy}`)
    rmSync(copy, { recursive: true, force: true, maxRetries: 3 })
  })
  const args = ['run', '--config', join('..', '..', 'vitest.config.ts'), '--root', '.', '--bail=1']
  const test = (timeoutMs) =>
    run('vitest', [...args, ...tests.map((path) => relative(folder, path))], {
      cwd: join(copy, folder),
      env: { MUTANTS: copy },
      capture: true,
      timeoutMs,
    })

  const begun = performance.now()
  const { code, output } = await test(600_000)
  if (code !== 0) fail(`the tests fail without a change:\n${output}`)
  // An endless loop is noticed too.
  const timeoutMs = 10_000 + 4 * (performance.now() - begun)
  say(
    `${mutants.length} of ${all.length} mutants of ${file}, ${((performance.now() - begun) / 1000).toFixed(1)} s for each`,
  )

  const survivors = []
  for (const [index, mutant] of mutants.entries()) {
    writeFileSync(join(copy, file), mutant.text)
    const killed = (await test(timeoutMs)).code !== 0
    endWhatIsLeft(`MUTANTS=${copy}`)
    if (!killed) survivors.push(mutant)
    const change = `${mutant.was.split('\n')[0].slice(0, 60)} → ${mutant.by.slice(0, 30)}`
    say(`${index + 1}/${mutants.length} ${killed ? 'killed  ' : 'SURVIVED'} ${file}:${mutant.line}  ${change}`)
  }
  for (const { line, was, by } of survivors) process.stdout.write(`${file}:${line}: ${was}  →  ${by}\n`)
  process.stdout.write(`${file}: ${mutants.length} mutants, ${mutants.length - survivors.length} killed\n`)
}
