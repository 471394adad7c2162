/** `npm start`: installs what is needed, then runs the tour of every chapter, or all examples of the chapters named. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { install } from './install.mjs'
import { fail, root, run } from './run.mjs'

const chapters = readdirSync(join(root, 'chapters'))
  .filter((name) => existsSync(join(root, 'chapters', name, 'package.json')))
  .sort()

const help = `npm start [-- chapter…]: installs what is needed and runs the book's examples in their quick form

  npm start            the tour: one or two examples of every chapter
  npm start -- 03      all of chapter 3; also as 3 or 03-parallel

The results stay in out/index.html: the figures, the pictures, and which claims of the text held.

Chapters: ${chapters.join(', ')}
`

const names = process.argv.slice(2)
if (names.includes('--help') || names.includes('-h')) {
  process.stdout.write(help)
} else {
  const chosen = names.map((given) => {
    const number = /^\d{1,2}$/.test(given) ? given.padStart(2, '0') : undefined
    const name = chapters.find((chapter) => chapter === given || (number && chapter.startsWith(`${number}-`)))
    if (name === undefined) fail(`chapter: received "${given.slice(0, 80)}"; accepts ${chapters.join(', ')}`, 2)
    return name
  })
  const node = await install()
  const scope = chosen.length > 0 ? ['--all', ...new Set(chosen)] : chapters
  const tour = ['--import', 'tsx', join('packages', 'common', 'src', 'example', 'tour.program.ts'), ...scope]
  process.exitCode = (await run(node, tour, { stdout: true, ipc: true })).code
}
