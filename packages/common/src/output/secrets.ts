/** Keeps secrets out of what is printed and logged. */

/** Masks the passwords of all URLs in a text: `redis://user:***@host:6379/0`. */
export function maskPasswords(text: string): string {
  // Up to the last @, for a password with an @ that should have been encoded.
  return text.replaceAll(/(\w:\/\/[^\s"<>:/@]*:)[^\s"<>]*@/g, '$1***@')
}
