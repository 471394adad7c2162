/** A CPU profile of a running process: taken, and read. */
import type { Inspector, Place } from './inspector.ts'

/** The format of V8; saved as `.cpuprofile`, speedscope, Chrome and VS Code open it. */
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

/** Samples the process's stack ten thousand times a second for some time; its own work goes on meanwhile. */
export async function takeCpuProfile(inspector: Inspector, ms: number, signal?: AbortSignal): Promise<CpuProfile> {
  // For the source maps.
  await inspector.send('Debugger.enable')
  await inspector.send('Profiler.enable')
  await inspector.send('Profiler.setSamplingInterval', { interval: 100 })
  await inspector.send('Profiler.start')
  await inspector.wait(ms, signal)
  const { profile } = await inspector.send<{ profile: CpuProfile }>('Profiler.stop')
  await inspector.send('Profiler.disable')
  await inspector.send('Debugger.disable')
  return profile
}

export interface HotFunction {
  name: string
  place: Place | undefined
  /** Of the time in which the process computed: in the function itself, and in it with what it called. */
  self: number
  total: number
}

/** What is no function: nothing to do, and what V8 and Node do for themselves. */
const idle = '(idle)'
const noFunction = /^\((idle|program|root|garbage collector)\)$/

/** The functions by the time spent in themselves, the hottest first, and the share of the time in which there was work. */
export function hotFunctions(
  { nodes, samples, timeDeltas }: CpuProfile,
  placeOf: Inspector['sourceOf'],
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
      // Once, however deep it has called itself.
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

/** A box of a flame graph: what was on the stack, how deep, and from which share of the time to which. */
export interface Flame {
  name: string
  depth: number
  from: number
  to: number
}

/** The stacks put together: equal ones side by side, as wide as the time they took; calls of a function by itself are one box. */
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
