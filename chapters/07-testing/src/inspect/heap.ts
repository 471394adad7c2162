/** Heap snapshots of a running process: taken, read, and compared, to find what only grows. */
import type { Inspector } from './inspector.ts'
import { isOwn } from './session.ts'
import { type RawSnapshot, SnapshotReader } from './snapshot.ts'

/**
 * Collects garbage, then records everything that is left. The process is paused meanwhile, for about a second per 100
 * MB. The objects keep their ids until the profiler is disabled.
 */
async function takeHeapSnapshot(inspector: Inspector): Promise<RawSnapshot> {
  const reader = new SnapshotReader()
  using _listener = inspector.on('HeapProfiler.addHeapSnapshotChunk', ({ chunk }: { chunk: string }) =>
    reader.push(chunk),
  )
  await inspector.send('HeapProfiler.collectGarbage')
  // Numbers too: an object's properties name it.
  await inspector.send('HeapProfiler.takeHeapSnapshot', { reportProgress: false, captureNumericValue: true })
  return reader.end()
}

export interface Kind {
  /** A class `Order`, a plain object's properties `{id, item}`, or a function `listener()`. */
  name: string
  count: number
  /** The objects' own bytes, without those of the objects that they refer to. */
  bytes: number
}

/** The objects of a kind in a snapshot. */
interface Objects extends Kind {
  isOwn: boolean
  /** V8's numbers of them, which stay the same from one snapshot to the next. */
  ids: number[]
}

/** The classes that JavaScript brings along. Those of Node have a place in its source. */
const builtIn = new Set(
  Object.getOwnPropertyNames(globalThis).filter((name) => typeof Reflect.get(globalThis, name) === 'function'),
)
const longestShape = 6

type NodeField = 'type' | 'name' | 'id' | 'self_size' | 'edge_count'
type EdgeField = 'type' | 'name_or_index' | 'to_node'

/** Names for the columns of a snapshot, and for what its numbers mean. */
class Heap {
  readonly raw: RawSnapshot
  readonly width: number
  readonly count: number
  readonly #edgeWidth: number
  readonly #node: Record<NodeField, number>
  readonly #edge: Record<EdgeField, number>
  /** The index of each node's first edge, and after the last node the number of edges. */
  readonly #firstEdge: Uint32Array

  constructor(raw: RawSnapshot) {
    this.raw = raw
    const { node_fields: nodeFields, edge_fields: edgeFields } = raw.snapshot.meta
    const column = (fields: string[], name: string) => fields.indexOf(name)
    this.#node = {
      type: column(nodeFields, 'type'),
      name: column(nodeFields, 'name'),
      id: column(nodeFields, 'id'),
      self_size: column(nodeFields, 'self_size'),
      edge_count: column(nodeFields, 'edge_count'),
    }
    this.#edge = {
      type: column(edgeFields, 'type'),
      name_or_index: column(edgeFields, 'name_or_index'),
      to_node: column(edgeFields, 'to_node'),
    }
    this.width = nodeFields.length
    this.#edgeWidth = edgeFields.length
    this.count = raw.nodes.length / this.width
    this.#firstEdge = new Uint32Array(this.count + 1)
    for (let node = 0; node < this.count; node++)
      this.#firstEdge[node + 1] = (this.#firstEdge[node] ?? 0) + this.of(node, 'edge_count')
  }

  of(node: number, field: NodeField): number {
    return this.raw.nodes[node * this.width + this.#node[field]] ?? 0
  }

  type(node: number): string {
    return this.raw.snapshot.meta.node_types[0][this.of(node, 'type')] ?? ''
  }

  name(node: number): string {
    return this.raw.strings[this.of(node, 'name')] ?? ''
  }

  /** The indexes of a node's edges: from the first to before the last. */
  edges(node: number): [from: number, to: number] {
    return [this.#firstEdge[node] ?? 0, this.#firstEdge[node + 1] ?? 0]
  }

  edgeType(edge: number): string {
    return this.raw.snapshot.meta.edge_types[0][this.#ofEdge(edge, 'type')] ?? ''
  }

  /** The name of a variable or property; undefined for an edge without a name. */
  edgeName(edge: number): string | undefined {
    return ['context', 'property', 'shortcut'].includes(this.edgeType(edge))
      ? this.raw.strings[this.#ofEdge(edge, 'name_or_index')]
      : undefined
  }

  edgeTo(edge: number): number {
    return this.#ofEdge(edge, 'to_node') / this.width
  }

  #ofEdge(edge: number, field: EdgeField): number {
    return this.raw.edges[edge * this.#edgeWidth + this.#edge[field]] ?? 0
  }

  /** The name of a node's kind; undefined for what no program makes as such: V8's tables, texts, numbers. */
  kind(node: number): string | undefined {
    const type = this.type(node)
    if (type === 'closure') return `${this.name(node) || '(anonymous)'}()`
    if (type !== 'object') return undefined
    return this.name(node) === 'Object' ? this.#shape(node) : this.name(node)
  }

  /** What tells plain objects apart: the names of their properties. */
  #shape(node: number): string {
    const names: string[] = []
    const [from, to] = this.edges(node)
    for (let edge = from; edge < to; edge++) {
      const name = this.edgeType(edge) === 'property' ? this.edgeName(edge) : undefined
      if (name !== undefined && name !== '__proto__') names.push(name)
    }
    if (names.length > longestShape) names.splice(longestShape, Number.POSITIVE_INFINITY, '…')
    return `{${names.join(', ')}}`
  }

  /** Returns the script of each node that has a place: a function, or an object by its constructor. */
  scripts(): Map<number, number> {
    const { locations = [], snapshot } = this.raw
    const fields = snapshot.meta.location_fields ?? ['object_index', 'script_id', 'line', 'column']
    const [node, script] = [fields.indexOf('object_index'), fields.indexOf('script_id')]
    const scripts = new Map<number, number>()
    for (let at = 0; at < locations.length; at += fields.length)
      scripts.set((locations[at + node] ?? 0) / this.width, locations[at + script] ?? 0)
    return scripts
  }
}

/** Counts the objects of each kind. */
function kindsOf(heap: Heap, urlOf: (scriptId: string) => string | undefined): Map<string, Objects> {
  const kinds = new Map<string, Objects>()
  const scripts = heap.scripts()
  for (let node = 0; node < heap.count; node++) {
    const name = heap.kind(node)
    if (name === undefined) continue
    let kind = kinds.get(name)
    if (!kind) {
      const script = scripts.get(node)
      // Plain objects and what was bound have no place.
      const isOfProgram =
        script === undefined
          ? /^\{.+\}$/.test(name) || !(builtIn.has(name) || name.endsWith('()') || /^[({]|^system \//.test(name))
          : isOwn({ file: urlOf(String(script)) ?? '', line: 0 })
      kind = { name, count: 0, bytes: 0, ids: [], isOwn: isOfProgram }
      kinds.set(name, kind)
    }
    kind.count++
    kind.bytes += heap.of(node, 'self_size')
    kind.ids.push(heap.of(node, 'id'))
  }
  return kinds
}

/** Returns the bytes of all objects. */
function heapBytes(heap: Heap): number {
  let bytes = 0
  for (let node = 0; node < heap.count; node++) bytes += heap.of(node, 'self_size')
  return bytes
}

/** The way from the roots to each node, by the shortest path. */
class Ways {
  readonly #heap: Heap
  /** The edge by which each node was reached, and the node from which. */
  readonly #by: Int32Array
  readonly #from: Int32Array

  constructor(heap: Heap) {
    this.#heap = heap
    this.#by = new Int32Array(heap.count).fill(-1)
    this.#from = new Int32Array(heap.count).fill(-1)
    // Breadth first from the root, which is the first node.
    const queue = new Uint32Array(heap.count)
    let length = 1
    for (let next = 0; next < length; next++) {
      const node = queue[next] ?? 0
      const [first, end] = heap.edges(node)
      for (let edge = first; edge < end; edge++) {
        if (heap.edgeType(edge) === 'weak') continue
        const to = heap.edgeTo(edge)
        if (to === 0 || this.#from[to] !== -1) continue
        this.#from[to] = node
        this.#by[to] = edge
        queue[length++] = to
      }
    }
  }

  isReached(node: number): boolean {
    return this.#from[node] !== -1
  }

  /** Returns the steps to a node, as names of variables and properties, each with the kind of what it leads to. */
  to(node: number): string[] {
    const way: string[] = []
    for (let at = node; at > 0; at = this.#from[at] ?? -1) {
      const name = this.#heap.edgeName(this.#by[at] ?? 0)
      const kind = this.#heap.kind(at) ?? this.#heap.name(at)
      way.unshift(`${name === undefined ? '' : `${name}: `}${kind.slice(0, 60)}`)
    }
    return way.filter((step) => step !== '')
  }
}

/**
 * Finds out what keeps an object of a class alive: the shortest path to it from the roots, as names of variables and
 * properties. Without it you know what leaks, but not where.
 */
export function pathTo(snapshot: RawSnapshot, className: string): string[] {
  const heap = new Heap(snapshot)
  const ways = new Ways(heap)
  for (let node = 0; node < heap.count; node++)
    if (heap.type(node) === 'object' && heap.name(node) === className && ways.isReached(node)) return ways.to(node)
  return []
}

const mostPaths = 1_000

/**
 * Finds out what keeps most of some objects alive, from its last named variable or property: most steps before it are
 * V8's own tables.
 */
function retainers(heap: Heap, kind: string, ids: ReadonlySet<number>): string[] {
  const ways = new Ways(heap)
  const nodes: number[] = []
  for (let node = 0; node < heap.count; node++)
    if (ids.has(heap.of(node, 'id')) && heap.kind(node) === kind && ways.isReached(node)) nodes.push(node)
  const every = Math.ceil(nodes.length / mostPaths)
  const paths = nodes
    .filter((_, at) => at % every === 0)
    // The links of a list are one step.
    .map((node) => ways.to(node).filter((step, at, steps) => step !== steps[at - 1]))
  // The last step may have a name of its own for each object, as in `orders: { 'order-1': … }`.
  const same = [...Map.groupBy(paths, (way) => JSON.stringify(way.slice(0, -1))).values()]
  const [most = []] = same.sort((a, b) => b.length - a.length)
  const [way = []] = most
  return way.slice(
    Math.max(
      0,
      way.slice(0, -1).findLastIndex((step) => step.includes(': ')),
    ),
  )
}

export interface Growth {
  /** Everything that is alive, in the first snapshot and in the last. */
  bytes: [before: number, after: number]
  /** The kinds of which there are more in the last snapshot, the program's own first. */
  grown: Kind[]
  /** The program's own kind that has grown most, time after time, and what keeps its objects alive. */
  leak: (Kind & { kept: string[] }) | undefined
}

/** One snapshot shows what is there, two show what has grown, and more whether it goes on. */
const snapshots = 4
/** How much longer to take them when a leak must be found. */
const patienceMs = 60_000

export interface LeakOptions {
  /** For how long to take snapshots. */
  ms: number
  /**
   * Takes more of them for up to a minute, until something has leaked: a process that gets no core between two of them
   * leaks nothing.
   */
  mustFind?: boolean
  signal?: AbortSignal
}

/** Takes snapshots for some time, and compares them. */
export async function findLeak(inspector: Inspector, { ms, mustFind = false, signal }: LeakOptions): Promise<Growth> {
  await inspector.send('Debugger.enable')
  await inspector.send('HeapProfiler.enable')
  // #region leak
  let heap = new Heap(await takeHeapSnapshot(inspector))
  const before = heapBytes(heap)
  const seen = [kindsOf(heap, inspector.urlOf)]
  const leaking = () => growth(seen).find((kind) => kind.isOwn && growsOn(seen, kind.name))
  const end = performance.now() + (mustFind ? patienceMs : 0)
  while (seen.length < snapshots || (!leaking() && performance.now() < end)) {
    await inspector.wait(ms / (snapshots - 1), signal)
    heap = new Heap(await takeHeapSnapshot(inspector))
    seen.push(kindsOf(heap, inspector.urlOf))
  }
  const grown = growth(seen)
  const most = leaking()
  const leak = most && { ...most, kept: retainers(heap, most.name, newOnes(seen, most.name)) }
  // #endregion leak
  await inspector.send('HeapProfiler.disable')
  await inspector.send('Debugger.disable')
  const shown = ({ name, count, bytes }: Kind): Kind => ({ name, count, bytes })
  return {
    bytes: [before, heapBytes(heap)],
    grown: grown.map(shown),
    leak: leak && { ...shown(leak), kept: leak.kept },
  }
}

type Seen = readonly ReadonlyMap<string, Objects>[]

/** Returns the kinds that have grown between the first snapshot and the last: the program's own first, then by number. */
function growth(seen: Seen) {
  const earlier = seen[0]
  return [...(seen.at(-1)?.values() ?? [])]
    .map(({ name, count, bytes, isOwn }) => {
      const was = earlier?.get(name) ?? { count: 0, bytes: 0 }
      return { name, count: count - was.count, bytes: bytes - was.bytes, isOwn }
    })
    .filter(({ count }) => count > 0)
    .sort((a, b) => Number(b.isOwn) - Number(a.isOwn) || b.count - a.count)
}

/**
 * Whether a kind leaks: it has grown more than once, it has never shrunk, and most of what came stays. A pool breathes, and
 * a cache grows until it is warm.
 */
function growsOn(seen: Seen, name: string): boolean {
  const objects = seen.map((kinds) => kinds.get(name)?.ids ?? [])
  const steps = objects.slice(1).map((ids, at) => ids.length - (objects[at]?.length ?? 0))
  if (steps.some((step) => step < 0) || steps.filter((step) => step > 0).length < 2) return false
  const [first = [], ...later] = objects
  const last = new Set(later.pop())
  const old = new Set(first)
  const came = new Set(later.flat().filter((id) => !old.has(id)))
  const stayed = [...came].filter((id) => last.has(id))
  return came.size > 0 && stayed.length >= came.size / 2
}

/** The objects of a kind that are in the last snapshot and were not in the first. */
function newOnes(seen: Seen, name: string): Set<number> {
  const old = new Set(seen[0]?.get(name)?.ids)
  return new Set(
    seen
      .at(-1)
      ?.get(name)
      ?.ids.filter((id) => !old.has(id)),
  )
}
