/** Secrets kept out of what is printed and logged. */

/** A text with the passwords of the URLs in it masked: `redis://user:***@host:6379/0`. */
export function maskPasswords(text: string): string {
  // Up to the last @, so that a password which is not encoded as it should be is masked as well.
  return text.replaceAll(/(\w:\/\/[^\s"<>:/@]*:)[^\s"<>]*@/g, '$1***@')
}
