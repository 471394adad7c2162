/**
 * crdt: copies that are edited at the same time and merged in any order: a counter, a register, sets, a text; and what
 * they cost
 *
 *     pnpm --filter 08-road-ahead start crdt
 *     pnpm --filter 08-road-ahead start crdt --edits 1000
 *     pnpm --filter 08-road-ahead start crdt --removals 0
 *
 * First, three people edit one sentence while they cannot reach each other, and everything that they did is merged in each
 * order that there is. Then a chapter of Moby-Dick is written and revised by three people, and the same edits are made in
 * Yjs.
 *
 * Look for: one result in all orders; what was lost, and where; and how large the state is beside what is in it, above all
 * once the text is empty again.
 */
import { drawFrom } from '@repo/common/async/random'
import { example } from '@repo/common/example/example'
import { seedNumber, wholeNumber } from '@repo/common/example/options'
import { draw, linePlot, palette } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { bytes, count, table } from '@repo/common/output/terminal'
import { mobyDick } from '@repo/common/workloads/texts'
import * as Y from 'yjs'
import { add, type Counter, mergeCounters, total } from '../src/crdt/counter.ts'
import { mergeRegisters, type Register, write } from '../src/crdt/register.ts'
import { addTo, mergeSets, type ObservedSet, removeFrom, valuesOf } from '../src/crdt/set.ts'
import { addCompact, emptyCompactSet, removeCompact } from '../src/crdt/set-without-tombstones.ts'
import { inOrder, insert, mergeTexts, read, remove, type Text } from '../src/crdt/text.ts'

const replicas = ['a', 'b', 'c'] as const
/** The sets keep the last few words. */
const wordsKept = 20

export default example(import.meta, {
  options: {
    edits: wholeNumber(4, 5_000).default(400).describe('of the long text'),
    removals: wholeNumber(0, 90).default(50).describe('percent of them remove something'),
    seed: seedNumber().default(1).describe('for where and what is edited'),
  },
  quick: { edits: 100 },

  async run({ edits, removals, seed }, { signal, print, picture }) {
    // Three people edit at the same time. Nobody has seen what the others do.
    const sentence = insert(new Map(), 'a', 0, 'Call me Ishmael.')
    const deltas = {
      a: insert(sentence, 'a', 8, 'always '),
      b: insert(sentence, 'b', 8, 'just '),
      c: mergeTexts(insert(sentence, 'c', 15, 'Ahab'), remove(sentence, 8, 15)),
    }
    const results = orders(replicas).map((order) => {
      // Every delta arrives twice: networks do that.
      const arrivals = [...order, ...order].map((replica) => deltas[replica])
      return arrivals.reduce(mergeTexts, sentence)
    })
    const merged = new Set(results.map(read))
    const together = meanwhile()
    print(
      table(
        ['replica', 'its copy, before it hears of the others'],
        replicas.map((replica) => [replica, read(mergeTexts(sentence, deltas[replica]))]),
      ),
      '',
      `Merged in ${results.length} orders, with each delta twice, to ${merged.size} result${merged.size === 1 ? '' : 's'}: ${[...merged].join(' | ')}`,
      `The same edits in Yjs: ${mergedByYjs()}`,
      '',
      table(['kind', 'a does', 'b does meanwhile', 'merged'], together),
      '',
    )

    // A long text, edited in turns; and a set, a counter and a register that are edited as often.
    using bar = progress('edits', edits)
    const numbers = drawFrom(seed)
    const docs = replicas.map(() => {
      const doc = new Y.Doc()
      doc.clientID = numbers.whole(1, 2 ** 31)
      return doc
    })
    let text: Text = new Map()
    let counter: Counter = new Map()
    let register: Register<string>
    let set: ObservedSet = new Map()
    let compact = emptyCompactSet
    let typed = 0
    const sent = { ours: 0, yjs: 0 }
    const sentences = mobyDick().flatMap((chapter) => chapter.text.match(/\S[^.!?]*[.!?]+["”’]?\s*/g) ?? [])
    const [doc] = docs as [Y.Doc]
    const sizes = (edit: number) => ({
      edit,
      content: Buffer.byteLength(read(text)),
      text: jsonBytes(text),
      yjs: Y.encodeStateAsUpdate(doc).byteLength,
      values: jsonBytes([...valuesOf(set)]),
      set: jsonBytes(set),
      compact: jsonBytes(compact),
      counter: jsonBytes(counter),
      register: jsonBytes(register),
    })
    const curve: ReturnType<typeof sizes>[] = []

    /** Removes a range, which may be empty, and types there: in our text, and in the Yjs document of the same person. */
    function edit(by: number, at: number, end: number, typing: string) {
      const replica = replicas[by] as string
      const removal = remove(text, at, end)
      const delta = mergeTexts(removal, insert(text, replica, at, typing))
      text = mergeTexts(text, delta)
      const own = docs[by] as Y.Doc
      const before = Y.encodeStateVector(own)
      own.transact(() => {
        const shared = own.getText('text')
        shared.delete(at, end - at)
        shared.insert(at, typing)
      })
      const update = Y.encodeStateAsUpdate(own, before)
      for (const other of docs) if (other !== own) Y.applyUpdate(other, update)
      typed += typing.length
      sent.ours += jsonBytes(delta)
      sent.yjs += update.byteLength
    }

    for (let number = 1; number <= edits; number++) {
      const by = number % replicas.length
      const replica = replicas[by] as string
      const { length } = doc.getText('text')
      const at = numbers.whole(0, length)
      if (length > 0 && numbers.whole(1, 100) <= removals) edit(by, at, Math.min(length, at + numbers.whole(1, 80)), '')
      else {
        const place = numbers.share() < 0.8 ? length : at
        edit(by, place, place, sentences.shift() ?? '…')
      }

      counter = mergeCounters(counter, add(counter, replica, number % 2 ? 3 : -2))
      register = mergeRegisters(register, write(register, replica, `word ${number}`))
      set = mergeSets(set, addTo(set, replica, `word ${number}`))
      set = mergeSets(set, removeFrom(set, `word ${number - wordsKept}`))
      compact = removeCompact(addCompact(compact, replica, `word ${number}`), `word ${number - wordsKept}`)
      if (number % Math.ceil(edits / 40) === 0 || number === edits) curve.push(sizes(number))
      await new Promise((resolve) => setImmediate(resolve))
      signal.throwIfAborted()
      bar.update(number)
    }
    const content = read(text)
    const same = docs.every((each) => each.getText('text').toString() === content)
    if (!same) throw new Error(`with --seed ${seed}, Yjs has another text after the same edits`)
    // Everything is removed, and so are the words.
    edit(0, 0, doc.getText('text').length, '')
    for (const word of valuesOf(set)) {
      set = mergeSets(set, removeFrom(set, word))
      compact = removeCompact(compact, word)
    }
    const emptied = sizes(edits + 1)

    const shown = [0.25, 0.5, 1].map((share) => curve.find(({ edit }) => edit >= share * edits) ?? emptied)
    const columns = [...shown, emptied]
    const row = (name: string, of: Exclude<keyof typeof emptied, 'edit'>) => [
      name,
      ...columns.map((size) => bytes(size[of])),
    ]
    const files = [
      await picture('crdt-merge.svg', drawMerge(sentence, deltas)),
      await picture(
        'crdt.svg',
        linePlot({
          title: 'What a text costs that three people write and revise',
          subtitle: `${count(edits)} edits of Moby-Dick, ${removals} % of which remove something`,
          x: { label: 'edits' },
          y: {
            label: 'bytes',
            type: 'log',
            domain: [100, Math.max(...curve.map((size) => size.text))],
            tickFormat: '~s',
          },
          series: [
            ['our text, as JSON', 'text'] as const,
            ['Yjs', 'yjs'] as const,
            ['the text itself', 'content'] as const,
          ].map(([name, of]) => ({
            name,
            points: curve.map((size) => ({ x: size.edit, y: Math.max(100, size[of]) })),
          })),
        }),
      ),
    ]
    print(
      `${count(typed)} characters typed by three people in ${count(edits)} edits; ${count(content.length)} are left. Yjs has the same text.`,
      '',
      table(
        ['bytes after', ...shown.map(({ edit }) => `${count(edit)} edits`), 'all removed'],
        [
          row('the text itself', 'content'),
          row('our text, as JSON', 'text'),
          row('Yjs', 'yjs'),
          row(`the last ${wordsKept} words, as JSON`, 'values'),
          row('set with tombstones', 'set'),
          row('set without', 'compact'),
          row('counter', 'counter'),
          row('register', 'register'),
        ],
      ),
      '',
      `A mean edit sends ${bytes(sent.ours / (edits + 1))} as our delta, and ${bytes(sent.yjs / (edits + 1))} as an update of Yjs.`,
      `Pictures: ${files.join(', ')}`,
    )
    return {
      seed,
      orders: results.length,
      merged: [...merged],
      yjs: mergedByYjs(),
      meanwhile: together.map(([kind, , , result]) => ({ kind, result })),
      edits,
      typed,
      left: content.length,
      same,
      sizes: columns,
      sent,
      pictures: files,
    }
  },
  figure: ({ orders, merged, sizes }) => {
    const last = sizes.at(-2)
    const times = (size = 0) => (size / (last?.content ?? 1)).toFixed(1)
    return `${orders} orders, ${merged.length} result; our text is ${times(last?.text)} × the size of its content, Yjs ${times(last?.yjs)} ×`
  },
})

/** Returns a list in each order that there is. */
function orders<T>(list: readonly T[]): T[][] {
  if (list.length === 0) return [[]]
  return list.flatMap((first, at) => orders(list.toSpliced(at, 1)).map((rest) => [first, ...rest]))
}

/** What two replicas do at the same time, by kind, and what is left of it. */
function meanwhile(): [string, string, string, string][] {
  const ten = add(new Map(), 'a', 10)
  const milk = addTo(new Map(), 'a', 'milk')
  const green = write<string>(undefined, 'a', 'green')
  const counted = [add(ten, 'a', 5), add(ten, 'b', -3)].reduce(mergeCounters, ten)
  const written = [write(green, 'a', 'red'), write(green, 'b', 'blue')].reduce(mergeRegisters, green)
  const kept = [removeFrom(milk, 'milk'), addTo(milk, 'b', 'milk')].reduce(mergeSets, milk)
  return [
    ['counter, 10', 'adds 5', 'takes 3 away', String(total(counted))],
    ['register, green', 'writes red', 'writes blue', written?.value ?? ''],
    ['set, {milk}', 'removes milk', 'adds milk', `{${[...valuesOf(kept)].join(', ')}}`],
  ]
}

/** The edits of the sentence, made and merged by Yjs. */
function mergedByYjs(): string {
  const begin = new Y.Doc()
  begin.getText('text').insert(0, 'Call me Ishmael.')
  const shared = Y.encodeStateAsUpdate(begin)
  const edited = replicas.map((replica, at) => {
    const doc = new Y.Doc()
    doc.clientID = at + 1
    Y.applyUpdate(doc, shared)
    const text = doc.getText('text')
    if (replica === 'a') text.insert(8, 'always ')
    else if (replica === 'b') text.insert(8, 'just ')
    else {
      text.insert(15, 'Ahab')
      text.delete(8, 7)
    }
    return Y.encodeStateAsUpdate(doc)
  })
  const doc = new Y.Doc()
  for (const update of edited) Y.applyUpdate(doc, update)
  return doc.getText('text').toString()
}

/** A row for each copy: characters in the colour of who typed them, tombstones crossed out. */
function drawMerge(sentence: Text, deltas: Record<(typeof replicas)[number], Text>): string {
  const rows = [
    ['before', sentence] as const,
    ...replicas.map((replica) => [`copy of ${replica}`, mergeTexts(sentence, deltas[replica])] as const),
    ['merged', replicas.map((replica) => deltas[replica]).reduce(mergeTexts, sentence)] as const,
  ]
  const colors = Object.fromEntries(replicas.map((replica, at) => [replica, palette[at] ?? 'gray']))
  const characters = rows.flatMap(([row, text]) =>
    inOrder(text).map((id, x) => ({
      row,
      x,
      // A removed character is no longer in the state; the shared sentence still has it.
      text: text.get(id)?.text ?? sentence.get(id)?.text ?? '',
      isGone: text.get(id)?.text === null,
      color: sentence.has(id) ? 'currentColor' : colors[id.slice(id.indexOf('@') + 1)],
    })),
  )
  return draw({
    title: 'Three copies of one sentence, edited at the same time, and merged',
    subtitle: 'Crossed out: tombstones, which stay in the state',
    height: 260,
    marginLeft: 90,
    grid: false,
    legend: replicas.map((replica) => ({ name: `typed by ${replica}`, color: colors[replica] ?? '', style: 'dots' })),
    x: { label: 'characters in the state', domain: [-0.5, Math.max(...characters.map(({ x }) => x)) + 0.5] },
    y: { label: '', type: 'band', domain: rows.map(([row]) => row) },
    marks: (plot) => [
      plot.text(characters, {
        x: 'x',
        y: 'row',
        text: 'text',
        fill: 'color',
        fillOpacity: ({ isGone }: (typeof characters)[number]) => (isGone ? 0.5 : 1),
        fontFamily: 'monospace',
        fontSize: 17,
      }),
      plot.text(
        characters.filter(({ isGone }) => isGone),
        { x: 'x', y: 'row', text: () => '—', fill: palette[4], fontSize: 17 },
      ),
    ],
  })
}

/** Returns the size of a state in bytes, as JSON without spaces. */
function jsonBytes(state: unknown): number {
  return Buffer.byteLength(JSON.stringify(state, (_, value) => (value instanceof Map ? [...value] : value)))
}
