/** Errors of the local disk, in one clear line. */

export const isFull = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'code' in error && ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(String(error.code))

export const fullDisk = (path: string, { code }: NodeJS.ErrnoException) =>
  new Error(`${path} cannot be written: the disk is full (${code})`)

/** Waits for something that writes a file. When the disk is full, the error says so. */
export async function onDisk<Result>(path: string, writing: Promise<Result>): Promise<Result> {
  try {
    return await writing
  } catch (error) {
    throw isFull(error) ? fullDisk(path, error) : error
  }
}
