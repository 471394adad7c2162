/**
 * V8's heap snapshot, read while it arrives. As a text it may be longer than the longest string that V8 allows (512 MB),
 * and several times as large as its numbers.
 */

/** V8's format: nodes, edges and locations as rows of numbers, and the names of the columns. */
export interface RawSnapshot {
  snapshot: {
    meta: {
      node_fields: string[]
      node_types: [string[], ...unknown[]]
      edge_fields: string[]
      edge_types: [string[], ...unknown[]]
      location_fields?: string[]
    }
  }
  nodes: ArrayLike<number>
  edges: ArrayLike<number>
  /** Where the functions, and the constructors of objects, are in the source. */
  locations?: ArrayLike<number>
  strings: string[]
}

const numberLists = ['nodes', 'edges', 'locations'] as const
type NumberList = (typeof numberLists)[number]
const isNumberList = (key: string): key is NumberList => (numberLists as readonly string[]).includes(key)

const [zero, quote, backslash] = [48, 34, 92]
const [openBrace, closeBrace, openBracket, closeBracket] = [123, 125, 91, 93]

/** What is being read: what lies between two lists, a list of numbers, the strings, or any other value. */
type Reading = 'between' | 'numbers' | 'strings' | 'other'

export class SnapshotReader {
  readonly #numbers = { nodes: new Numbers(), edges: new Numbers(), locations: new Numbers() }
  readonly #strings: string[] = []
  #snapshot: RawSnapshot['snapshot'] | undefined
  #reading: Reading = 'between'
  /** What was read of a key, or of a value, in earlier pieces. */
  #text = ''
  #key = ''
  #list = this.#numbers.nodes
  /** A number that may go on in the next piece. */
  #number = 0
  #hasDigits = false
  #isInString = false
  #isEscaped = false
  #depth = 0

  /** Takes the next piece of the text, cut anywhere. */
  push(piece: string): void {
    let at = 0
    while (at < piece.length) {
      if (this.#reading === 'numbers') at = this.#readNumbers(piece, at)
      else if (this.#reading === 'strings') at = this.#readStrings(piece, at)
      else if (this.#reading === 'other') at = this.#readOther(piece, at)
      else at = this.#readBetween(piece, at)
    }
  }

  /** @throws an Error when the text was no snapshot, or has no end */
  end(): RawSnapshot {
    if (!this.#snapshot || this.#reading !== 'between') throw new Error('the heap snapshot is not complete')
    const { nodes, edges, locations } = this.#numbers
    const lists = { nodes: nodes.all(), edges: edges.all(), locations: locations.all() }
    return { snapshot: this.#snapshot, ...lists, strings: this.#strings }
  }

  #readBetween(piece: string, from: number): number {
    for (let at = from; at < piece.length; at++) {
      const code = piece.charCodeAt(at)
      if (code !== openBrace && code !== openBracket) continue
      const key = /"(\w+)"\s*:\s*$/.exec(this.#text + piece.slice(from, at))?.[1]
      this.#text = ''
      // The brace that opens the whole has no key.
      if (key === undefined) return at + 1
      this.#begin(key)
      return this.#reading === 'other' ? at : at + 1
    }
    this.#text += piece.slice(from)
    return piece.length
  }

  #begin(key: string) {
    this.#key = key
    this.#depth = 0
    if (isNumberList(key)) {
      this.#reading = 'numbers'
      this.#list = this.#numbers[key]
    } else this.#reading = key === 'strings' ? 'strings' : 'other'
  }

  #readNumbers(piece: string, from: number): number {
    const list = this.#list
    // Copies: this loop takes most of the time.
    let number = this.#number
    let hasDigits = this.#hasDigits
    let at = from
    for (; at < piece.length; at++) {
      const code = piece.charCodeAt(at)
      const digit = code - zero
      if (digit >= 0 && digit <= 9) {
        number = 10 * number + digit
        hasDigits = true
        continue
      }
      if (hasDigits) list.add(number)
      number = 0
      hasDigits = false
      if (code !== closeBracket) continue
      this.#reading = 'between'
      at++
      break
    }
    this.#number = number
    this.#hasDigits = hasDigits
    return at
  }

  #readStrings(piece: string, from: number): number {
    let begin = from
    for (let at = from; at < piece.length; at++) {
      const code = piece.charCodeAt(at)
      if (!this.#isInString) {
        if (code === quote) {
          this.#isInString = true
          begin = at + 1
        } else if (code === closeBracket) {
          this.#reading = 'between'
          return at + 1
        }
      } else if (this.#isEscaped) this.#isEscaped = false
      else if (code === backslash) this.#isEscaped = true
      else if (code === quote) {
        const written = this.#text + piece.slice(begin, at)
        this.#strings.push(written.includes('\\') ? (JSON.parse(`"${written}"`) as string) : written)
        this.#text = ''
        this.#isInString = false
      }
    }
    if (this.#isInString) this.#text += piece.slice(begin)
    return piece.length
  }

  #readOther(piece: string, from: number): number {
    for (let at = from; at < piece.length; at++) {
      const code = piece.charCodeAt(at)
      if (this.#isInString) {
        if (this.#isEscaped) this.#isEscaped = false
        else if (code === backslash) this.#isEscaped = true
        else if (code === quote) this.#isInString = false
      } else if (code === quote) this.#isInString = true
      else if (code === openBrace || code === openBracket) this.#depth++
      else if ((code === closeBrace || code === closeBracket) && --this.#depth === 0) {
        if (this.#key === 'snapshot') this.#snapshot = JSON.parse(this.#text + piece.slice(from, at + 1))
        this.#text = ''
        this.#reading = 'between'
        return at + 1
      }
    }
    if (this.#key === 'snapshot') this.#text += piece.slice(from)
    return piece.length
  }
}

/** A list of whole numbers below 2^32 that grows. */
class Numbers {
  #numbers = new Uint32Array(1 << 12)
  #length = 0

  add(value: number) {
    if (this.#length === this.#numbers.length) {
      const larger = new Uint32Array(2 * this.#length)
      larger.set(this.#numbers)
      this.#numbers = larger
    }
    this.#numbers[this.#length++] = value
  }

  all(): Uint32Array {
    return this.#numbers.subarray(0, this.#length)
  }
}
