/** Results as tables: for the terminal and for a Markdown file. */
import { count, howMany, percent, times } from '@repo/common/output/terminal'
import type { Results } from './results.ts'
import { differences, least } from './statistics.ts'
import type { Row, Suite, Table } from './suite.ts'
import { ratiosOf } from './turns.ts'

/** Who took part, in which version, when its work counts as safe; and who did not, and why. */
export function takingPart(rows: readonly Row[]): Table[] {
  const failed = rows.filter((row) => row.failed !== undefined)
  return [
    {
      title: 'Versions, and when work counts as safe',
      head: ['', 'version', 'durability'],
      rows: rows.flatMap(({ label, version, durability }) =>
        version === undefined && durability === undefined ? [] : [[label, version ?? '–', durability ?? '–']],
      ),
    },
    {
      title: 'Failed or missing',
      head: ['', 'why'],
      rows: failed.map(({ label, failed }) => [label, failed ?? '']),
    },
  ].filter(({ rows }) => rows.length > 0)
}

/** Says which ratios to the reference differ from those of an earlier run by more than noise. */
export function against(suite: Suite, earlier: readonly Row[], rows: readonly Row[], when: string): Table {
  const [reference = ''] = Object.keys(suite.contenders)
  const pairs = rows.flatMap((row) => {
    const before = earlier.find(({ id }) => id === row.id)
    if (!before || row.id === reference) return []
    return Object.entries(suite.metrics).flatMap(([metric, { label, better }]) => {
      const pair = { before: ratiosOf(before, metric), after: ratiosOf(row, metric) }
      return pair.before.length > 0 && pair.after.length > 0 ? [{ ...pair, row, label, better }] : []
    })
  })
  const found = pairs.map((pair, at) => ({
    pair,
    ...(differences(pairs)[at] as ReturnType<typeof differences>[number]),
  }))
  const differing = found.filter(({ verdict }) => verdict === 'more' || verdict === 'less')
  const unclear = found.filter(({ verdict }) => verdict === 'too few rounds').length
  return {
    title: `Against the run of ${when}`,
    head: ['', 'ratio to the reference', 'is now', 'by chance', 'verdict'],
    rows: differing.map(({ pair: { row, label, better }, factor, probability, verdict }) => [
      row.label,
      label,
      times(factor),
      probability < 0.001 ? 'p < 0.001' : `p = ${probability.toFixed(3)}`,
      verdict === better ? 'faster' : 'slower',
    ]),
    notes: [
      `${count(differing.length)} of ${count(found.length)} ratios differ beyond noise: rank sums, corrected for ${count(found.length)} comparisons, and a difference of at least ${percent(least)}.`,
      ...(unclear > 0 ? [`For ${count(unclear)} of them there were too few rounds to tell.`] : []),
    ],
  }
}

/** Returns which run that was. Ratios depend on the machine as well: a difference from another one says little about the programs. */
export function whenAndWhere({ at, machine }: Results, here: Results['machine']): string {
  const { name, cores, processor, platform, node } = machine
  const other = name === here.name ? '' : ` on another machine, ${howMany(cores, 'core')} of ${processor}, ${platform}`
  return `${at.slice(0, 10)}${other}${node === here.node ? '' : `, Node ${node}`}`
}

/** Returns the whole run as Markdown. */
export function markdown(
  { at, quick, machine }: Results,
  suites: readonly { name: string; tables: readonly Table[]; pictures: readonly string[] }[],
): string {
  const { cores, processor, memoryBytes, platform, node } = machine
  const lines = [
    `# Bench, ${at.slice(0, 10)}`,
    '',
    `A ${quick ? 'quick' : 'full'} run on ${howMany(cores, 'core')} of ${processor}, ${Math.round(memoryBytes / 2 ** 30)} GiB, ${platform}, Node ${node}.`,
  ]
  for (const { name, tables, pictures } of suites) {
    lines.push('', `## ${name}`)
    for (const picture of pictures) lines.push('', `![${picture.replace(/^.*-|\.svg$/g, '')}](${picture})`)
    for (const { title, head, rows, notes = [] } of tables) {
      lines.push('', `**${title}**`)
      if (rows.length > 0) {
        lines.push('', line(head), line(head.map(() => '---')), ...rows.map(line))
      }
      for (const note of notes) lines.push('', note)
    }
  }
  return `${lines.join('\n')}\n`
}

const line = (cells: readonly (string | number)[]) =>
  `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
