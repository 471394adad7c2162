/** A CPU profile of a running process: taken, read, and drawn as a flame graph. */
import { largest } from '@repo/common/extremes'
import { draw, palette } from '@repo/common/output/plots'
import type { Inspector } from './inspector.ts'
import type { Place, Session } from './session.ts'

/** V8's format. Saved as `.cpuprofile`, it can be opened by speedscope, Chrome and VS Code. */
export interface CpuProfile {
  nodes: ProfileNode[]
  startTime: number
  endTime: number
  /** Node ids, and the microseconds before each. */
  samples: number[]
  timeDeltas: number[]
}

interface ProfileNode {
  id: number
  callFrame: { functionName: string; scriptId: string; url: string; lineNumber: number; columnNumber: number }
  children?: number[]
}

/** The profile of one thread. */
export interface ThreadProfile {
  /** `main thread`, or the number and the file of a worker thread. */
  thread: string
  profile: CpuProfile
  placeOf: Session['sourceOf']
}

/**
 * Samples the stack of each thread ten thousand times a second for some time. The process keeps working. A thread that
 * ends meanwhile is left out.
 *
 * @returns the main thread's profile first
 */
export async function takeCpuProfiles(
  inspector: Inspector,
  ms: number,
  signal?: AbortSignal,
): Promise<[ThreadProfile, ...ThreadProfile[]]> {
  const started: ReturnType<typeof startProfile>[] = []
  const main = await startProfile(inspector, 'main thread')
  await using _threads = await inspector.threads((session, thread) => {
    const starting = startProfile(session, thread)
    starting.catch(() => {})
    started.push(starting)
  })
  await Promise.allSettled(started)
  await inspector.wait(ms, signal)
  const mainProfile = await stopProfile(main)
  const others = await Promise.allSettled(started.map(async (starting) => await stopProfile(await starting)))
  return [mainProfile, ...others.flatMap((other) => (other.status === 'fulfilled' ? [other.value] : []))]
}

async function startProfile(session: Session, thread: string) {
  // Needed for the source maps.
  await session.send('Debugger.enable')
  await session.send('Profiler.enable')
  await session.send('Profiler.setSamplingInterval', { interval: 100 })
  await session.send('Profiler.start')
  // Code that V8 has optimised before does not know which functions it has inlined: their time would be their caller's.
  // Coverage makes V8 throw that code away, and optimise anew.
  await session.send('Profiler.startPreciseCoverage', { callCount: false, detailed: false })
  await session.send('Profiler.stopPreciseCoverage')
  // V8 takes its times from the same clock, in microseconds.
  return { thread, session, anewUs: Number(process.hrtime.bigint() / 1000n) }
}

async function stopProfile({
  thread,
  session,
  anewUs,
}: Awaited<ReturnType<typeof startProfile>>): Promise<ThreadProfile> {
  const { profile } = await session.send<{ profile: CpuProfile }>('Profiler.stop')
  await session.send('Profiler.disable')
  await session.send('Debugger.disable')
  // On a busy machine many samples come from the old code.
  return { thread, profile: since(anewUs, profile), placeOf: session.sourceOf }
}

/** Leaves out the samples before a moment. */
function since(us: number, { samples, timeDeltas, startTime, ...profile }: CpuProfile): CpuProfile {
  let atUs = startTime
  let first = 0
  for (; first < samples.length && atUs < us; first++) atUs += timeDeltas[first] ?? 0
  return { ...profile, samples: samples.slice(first), timeDeltas: timeDeltas.slice(first), startTime: atUs }
}

export interface HotFunction {
  name: string
  place: Place | undefined
  /** Shares of the busy time: in the function itself, and including the functions that it calls. */
  self: number
  total: number
}

/** Entries that are not functions: idle time, and V8's and Node's own work. */
const idle = '(idle)'
const noFunction = /^\((idle|program|root|garbage collector)\)$/

/** Returns the functions by self time, the hottest first, and the share of the time in which the process was busy. */
export function hotFunctions(
  { nodes, samples, timeDeltas }: CpuProfile,
  placeOf: Session['sourceOf'],
): { functions: HotFunction[]; busy: number } {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])))
  const keyOf = ({ callFrame: { functionName, scriptId, lineNumber, columnNumber } }: ProfileNode) =>
    `${functionName} ${scriptId} ${lineNumber} ${columnNumber}`
  const times = new Map<string, { node: ProfileNode; self: number; total: number }>()
  let busy = 0
  let all = 0
  for (const [at, id] of samples.entries()) {
    const us = Math.max(0, timeDeltas[at] ?? 0)
    all += us
    const leaf = byId.get(id)
    if (!leaf || leaf.callFrame.functionName === idle) continue
    busy += us
    const counted = new Set<string>()
    for (let node: ProfileNode | undefined = leaf; node; node = byId.get(parents.get(node.id) ?? -1)) {
      const key = keyOf(node)
      const time = times.get(key) ?? { node, self: 0, total: 0 }
      times.set(key, time)
      if (node === leaf) time.self += us
      // Count it once, however deep the recursion.
      if (!counted.has(key)) time.total += us
      counted.add(key)
    }
  }
  const functions = [...times.values()]
    .filter(({ node }) => !noFunction.test(node.callFrame.functionName))
    .sort((a, b) => b.self - a.self)
    .map(({ node: { callFrame }, self, total }) => ({
      name: callFrame.functionName || '(anonymous)',
      place: placeOf(callFrame.scriptId, callFrame.lineNumber, callFrame.columnNumber),
      self: self / busy,
      total: total / busy,
    }))
  return { functions, busy: busy / all }
}

/** A box of a flame graph: a function on the stack, its depth, and where it begins and ends as shares of the time. */
export interface Flame {
  name: string
  depth: number
  from: number
  to: number
}

/** Merges the stacks into boxes as wide as the time they took. A function that calls itself is one box. */
export function flames({ nodes, samples, timeDeltas }: CpuProfile, leastShare = 0.002): Flame[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const self = new Map<number, number>()
  for (const [at, id] of samples.entries()) self.set(id, (self.get(id) ?? 0) + Math.max(0, timeDeltas[at] ?? 0))
  interface Box {
    name: string
    us: number
    children: Map<string, Box>
  }
  const root: Box = { name: 'all', us: 0, children: new Map() }
  const add = (node: ProfileNode, into: Box): number => {
    const name = node.callFrame.functionName || '(anonymous)'
    if (name === idle) return 0
    let box = into
    if (name !== '(root)' && name !== into.name) {
      box = into.children.get(name) ?? { name, us: 0, children: new Map() }
      into.children.set(name, box)
    }
    let us = self.get(node.id) ?? 0
    for (const child of node.children ?? []) {
      const below = byId.get(child)
      if (below) us += add(below, box)
    }
    if (box !== into) box.us += us
    return us
  }
  const [first] = nodes
  if (first) root.us = add(first, root)
  const boxes: Flame[] = []
  const place = (box: Box, depth: number, from: number) => {
    const share = box.us / Math.max(1, root.us)
    if (share < leastShare) return
    boxes.push({ name: box.name, depth, from, to: from + share })
    let at = from
    for (const child of [...box.children.values()].sort((a, b) => b.us - a.us)) {
      place(child, depth + 1, at)
      at += child.us / Math.max(1, root.us)
    }
  }
  place(root, 0, 0)
  return boxes
}

const width = 960
const rowHeight = 18

/**
 * Draws the boxes.
 *
 * @param hot the function to mark
 * @returns SVG text
 */
export function drawFlames(boxes: readonly Flame[], hot: string | undefined, subtitle: string): string {
  const deepest = largest(boxes.map(({ depth }) => depth))
  const shapes = boxes.map(({ name, depth, from, to }) => ({
    name,
    x1: 100 * from,
    x2: 100 * to,
    y1: depth,
    y2: depth + 1,
    color: name === hot ? palette[1] : name === '(garbage collector)' ? palette[3] : palette[0],
    // As much of the name as fits.
    text: name.slice(0, Math.max(0, Math.floor(((to - from) * (width - 90)) / 7) - 1)),
  }))
  type Shape = (typeof shapes)[number]
  return draw({
    title: 'Where the time goes',
    subtitle,
    width,
    height: 130 + rowHeight * (deepest + 1),
    marginLeft: 24,
    grid: false,
    x: { label: '% of the time in which the process computed' },
    y: { label: '', domain: [0, deepest + 1], ticks: [] },
    marks: (plot) => [
      plot.rect(shapes, {
        x1: 'x1',
        x2: 'x2',
        y1: 'y1',
        y2: 'y2',
        fill: (shape: Shape) => shape.color,
        fillOpacity: 0.55,
        stroke: 'currentColor',
        strokeWidth: 0.4,
      }),
      plot.text(
        shapes.filter(({ text }) => text.length > 2),
        {
          x: 'x1',
          y: (shape: Shape) => shape.y1 + 0.5,
          text: 'text',
          textAnchor: 'start',
          dx: 3,
          fontSize: 10,
        },
      ),
    ],
  })
}
