/** What a text names exists: files, pictures, headings, examples, and the options of their command lines. */
import { execFile } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { exampleSwitches, parseCommandLine, parseOptions } from '@repo/common/example/command-line'
import type { Example } from '@repo/common/example/example'
import { describeError } from '@repo/common/example/usage'
import { loader } from '@repo/common/process/child'
import GithubSlugger from 'github-slugger'
import type { Nodes } from 'mdast'
import { toString as plain } from 'mdast-util-to-string'
import { visit } from 'unist-util-visit'
import { type Fault, rangeOf, type Text } from './text.ts'

/** A folder with examples, as its package.json and its files tell. */
export interface Package {
  name: string
  /** Relative to the root. */
  folder: string
  scripts: Record<string, string>
  /** The example that runs without a name. */
  headline: string
  examples: Map<string, Example>
}

/** Loads the examples of a package without running them. One that cannot be loaded becomes a fault. */
export async function loadPackage(root: string, folder: string, files: string[], faults: Fault[]): Promise<Package> {
  const manifest = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'))
  const examples = new Map<string, Example>()
  for (const file of files) {
    try {
      const module = (await import(pathToFileURL(join(root, file)).href)) as { default: Example }
      examples.set(posix.basename(file, '.ts'), module.default)
    } catch (error) {
      faults.push({
        file,
        line: 1,
        message: `example: ${describeError(error).replace(/^error: /, 'it cannot be loaded: ')}`,
      })
    }
  }
  return { name: manifest.name, folder, scripts: manifest.scripts ?? {}, headline: manifest.tour?.[0] ?? '', examples }
}

export interface Repository {
  root: string
  packages: Package[]
  /** All texts by their paths. */
  texts: Map<string, Text>
  /** The names of the root's scripts. */
  scripts: string[]
}

/** Returns what a text names and the repository does not have. */
export async function nameFaults(text: Text, repository: Repository): Promise<Fault[]> {
  const faults: Fault[] = []
  const fault = (node: Nodes, message: string, after = 0) =>
    void faults.push({ file: text.file, line: rangeOf(node).line + after, message })
  const own = repository.packages.find(({ folder }) => folder === posix.dirname(text.file))
  const programs: [node: Nodes, after: number, command: string][] = []
  const options: [node: Nodes, option: string][] = []
  const blocks: string[] = []

  visit(text.tree, (node) => {
    if (node.type === 'link' || node.type === 'definition') {
      const problem = linkProblem(node.url, text, repository)
      if (problem) fault(node, `link: received "${node.url}"; accepts ${problem}`)
    } else if (node.type === 'image') {
      const path = posix.join(posix.dirname(text.file), node.url)
      if (!isAddress(node.url) && !existsSync(join(repository.root, path))) {
        fault(node, `picture: received "${node.url}"; accepts a file: there is no ${path}`)
      }
    } else if (node.type === 'table' && own) {
      for (const [cell, name] of namedExamples(node)) {
        const problem = exampleProblem(own, wordsOfCommand(name))
        if (problem) fault(cell, problem)
      }
    } else if (node.type === 'inlineCode') {
      programs.push([node, 0, node.value])
      if (/^--[a-z][\w-]*(?: |$)/.test(node.value)) options.push([node, node.value.split(' ', 1)[0] ?? ''])
      const missing = missingPath(node.value, text, repository)
      if (missing) fault(node, `path: received "${node.value}"; accepts a file or folder of this project`)
    } else if (node.type === 'code' && node.lang !== 'mermaid') {
      blocks.push(node.value)
      const joined = node.value.replaceAll('\\\n', ' \n')
      for (const [at, line] of joined.split('\n').entries()) programs.push([node, at + 1, line])
    }
  })

  for (const [node, after, command] of programs) {
    const problem = await commandProblem(command.trim(), repository, own)
    if (problem) fault(node, problem, after)
  }
  const known = await knownOptions(own ? [own] : repository.packages, repository.root)
  for (const [node, option] of options) {
    if (known.has(option) || blocks.some((block) => block.split(/[\s=[\]]/).includes(option))) continue
    fault(
      node,
      `option: received "${option}"; accepts ${own ? [...known].sort().join(', ') : 'an option of an example'}, or the name of its program before it`,
    )
  }
  return faults
}

const isAddress = (url: string) => /^[a-z][\w+.-]*:/i.test(url)

/** What is accepted instead of a link, or undefined if it leads somewhere. */
function linkProblem(url: string, text: Text, { root, texts }: Repository): string | undefined {
  if (isAddress(url)) return undefined
  const [path = '', anchor] = decodeURI(url).split('#')
  const target = path === '' ? text.file : posix.join(posix.dirname(text.file), path)
  if (!existsSync(join(root, target))) return `a file: there is no ${target}`
  if (anchor === undefined) return undefined
  const file = statSync(join(root, target)).isDirectory() ? posix.join(target, 'README.md') : target
  const other = texts.get(file)
  if (other !== undefined) {
    const headings = anchorsOf(other)
    return headings.includes(anchor)
      ? undefined
      : `a heading of ${file}: ${headings.map((one) => `#${one}`).join(', ')}`
  }
  return /^L\d+(-L\d+)?$/.test(anchor) ? undefined : `a line of ${file}, such as #L10`
}

/** The anchors of a text's headings, as GitHub makes them. */
function anchorsOf({ tree }: Text): string[] {
  const slugger = new GithubSlugger()
  const anchors: string[] = []
  visit(tree, 'heading', (node) => void anchors.push(slugger.slug(plain(node, { includeHtml: false }))))
  return anchors
}

/** The inline code in the columns of a table that are called example or examples. */
function namedExamples(table: Extract<Nodes, { type: 'table' }>): [Nodes, string][] {
  const [head, ...rows] = table.children
  const columns = (head?.children ?? []).map((cell) => /^examples?$/i.test(plain(cell)))
  const named: [Nodes, string][] = []
  for (const row of rows) {
    for (const [at, cell] of row.children.entries()) {
      if (columns[at]) visit(cell, 'inlineCode', (node) => void named.push([node, node.value]))
    }
  }
  return named
}

/** Whether inline code is written as a path of the project and leads nowhere. */
function missingPath(code: string, { file }: Text, { root, packages }: Repository): boolean {
  if (!/^(?:src|examples|exercises|tests|pictures|claims|packages|chapters|setup|bench|book)\/[\w@./-]*$/.test(code))
    return false
  // In NN-name both stand for something else.
  if (code.includes('NN-')) return false
  const folders = ['.', posix.dirname(file), ...packages.map(({ folder }) => folder)]
  return !folders.some((folder) => existsSync(join(root, folder, code)))
}

const unknownExample = ({ name, examples }: Package, given: string) =>
  `example: received "${given}"; accepts an example of ${name}: ${[...examples.keys()].join(', ')}`

/** What is wrong with a line, if it is a command of this project. */
async function commandProblem(line: string, { root, packages, scripts }: Repository, own: Package | undefined) {
  const [, script] = /^npm run ([\w-]+)/.exec(line) ?? []
  // A chapter that was copied out has its own scripts.
  if (script && !scripts.includes(script) && !packages.some((each) => script in each.scripts)) {
    return `script: received "npm run ${script}"; accepts npm run ${scripts.join(', ')}`
  }
  const words = wordsOfCommand(line)
  const [program, first, second, task, ...rest] = words
  const at = words.findIndex((word) => /^examples\/[\w-]+\.ts$/.test(word))
  if (at > 0 && /^(?:pnpm|npx|node)$/.test(program ?? '')) {
    const example = posix.basename(words[at] ?? '', '.ts')
    const target = own ?? packages.find(({ examples }) => examples.has(example))
    return target && exampleProblem(target, [example, ...words.slice(at + 1)])
  }
  if (program !== 'pnpm' || first !== '--filter' || !second || !task || /[<…]/.test(second)) return undefined
  const target = packages.find(({ name }) => name === second)
  if (target === undefined) {
    return `package: received "${second}"; accepts ${packages.map(({ name }) => name).join(', ')}`
  }
  if (task === 'start') return exampleProblem(target, rest)
  const command = target.scripts[task]
  if (command === undefined) return `script: received "${task}"; accepts ${Object.keys(target.scripts).join(', ')}`
  return command.includes('.program.ts') ? await programProblem(join(root, target.folder), command, rest) : undefined
}

/** Words, or anything between quotes, up to a comment or an operator of the shell, without variables before the command. */
function wordsOfCommand(line: string): string[] {
  const words: string[] = []
  for (const [word, single, double] of line.matchAll(/'([^']*)'|"([^"]*)"|\S+/g)) {
    if (/^(?:#|[|&;<>]+$|2>)/.test(word)) break
    if (words.length > 0 || !/^\w+=/.test(word)) words.push(single ?? double ?? word)
  }
  return words
}

function exampleProblem(target: Package, words: string[]): string | undefined {
  const given = words[0] === '--' ? words.slice(1) : words
  const named = given[0] !== undefined && !given[0].startsWith('-')
  // Without a name it runs the headline.
  const [name = '', ...rest] = named ? given : [target.headline, ...given]
  if (/[<[…]/.test(name)) return undefined
  const example = target.examples.get(name)
  if (example === undefined) return unknownExample(target, name)
  // A path or a value that the reader is to fill in.
  if (rest.some((word) => /[<…]|\.\.\.$/.test(word))) return undefined
  try {
    const { values } = parseCommandLine(example.options, rest, {
      switches: exampleSwitches,
      takesOperands: example.takesOperands,
    })
    parseOptions(example.options, values)
    return undefined
  } catch (error) {
    return `${name}: ${describeError(error).replace(/^error: /, '')}`
  }
}

async function programProblem(folder: string, command: string, words: string[]): Promise<string | undefined> {
  const known = await helpOptions(folder, command)
  const unknown = words.find(
    (word) => word.startsWith('--') && word !== '--' && !known.includes(word.replace(/=.*/, '')),
  )
  return unknown && `option: received "${unknown}"; accepts ${known.join(', ')}`
}

const asked = new Map<string, Promise<string[]>>()

/** The options that a program of a package names in its `--help`; the program loads TypeScript. */
function helpOptions(folder: string, command: string): Promise<string[]> {
  const [file = ''] = /\S+\.program\.ts/.exec(command) ?? []
  const key = join(folder, file)
  const asking =
    asked.get(key) ??
    promisify(execFile)(process.execPath, [...loader(), file, '--help'], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: '1' },
    }).then(({ stdout }) => [...stdout.matchAll(/^\s+(--[a-z][\w-]*)/gm)].map(([, option = '']) => option))
  asked.set(key, asking)
  return asking
}

/** All options of packages' examples and of the programs that their scripts start. */
async function knownOptions(packages: Package[], root: string): Promise<Set<string>> {
  const known = new Set(Object.keys(exampleSwitches).map((name) => `--${name}`))
  for (const { folder, scripts, examples } of packages) {
    for (const { options } of examples.values()) {
      for (const name of Object.keys(options))
        known.add(`--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`)
    }
    for (const command of Object.values(scripts)) {
      if (!/\bsrc\/\S+\.program\.ts/.test(command) || command.includes('packages/common')) continue
      for (const option of await helpOptions(join(root, folder), command)) known.add(option)
    }
  }
  return known
}
