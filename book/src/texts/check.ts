/** All checks of the texts of a repository. */
import { existsSync } from 'node:fs'
import { glob, readFile, writeFile } from 'node:fs/promises'
import { join, posix, sep } from 'node:path'
import { claimFaults, loadClaims } from './claims.ts'
import { openSources, syncCode } from './code.ts'
import { loadPackage, nameFaults, type Repository } from './names.ts'
import { numberFaults } from './numbers.ts'
import { placeMarkers } from './place.ts'
import { termFaults } from './terms.ts'
import { diagramFile, diagramsOf, type Fault, markerFaults, rangeOf, readText, type Text } from './text.ts'

const made = ['node_modules', 'dist', 'out', 'reports']

/** Files of the repository by a pattern, sorted, with slashes. */
async function filesOf(root: string, pattern: string): Promise<string[]> {
  const exclude = (name: string) => made.includes(posix.basename(name.replaceAll(sep, '/')))
  const found = await Array.fromAsync(glob(pattern, { cwd: root, exclude }))
  return found.map((file) => file.replaceAll(sep, '/')).sort()
}

const textFiles = (root: string) =>
  filesOf(root, '{README.md,CONTRIBUTING.md,bench/README.md,{chapters,packages}/*/README.md}')
const sourceFiles = (root: string) => filesOf(root, '{chapters,packages,bench}/**/*.{ts,mts,mjs,py,sh}')

async function readTexts(root: string): Promise<Text[]> {
  const files = await textFiles(root)
  return await Promise.all(files.map(async (file) => readText(file, await readFile(join(root, file), 'utf8'))))
}

/** Whether a text has claims and steps: those of the chapters and of the bench. */
const isChapter = ({ file }: Text) => /^(?:chapters\/[^/]+|bench)\//.test(file)

/**
 * Checks the texts of the repository at `root`.
 *
 * @param chosen folders such as `chapters/03-parallel`; all texts by default
 */
export async function checkTexts(root: string, chosen?: string[]): Promise<Fault[]> {
  const texts = await readTexts(root)
  const faults: Fault[] = []
  const packages = await loadPackages(root, faults)
  const { scripts = {} } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const repository: Repository = {
    root,
    packages,
    texts: new Map(texts.map((text) => [text.file, text])),
    scripts: Object.keys(scripts),
  }
  const sources = openSources(root)
  for (const text of texts) {
    const folder = posix.dirname(text.file)
    const code = await syncCode(text, sources)
    if (chosen && !chosen.includes(folder)) continue
    const misplaced = placeMarkers(text.file, text.source).faults
    faults.push(...markerFaults(text), ...misplaced, ...code.faults, ...code.stale)
    // What follows a misplaced marker is no sentence for Markdown.
    if (misplaced.length === 0) faults.push(...termFaults(text))
    faults.push(...(await nameFaults(text, repository)))
    for (const diagram of diagramsOf(text.tree)) {
      if (existsSync(join(root, diagramFile(diagram.value)))) continue
      const message = 'diagram: there is no picture of it; npm run book:draw draws one'
      faults.push({ file: text.file, line: rangeOf(diagram).line, message })
    }
    if (!isChapter(text)) continue
    const { declared, faults: unusable } = await loadClaims(root, folder)
    faults.push(...unusable, ...claimFaults(text, declared), ...numberFaults(text))
  }
  const files = (await sourceFiles(root)).filter(
    (file) => !chosen || chosen.some((folder) => file.startsWith(`${folder}/`)),
  )
  faults.push(...(await sources.faults(files)))
  return inOrder(faults)
}

/**
 * Writes the code of the regions into the texts, and markers to where they belong.
 *
 * @param write whether to write the files
 * @returns what was changed, or would be, and what is wrong
 */
export async function syncTexts(root: string, write: boolean): Promise<{ changed: Fault[]; faults: Fault[] }> {
  const sources = openSources(root)
  const changed: Fault[] = []
  const faults: Fault[] = []
  for (const { file, source } of await readTexts(root)) {
    const placed = placeMarkers(file, source)
    const code = await syncCode(readText(file, placed.source), sources)
    changed.push(...placed.faults, ...code.stale)
    faults.push(...code.faults)
    if (write && code.source !== source) await writeFile(join(root, file), code.source)
  }
  return { changed: inOrder(changed), faults: inOrder(faults) }
}

/** The packages of the workspace. */
async function loadPackages(root: string, faults: Fault[]): Promise<Repository['packages']> {
  const manifests = await filesOf(root, '{chapters/*,packages/*,bench,book}/package.json')
  const packages: Repository['packages'] = []
  for (const manifest of manifests) {
    const folder = posix.dirname(manifest)
    const examples = existsSync(join(root, folder, 'examples')) ? await filesOf(root, `${folder}/examples/*.ts`) : []
    packages.push(await loadPackage(root, folder, examples, faults))
  }
  return packages
}

const inOrder = (faults: Fault[]) => faults.sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line)
