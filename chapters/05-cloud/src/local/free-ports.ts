/** For servers that need their ports before they start. */
const attempts = 3

/** Starts something on free ports, and tries again on others when another program was faster. */
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
