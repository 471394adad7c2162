/** Heap snapshots of a running process: taken, read, and compared, to find what only grows. */
import type { Inspector } from './inspector.ts'

/** V8's format: nodes and edges as rows of numbers, and the names of the columns. */
interface RawSnapshot {
  snapshot: {
    meta: {
      node_fields: string[]
      node_types: [string[], ...unknown[]]
      edge_fields: string[]
      edge_types: [string[], ...unknown[]]
    }
  }
  nodes: number[]
  edges: number[]
  strings: string[]
}

/**
 * Collects garbage, then records everything that is left. The process is paused meanwhile, for about a second per 100
 * MB.
 */
async function takeHeapSnapshot(inspector: Inspector): Promise<RawSnapshot> {
  const chunks: string[] = []
  using _listener = inspector.on('HeapProfiler.addHeapSnapshotChunk', ({ chunk }: { chunk: string }) =>
    chunks.push(chunk),
  )
  await inspector.send('HeapProfiler.enable')
  await inspector.send('HeapProfiler.collectGarbage')
  await inspector.send('HeapProfiler.takeHeapSnapshot', { reportProgress: false })
  await inspector.send('HeapProfiler.disable')
  return JSON.parse(chunks.join('')) as RawSnapshot
}

export interface Kind {
  /** The name of the class. */
  name: string
  count: number
  /** The objects' own bytes, without those of the objects that they refer to. */
  bytes: number
}

/** JavaScript's built-in classes, which grow whenever anything does. */
const builtIn =
  /^(Object|Array|Map|Set|Promise|Buffer|Uint8Array|ArrayBuffer|Error|Generator|WeakRef|Timeout|Immediate|system \/ |\()/
const isBuiltIn = ({ name }: Kind): boolean => builtIn.test(name)

/** Counts the objects of each class. */
function classes({ snapshot: { meta }, nodes, strings }: RawSnapshot): Map<string, Kind> {
  const width = meta.node_fields.length
  const [type, name, size] = ['type', 'name', 'self_size'].map((field) => meta.node_fields.indexOf(field)) as [
    number,
    number,
    number,
  ]
  const object = meta.node_types[0].indexOf('object')
  const kinds = new Map<string, Kind>()
  for (let at = 0; at < nodes.length; at += width) {
    if (nodes[at + type] !== object) continue
    const text = strings[nodes[at + name] ?? 0] ?? ''
    const kind = kinds.get(text) ?? { name: text, count: 0, bytes: 0 }
    kinds.set(text, kind)
    kind.count++
    kind.bytes += nodes[at + size] ?? 0
  }
  return kinds
}

/**
 * Returns the classes that have grown between two snapshots: the program's own first, then by the number of new
 * objects.
 */
function growth(before: RawSnapshot, after: RawSnapshot): Kind[] {
  const earlier = classes(before)
  return [...classes(after).values()]
    .map(({ name, count, bytes }) => ({
      name,
      count: count - (earlier.get(name)?.count ?? 0),
      bytes: bytes - (earlier.get(name)?.bytes ?? 0),
    }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => Number(isBuiltIn(a)) - Number(isBuiltIn(b)) || b.count - a.count)
}

/** Returns the bytes of all objects. */
function heapBytes({ snapshot: { meta }, nodes }: RawSnapshot): number {
  const size = meta.node_fields.indexOf('self_size')
  let bytes = 0
  for (let at = size; at < nodes.length; at += meta.node_fields.length) bytes += nodes[at] ?? 0
  return bytes
}

/**
 * Finds out what keeps an object of a class alive: the shortest path to it from the roots, as names of variables and
 * properties. Without it you know what leaks, but not where.
 */
function retainers({ snapshot: { meta }, nodes, edges, strings }: RawSnapshot, className: string): string[] {
  const width = meta.node_fields.length
  const edgeWidth = meta.edge_fields.length
  const column = (fields: string[], name: string) => fields.indexOf(name)
  const [nodeName, edgeCount] = [column(meta.node_fields, 'name'), column(meta.node_fields, 'edge_count')]
  const [edgeType, edgeName, edgeTo] = ['type', 'name_or_index', 'to_node'].map((name) =>
    column(meta.edge_fields, name),
  ) as [number, number, number]
  const edgeTypes = meta.edge_types[0]
  const count = nodes.length / width
  const firstEdge = new Uint32Array(count + 1)
  for (let node = 0; node < count; node++)
    firstEdge[node + 1] = (firstEdge[node] ?? 0) + (nodes[node * width + edgeCount] ?? 0)

  /** The edge by which each node was reached, breadth first from the root, which is the first node. */
  const reachedBy = new Int32Array(count).fill(-1)
  const from = new Int32Array(count).fill(-1)
  const queue = [0]
  for (let next = 0; next < queue.length; next++) {
    const node = queue[next] ?? 0
    for (let edge = firstEdge[node] ?? 0; edge < (firstEdge[node + 1] ?? 0); edge++) {
      if (edgeTypes[edges[edge * edgeWidth + edgeType] ?? 0] === 'weak') continue
      const to = (edges[edge * edgeWidth + edgeTo] ?? 0) / width
      if (to === 0 || from[to] !== -1) continue
      from[to] = node
      reachedBy[to] = edge
      queue.push(to)
    }
  }
  const nameOf = (node: number) => strings[nodes[node * width + nodeName] ?? 0] ?? ''
  const type = column(meta.node_fields, 'type')
  const object = meta.node_types[0].indexOf('object')
  let found = -1
  for (let node = 0; node < count && found < 0; node++) {
    if (nodes[node * width + type] === object && nameOf(node) === className && from[node] !== -1) found = node
  }
  const way: string[] = []
  for (let node = found; node > 0; node = from[node] ?? -1) {
    const edge = (reachedBy[node] ?? 0) * edgeWidth
    const kind = edgeTypes[edges[edge + edgeType] ?? 0] ?? ''
    const named = ['context', 'property', 'shortcut'].includes(kind)
    const label = named ? `${strings[edges[edge + edgeName] ?? 0]}: ` : ''
    way.unshift(`${label}${nameOf(node).slice(0, 60)}`)
  }
  // Start at the last named variable or property: the steps before it are V8's own tables.
  const named = way.findLastIndex((step) => step.includes(': '))
  return way.slice(Math.max(0, named)).filter((step) => step !== '')
}

export interface Growth {
  /** Everything that is alive, in the first snapshot and in the second. */
  bytes: [before: number, after: number]
  /** The classes that have grown, the program's own first. */
  grown: Kind[]
  /** The program's own class that has grown most, and what keeps its objects alive. */
  leak: (Kind & { kept: string[] }) | undefined
}

/** Takes two snapshots some time apart: one shows what is there, two show what grows. */
export async function findLeak(inspector: Inspector, ms: number, signal: AbortSignal): Promise<Growth> {
  const before = await takeHeapSnapshot(inspector)
  await inspector.wait(ms, signal)
  const after = await takeHeapSnapshot(inspector)
  const grown = growth(before, after)
  const most = grown.find((kind) => !isBuiltIn(kind))
  const leak = most && { ...most, kept: retainers(after, most.name) }
  return { bytes: [heapBytes(before), heapBytes(after)], grown, leak }
}
