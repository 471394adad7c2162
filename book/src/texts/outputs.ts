/**
 * Compares what a program prints with what a text says it prints. Words, names, counts, states and orders must be the
 * same. A figure that differs from run to run must be of the same kind, and not implausibly far away; outputs-rules.ts says
 * which those are.
 */
import { diffArrays } from 'diff'
import { anyNumber, inAnyOrder, isOptional, isTime, ofAnyLength, optional, type Rule, rules } from './outputs-rules.ts'

/** Where a fresh output differs from the recorded one. */
export interface Difference {
  /** The index of the first recorded line that differs; for lines that are only new, of the line that they stand before. */
  at: number
  /** The recorded lines that the fresh output does not have. */
  recorded: string[]
  /** The lines in their place. */
  fresh: string[]
}

/** A line with the kinds of its figures in their place. */
interface Shape {
  shape: string
  figures: { rule: Rule; text: string }[]
}

interface Line extends Shape {
  at: number
  text: string
}

/** Returns the recorded lines that differ, with the fresh lines in their place; none if the outputs say the same. */
export function compareOutput(recorded: string, fresh: string): Difference[] {
  const before = read(recorded)
  const differences: Difference[] = []
  let done = 0
  let open: Difference | undefined
  for (const { value, added, removed } of diffArrays(before, read(fresh), { comparator: isSame })) {
    if (!added && !removed) open = undefined
    else {
      if (open === undefined) {
        open = { at: before[done]?.at ?? recorded.split('\n').length, recorded: [], fresh: [] }
        differences.push(open)
      }
      open[added ? 'fresh' : 'recorded'].push(...value.map(({ text }) => text))
    }
    if (!added) done += value.length
  }
  return differences
}

function isSame(recorded: Line, fresh: Line): boolean {
  return (
    recorded.shape === fresh.shape &&
    recorded.figures.every(({ rule, text }, at) => rule.plausible(text, fresh.figures[at]?.text ?? ''))
  )
}

/** Returns the lines of an output, without those that may be missing. */
function read(output: string): Line[] {
  // The first line of a table has lost its margin where an output begins with it.
  const texts = output.replace(/^(?=\S.* {2}\S.*\n )/, ' ').split('\n')
  const lines: Line[] = []
  for (let from = 0, to = 1; from < texts.length; from = to, to++) {
    if (texts[from]?.startsWith(' ')) while (texts[to]?.startsWith(' ')) to++
    const block = texts.slice(from, to)
    const shaped = shapesOf(block).map((shape, at) => ({ at: from + at, text: block[at] ?? '', ...shape }))
    const isSet = inAnyOrder.test(shaped[0]?.shape ?? '')
    lines.push(...(isSet ? shaped.toSorted((one, other) => (one.shape < other.shape ? -1 : 1)) : shaped))
  }
  // Around a line that is missing there may be an empty one more.
  const isRepeatable = (shape: string) => shape === '' || shape === anyNumber
  return lines
    .filter(({ shape }) => !isOptional(shape))
    .filter(({ shape }, at, kept) => !isRepeatable(shape) || kept[at - 1]?.shape !== shape)
}

/** Returns the shapes of lines that stand together: those of a table, or of what is indented, or a single one. */
function shapesOf(block: string[]): Shape[] {
  const [heads = [], ...rows] = cellsOf(block)
  // A table has a margin of one space, and a heading: lines that begin with a time are a course of events.
  if (rows.length === 0 || heads.length === 1 || heads.some(isTime) || !block.some((line) => /^ \S/.test(line))) {
    return block.map((line) => shapeOf([line.replace(/^ +(?=[\d+−-])/, '').replaceAll(/(?<=\S) +/g, ' ')], [line]))
  }
  const shapes = rows.map((cells) => {
    const places = heads.map((head) => `${head} | ${cells[0]} | ${heads.join(' ')} |`)
    return shapeOf(cells, places)
  })
  const heading = { shape: heads.join(' | '), figures: [] }
  const isRepeated = ({ shape }: Shape, at: number) => shapes.slice(0, at).some((earlier) => earlier.shape === shape)
  const kept = (shape: Shape, at: number) => (isRepeated(shape, at) ? { ...shape, shape: optional } : shape)
  return [heading, ...(ofAnyLength.test(heading.shape) ? shapes.map(kept) : shapes)]
}

/** Returns the cells of each line of a table: between them all lines have two spaces or more. */
function cellsOf(block: string[]): string[][] {
  const width = Math.max(...block.map((line) => line.length))
  const isBlank = (at: number) => block.every((line) => (line[at] ?? ' ') === ' ')
  const starts = [0]
  for (let at = 2; at < width; at++) if (isBlank(at - 2) && isBlank(at - 1) && !isBlank(at)) starts.push(at)
  return block.map((line) => starts.map((start, column) => line.slice(start, starts[column + 1]).trim()))
}

/** Takes the figures out of the cells of a line, and puts their kinds in their place. */
function shapeOf(cells: string[], places: string[]): Shape {
  const figures: Shape['figures'] = []
  const shapes = cells.map((cell, column) => {
    let shape = cell
    for (const rule of rules) {
      if (rule.where?.test(places[column] ?? '') === false) continue
      shape = shape.replace(rule.pattern, (text) => {
        figures.push({ rule, text })
        return `‹${rule.kind}›`
      })
    }
    return shape
  })
  return { shape: shapes.join(' | '), figures }
}
