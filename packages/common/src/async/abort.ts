/**
 * A promise to race against: rejected with the signal's reason when it is aborted, and nothing else. One listener however
 * many tasks wait: thousands of listeners on one signal take quadratic time.
 */
export function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => {})
  if (signal.aborted) reject(signal.reason)
  signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  return promise
}
