/** `npm run progress`: which exercises of which chapters are done. It needs nothing that has to be installed. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fail, offerHelp, root } from './run.mjs'

const help = `npm run progress: which exercises of which chapters are done; npm run -s progress -- --json: as one JSON document

To do one: pnpm --filter 03-parallel exercise
`
const options = process.argv.slice(2)
const unknown = options.find((option) => !['--json', '--help', '-h'].includes(option))
if (unknown !== undefined) fail(`option: received "${unknown.slice(0, 80)}"; accepts --json, --help`, 2)
offerHelp(help)

const chapters = readdirSync(join(root, 'chapters'))
  .sort()
  .filter((name) => existsSync(join(root, 'chapters', name, 'exercises')))
  .map((chapter) => {
    const folder = join(root, 'chapters', chapter, 'exercises')
    const exercises = readdirSync(folder, { withFileTypes: true })
      .filter((each) => each.isDirectory())
      .map(({ name }) => ({ name, passedAt: passedAt(join(folder, name, '.progress.json')) }))
    return { chapter, exercises }
  })

if (options.includes('--json')) process.stdout.write(`${JSON.stringify(chapters, null, 2)}\n`)
else show()

function show() {
  const width = Math.max(...chapters.map(({ chapter }) => chapter.length))
  for (const { chapter, exercises } of chapters) {
    const marks = exercises.map(({ passedAt }) => (passedAt ? '■' : '□')).join('')
    const open = exercises.filter(({ passedAt }) => !passedAt).map(({ name }) => name)
    process.stdout.write(`${chapter.padEnd(width)}  ${marks.padEnd(8)}  ${open.join(', ') || 'all done'}\n`)
  }
  const all = chapters.flatMap(({ exercises }) => exercises)
  const done = all.filter(({ passedAt }) => passedAt).length
  process.stdout.write(`${done} of ${all.length} done. Next: pnpm --filter ${nextChapter()} exercise\n`)
}

function nextChapter() {
  const open = chapters.find(({ exercises }) => exercises.some(({ passedAt }) => !passedAt))
  return (open ?? chapters[0])?.chapter
}

/** A file that is damaged says nothing; the exercises themselves put it aside. */
function passedAt(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))?.passedAt
  } catch {
    return undefined
  }
}
