import fc from 'fast-check'

/** A program for sh that prints the variable A and its arguments, each followed by a NUL. */
export const printArguments = `#!/bin/sh\nprintf '%s\\0' "$A" "$@"\n`

/** Strings that mean something to one shell or another. */
const dangerous = [...`'"\\!$\`;&|<>()[]{}*?~#=%^-\n\r\t aé日`, '$(id)', '%s', '\\n', '\\047', '!!', '~/', '\\\n']

/** Anything a program can be passed: no NUL, and no lone surrogate, for which UTF-8 has no bytes. */
export const hostileArgument: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '')),
  fc.array(fc.constantFrom(...dangerous), { maxLength: 12 }).map((parts) => parts.join('')),
)
