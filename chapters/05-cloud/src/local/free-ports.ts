/** For servers that must be told their ports beforehand. */
const attempts = 3

/** Does what takes free ports, and does it again, with others, where somebody else was faster. */
export async function onFreePorts<Result>(start: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start()
    } catch (error) {
      const taken = error instanceof Error && /EADDRINUSE|address already in use/i.test(error.message)
      if (!taken || attempt === attempts) throw error
    }
  }
}
