/**
 * Returns a promise to race against: it rejects with the signal's reason on abort, and never resolves. Thousands of
 * tasks share its one listener; a listener for each of them would take quadratic time.
 */
export function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => {})
  if (signal.aborted) reject(signal.reason)
  signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  return promise
}
