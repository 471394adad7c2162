/** A worker thread of the `race` example. */
import { type Counting, count, type Span } from './counting.ts'

export default ({ counting, thread }: { counting: Counting; thread: number }): Span => count(counting, thread)
