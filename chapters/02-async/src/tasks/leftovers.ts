/** What a process still has to do. */

/** What keeps this process alive, each kind with its number: `1 ProcessWrap, 4 PipeWrap`. */
export function activeResources(): string {
  // An immediate is due in this very turn of the loop: whoever asks may have caused it.
  const lasting = process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate')
  const kinds = Object.groupBy(lasting, (kind) => kind)
  return Object.entries(kinds)
    .map(([kind, all = []]) => `${all.length} ${kind}`)
    .sort()
    .join(', ')
}
