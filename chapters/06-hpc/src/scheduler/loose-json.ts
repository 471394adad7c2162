/**
 * JSON as schedulers print it, which is not always JSON. qstat up to version 23 writes the variables of jobs as they
 * are: `005` without quotes, a backslash before any character, line breaks.
 */

/**
 * Parses JSON. Where that fails, it takes unquoted words and numbers that JSON does not know for texts, and backslashes
 * and control characters inside quotes for themselves.
 *
 * @throws a SyntaxError for what is no JSON even then
 */
export function parseLoosely(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return JSON.parse(
      text.replaceAll(/"(?:[^"\\]|\\[\s\S])*"|[^\s"{}[\],:]+/g, (token) =>
        token.startsWith('"') ? token.replaceAll(escapes, escaped) : isLiteral(token) ? token : JSON.stringify(token),
      ),
    )
  }
}

const escapes = /\\(?:["\\/bfnrt]|u[\da-f]{4})|\\|\p{Cc}/giu
/** Only the last two alternatives are one character long. */
const escaped = (found: string) => (found.length > 1 ? found : JSON.stringify(found).slice(1, -1))

function isLiteral(token: string): boolean {
  return /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?)$/i.test(token)
}
