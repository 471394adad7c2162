/**
 * `npm run copy-out -- 04-celery ../my-queue`: a chapter, or one room of it, as a project of its own that npm alone
 * installs and tests.
 *
 * A file takes along every file that it names: by an import, or by a string that is a path from its own folder or from
 * its package's. So workers, programs and scripts in other languages come along, which no import names.
 */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { install } from './install.mjs'
import { fail, root, say } from './run.mjs'

const help = `npm run copy-out -- CHAPTER[/ROOM] TARGET: copies a chapter, or one room of it, into a project of its own

  npm run copy-out -- 04-celery ../my-queue        the whole chapter: examples, sources, tests, text
  npm run copy-out -- 04-celery/rq ../small-queue  a folder of its src, with its tests and all that they reach

TARGET is a new or an empty folder outside of this repository. There, npm install and npm test are enough.
`

// What is made again, and what only the book's own commands read.
const ignored = ['node_modules', 'dist', 'out', 'reports', 'claims']
const isModule = (file) => /\.m?[jt]s$/.test(file)

/** The names of a chapter and of its room, if one is given. */
function chosen(what) {
  const [given = '', ...path] = what.split('/')
  const chapters = readdirSync(join(root, 'chapters')).sort()
  const chapter = chapters.find((name) => given !== '' && name.startsWith(given))
  if (chapter === undefined) fail(`chapter: received "${given}"; accepts ${chapters.join(', ')}`, 2)
  if (path.length === 0) return [chapter]
  const room = path.join('/')
  const rooms = readdirSync(join(root, 'chapters', chapter, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
  if (!rooms.includes(room)) fail(`room: received "${room}"; accepts ${rooms.sort().join(', ')}`, 2)
  return [chapter, room]
}

/** The absolute path of a folder that may be written: new or empty, outside of the repository, below an existing one. */
function targetFolder(where) {
  const refuse = (accepts) => fail(`target: received ${where === '' ? 'nothing' : `"${where}"`}; accepts ${accepts}`, 2)
  if (where === '') refuse('the path of a new or empty folder')
  // npm changes to the root before it runs a script.
  const target = resolve(process.env.INIT_CWD ?? '.', where)
  if (!existsSync(dirname(target))) refuse(`a folder whose parent exists: ${dirname(target)} does not`)
  const real = existsSync(target) ? realpathSync(target) : join(realpathSync(dirname(target)), basename(target))
  if (`${real}${sep}`.startsWith(`${realpathSync(root)}${sep}`)) refuse('a folder outside of this repository')
  try {
    if (existsSync(real) && readdirSync(real).length > 0) refuse('a new or empty folder')
  } catch (error) {
    refuse(`a folder that can be read: ${reason(error)}`)
  }
  return real
}

async function copyOut(chapter, room, target) {
  const folder = join('chapters', chapter)
  const name = packageName(target, chapter)
  const entries = room ? [join(folder, 'src', room), join(folder, 'tests', room)] : [folder]
  const reached = await reach(entries.flatMap(filesBelow), room ? [] : ['start', 'build'])
  const files = [...reached.keys()]
  // The chapter's folder becomes the root; packages stay where they are.
  const placeOf = (file) => (file.startsWith(folder + sep) ? relative(folder, file) : file)

  const existed = existsSync(target)
  let complete = false
  const put = (place, content) => {
    mkdirSync(dirname(join(target, place)), { recursive: true })
    writeFileSync(join(target, place), content)
  }
  try {
    if (!existed) mkdirSync(target)
    // A signal or an error ends this process, and its end removes what is not complete.
    process.on('exit', () => {
      if (complete) return
      const made = existed ? readdirSync(target).map((entry) => join(target, entry)) : [target]
      for (const path of made) rmSync(path, { recursive: true, force: true })
    })
    for (const [file, strings] of reached) {
      const place = placeOf(file)
      put(place, isModule(file) ? moved(file, strings, chapter, name) : readFileSync(join(root, file)))
      // Between two files, when nothing is half-written, a signal may end this.
      await nextTurn()
    }
    const packages = files.filter((file) => file.startsWith(`packages${sep}`)).map(packageOf)
    for (const each of new Set(packages)) {
      put(join(each, 'package.json'), json(packageManifest(each, reached)))
    }
    const manifest = chapterManifest({ chapter, room, name, reached, packages })
    put('package.json', json(manifest))
    put('tsconfig.json', tsconfig())
    put('vitest.config.ts', vitestConfig)
    put('.gitignore', 'node_modules/\ndist/\nout/\nreports/\n')
    put(
      '.npmrc',
      '# As in the book: no package runs code while it is installed, and all of them work without.\nignore-scripts=true\n',
    )
    put('LICENSE', readFileSync(join(root, 'LICENSE')))
    put('README.md', readme({ chapter, room, manifest, reached, placeOf }))
    complete = true
  } catch (error) {
    if (error.syscall === undefined) throw error
    fail(`${target} cannot be written: ${reason(error)}`)
  }
  const shown = relative(process.env.INIT_CWD ?? '.', target) || '.'
  process.stdout.write(`${files.length} files of ${[chapter, room].filter(Boolean).join('/')} are in ${shown}\n`)
  say(`What to do next: cd ${/^[\w./~-]+$/.test(shown) ? shown : `"${shown}"`} && npm install && npm test`)
}

/** Node's message of a failed call, without the paths, of which one is of a folder that is gone. */
const reason = (error) => error.message.split(', ')[0]

/** A name that npm accepts, after the folder. */
function packageName(target, chapter) {
  const name = basename(target)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._~-]+/g, '-')
  return name.replaceAll(/^[._~-]+|[._~-]+$/g, '') || chapter
}

/** The files below a folder, or none, as paths from the root. */
function filesBelow(folder) {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.name.startsWith('.') || ignored.includes(entry.name)) return []
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : []
  })
}

/** The folder of a file's package, from the root: `chapters/04-celery`, `packages/common`. */
function packageOf(file) {
  return file.split(sep).slice(0, 2).join(sep)
}

const readManifest = (folder) => JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))

/**
 * The files that some files reach, with their strings, by path from the root; `programs` are common's own that a chapter's
 * scripts run.
 */
async function reach(entries, programs) {
  const { parseSync, Visitor } = await import('oxc-parser')
  const packages = readdirSync(join(root, 'packages')).map((name) => join('packages', name))
  const folders = new Map(packages.map((folder) => [readManifest(folder).name, folder]))
  const waiting = [...entries, ...programs.map((name) => join('packages/common/src/example', `${name}.program.ts`))]
  const reached = new Map()
  for (const file of waiting) {
    if (reached.has(file)) continue
    const strings = isModule(file) ? stringsIn(file) : []
    reached.set(file, strings)
    for (const each of strings) waiting.push(...named(file, each))
  }
  for (const file of reached.keys()) if (isOwn(file)) reached.delete(file)
  return reached

  /** Every string of a module: where it starts, its text up to the first `${`, and what follows the last one. */
  function stringsIn(file) {
    const strings = []
    const source = readFileSync(join(root, file), 'utf8')
    const { program } = parseSync(file, source)
    new Visitor({
      Literal: ({ value, start }) => typeof value === 'string' && strings.push({ start: start + 1, text: value }),
      TemplateLiteral: ({ quasis, start }) => {
        const [first, last] = [quasis[0], quasis.at(-1)].map(({ value }) => value.raw)
        strings.push({ start: start + 1, text: first, ...(quasis.length > 1 && { end: last }) })
      },
    }).visit(program)
    return strings
  }

  function named(file, { text, end }) {
    if (!/^[\w@./-]+$/.test(text)) return []
    const own = packageOf(file)
    const [, name = '', path = ''] = /^((?:@[\w-]+\/)?[\w-]+)\/(.+)$/.exec(text) ?? []
    // By the name of its package, or of one of this repository; every file of their src is a subpath.
    const folder = name === basename(own) ? own : folders.get(name)
    if (folder !== undefined) return existing(join(folder, 'src', `${path}.ts`))
    const from = /^\.\.?\//.test(text) ? dirname(file) : own
    // Such as `../fixtures/${name}.ts`: all files that it may mean.
    if (end !== undefined) {
      const start = join(from, text)
      return from === own ? [] : filesBelow(own).filter((each) => each.startsWith(start) && each.endsWith(end))
    }
    // Tests name examples.
    const example = file.startsWith(join(own, 'tests')) ? existing(join(own, 'examples', `${text}.ts`)) : []
    return text.includes('/') ? existing(join(from, text)) : example
  }

  function existing(file) {
    const isInside = /^(chapters|packages)[\\/]/.test(file) && !file.split(sep).some((part) => ignored.includes(part))
    return isInside && lstatSync(join(root, file), { throwIfNoEntry: false })?.isFile() ? [file] : []
  }
}

/** What the copy has of its own instead. */
function isOwn(file) {
  return ['package.json', 'tsconfig.json', 'tsconfig.build.json'].includes(file.split(sep).slice(2).join(sep))
}

/** A module's text at its new place: the book's other folders are two levels nearer, and its package has a new name. */
function moved(file, strings, chapter, name) {
  let source = readFileSync(join(root, file), 'utf8')
  // A package is as far from the root as before.
  const isChapters = file.startsWith(`chapters${sep}`)
  for (const { start, text } of isChapters ? [...strings].sort((a, b) => b.start - a.start) : []) {
    const leaves = text.startsWith('../') && /^(packages|out|node_modules)[\\/]/.test(join(dirname(file), text))
    const [old, replacement] = leaves ? ['../../', ''] : [chapter, name]
    if (leaves || text.startsWith(`${chapter}/`)) {
      source = source.slice(0, start) + replacement + source.slice(start + old.length)
    }
  }
  return withNpm(source, chapter)
}

/** A text whose commands are npm's: `pnpm --filter 04-celery start echo` has become `npm start -- echo`. */
function withNpm(text, chapter) {
  // As common's own runner says it.
  const filter = `(?:${chapter}|\\$\\{chapter\\.name\\})`
  return text.replaceAll(new RegExp(`(?:npx )?pnpm(?:@\\d+)? --filter ${filter} (\\w+)`, 'g'), (_, script) =>
    script === 'start' ? 'npm start --' : `npm run ${script} --`,
  )
}

/** The versions that `catalog:` stands for. */
function catalog() {
  const [, lines = ''] = /^catalog:\n((?: .*\n)+)/m.exec(readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8')) ?? []
  return Object.fromEntries(
    [...lines.matchAll(/^ +"?([^":\s]+)"?: (\S+)$/gm)].map(([, name, version]) => [name, version]),
  )
}

/** Those of a manifest's dependencies for which `keeps` is true, with their versions; undefined if there are none. */
function real(dependencies = {}, keeps) {
  const versions = catalog()
  const kept = Object.entries(dependencies)
    .filter(([name]) => keeps(name))
    .map(([name, version]) => {
      if (version.startsWith('workspace:')) return [name, readManifest(join('packages', name.split('/')[1])).version]
      if (version !== 'catalog:') return [name, version]
      if (versions[name] === undefined) fail(`pnpm-workspace.yaml has no version of ${name}`)
      return [name, versions[name]]
    })
  return kept.length > 0 ? Object.fromEntries(kept) : undefined
}

/**
 * For npm's `overrides`: a dependency that wants one version of another gets the project's own, as pnpm gives it. Without
 * that, npm refuses to install the two.
 */
function overrides(folder, dependencies) {
  const needed = Object.keys(dependencies).flatMap((name) => {
    const file = join(root, folder, 'node_modules', name, 'package.json')
    const { peerDependencies = {} } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
    const others = Object.entries(peerDependencies).filter(
      ([peer, wanted]) => /^\d+\.\d+\.\d+$/.test(wanted) && wanted !== (dependencies[peer] ?? wanted),
    )
    return others.length > 0 ? [[name, Object.fromEntries(others.map(([peer]) => [peer, `$${peer}`]))]] : []
  })
  return needed.length > 0 ? Object.fromEntries(needed) : undefined
}

/** Tells whether the reached files of a package name a dependency, or one whose types it has. */
function namedBy(folder, reached) {
  const strings = [...reached].filter(([file]) => packageOf(file) === folder).flatMap(([, found]) => found)
  const names = (name) => strings.some(({ text }) => text === name || text.startsWith(`${name}/`))
  return (name) => names(name) || (name.startsWith('@types/') && names(name.slice('@types/'.length)))
}

function packageManifest(folder, reached) {
  const { name, version, license, type, exports, dependencies, devDependencies } = readManifest(folder)
  const keeps = namedBy(folder, reached)
  return {
    ...{ name, version, private: true, license, type, exports },
    dependencies: real(dependencies, keeps),
    devDependencies: real(devDependencies, keeps),
  }
}

function chapterManifest({ chapter, room, name, reached, packages }) {
  const manifest = readManifest(join('chapters', chapter))
  const folder = join('chapters', chapter)
  const has = (path) => [...reached.keys()].some((file) => file.startsWith(path))
  const scripts = Object.entries(manifest.scripts)
    .map(([script, command]) => [
      script,
      command.replace(' --config ../../vitest.config.ts --root .', '').replace('../../packages/', 'packages/'),
    ])
    // A script whose program stayed behind is none.
    .filter(([, command]) =>
      command.split(' ').every((word) => !word.endsWith('.ts') || has(word) || has(join(folder, word))),
    )
  const inScripts = scripts.flatMap(([, command]) => command.split(' '))
  const named = namedBy(folder, reached)
  const always = ['@types/node', 'typescript', 'vitest', ...inScripts]
  const keeps = (dependency) => !room || always.includes(dependency) || named(dependency)
  const exports = Object.entries(manifest.exports ?? {}).filter(([, path]) => has(join(folder, path.split('*')[0])))
  const dependencies = real(manifest.dependencies, keeps)
  const devDependencies = real(manifest.devDependencies, keeps)
  return {
    name,
    version: manifest.version,
    private: true,
    description: `${room ? `The room ${room} of chapter` : 'Chapter'} ${chapter} of Distributed Computing with TypeScript`,
    license: manifest.license,
    type: manifest.type,
    ...(packages.length > 0 && { workspaces: ['packages/*'] }),
    ...(exports.length > 0 && { exports: Object.fromEntries(exports) }),
    ...(!room && { tour: manifest.tour }),
    scripts: Object.fromEntries(scripts),
    dependencies,
    devDependencies,
    overrides: overrides(folder, { ...dependencies, ...devDependencies }),
    engines: readManifest('').engines,
  }
}

const json = (value) => `${JSON.stringify(value, undefined, 2)}\n`

function tsconfig() {
  const base = readFileSync(join(root, 'tsconfig.base.json'), 'utf8')
  return base.replace('{', '{\n  "include": ["**/*.ts"],\n  "exclude": ["**/node_modules", "dist"],')
}

const vitestConfig = `import { availableParallelism } from 'node:os'
import { configDefaults, defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    // What takes minutes: with LONG_TESTS=1.
    exclude: [...configDefaults.exclude, ...(process.env.LONG_TESTS ? [] : ['tests/**/*.long.test.ts'])],
    // The tests start threads and processes; beside one another, in one process, they would disturb one another.
    pool: 'forks',
    maxWorkers: availableParallelism(),
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
`

/** What it is, where it came from and how to run it; above the chapter's own text, if that comes along. */
function readme({ chapter, room, manifest, reached, placeOf }) {
  const { name, scripts } = manifest
  const commands = [
    ['npm install'],
    ['npm test', 'its tests; those that take minutes too with LONG_TESTS=1'],
    ['npm run typecheck', 'the types'],
    ...(scripts.start ? [['npm start', 'the headline example, and a list of the others']] : []),
    ...(scripts.worker ? [['npm run worker -- --help', 'the worker program']] : []),
    ...(scripts.build ? [['npm run build', 'its programs and workers as single files for Node, in dist']] : []),
  ]
  const width = Math.max(...commands.map(([command]) => command.length)) + 2
  const modules = [...reached.keys()].filter((file) => file.startsWith(`packages${sep}`)).map(packageOf)
  const header = [
    `# ${name}`,
    '',
    `This project is ${room ? `\`src/${room}\` of ` : ''}chapter \`${chapter}\` of _Distributed Computing with TypeScript_, copied out of the`,
    `book's repository ${commit()}. It needs Node ${manifest.engines.node.replace('>=', '')} or newer and npm. It is under the MIT licence: see LICENSE.`,
    '',
    '```sh',
    ...commands.map(([command, meaning]) => (meaning ? `${command.padEnd(width)}# ${meaning}` : command)),
    '```',
    '',
    'A test whose server is missing is skipped, and says how to install it.',
    ...[...new Set(modules)].map(
      (folder) =>
        `\`${folder}\` has the ${modules.filter((each) => each === folder).length} modules of the book's package that this project uses.`,
    ),
    '',
  ].join('\n')
  const file = join('chapters', chapter, 'README.md')
  if (!reached.has(file)) return header
  const places = [...reached.keys()].map(placeOf)
  const text = readFileSync(join(root, file), 'utf8')
    .replaceAll(/\[([^\]]*)\]\(\.\.\/([^)#]*)(#[^)]*)?\)/g, (_, label, path, anchor = '') => {
      const place = path.replace('../', '')
      return places.some((each) => each.startsWith(place)) ? `[${label}](${place}${anchor})` : label
    })
    .replaceAll(`'${chapter}/`, `'${name}/`)
  return `${header}\n---\n\n${withNpm(text, chapter)}`
}

/** Such as `at commit 5c6b8afe… of 2026-11-29`. */
function commit() {
  const git = (...args) => spawnSync('git', ['-C', root, ...args], { encoding: 'utf8' }).stdout?.trim()
  // Unpacked without git, it may lie inside of another repository.
  if (git('rev-parse', '--show-cdup') !== '') return 'without its history'
  const changed = git('status', '--porcelain', '--', 'chapters', 'packages') !== ''
  return `at commit ${git('log', '-1', '--format=%H of %cs')}${changed ? ', with changes that were not committed' : ''}`
}

if (process.argv.includes('--help') || process.argv.includes('-h')) {
  process.stdout.write(help)
} else {
  const [what = '', where = '', ...rest] = process.argv.slice(2)
  if (rest.length > 0) fail(`operand: received "${rest[0]}"; accepts only CHAPTER[/ROOM] and TARGET`, 2)
  const [chapter, room] = chosen(what)
  const target = targetFolder(where)
  if (!existsSync(join(root, 'node_modules', 'oxc-parser'))) await install()
  await copyOut(chapter, room, target)
}
