/** Buttons that copy code, and wide code that scrolls with the keyboard. */

/** Gives each block of commands or code a button, and a place in the order of the keyboard if it is wider than the page. */
export function enableCode(blocks: Iterable<HTMLElement>): void {
  for (const block of blocks) {
    if (block.scrollWidth > block.clientWidth) block.tabIndex = 0
    // An output has no colours; nobody copies it.
    if (block.querySelector('span') === null && !block.classList.contains('terminal')) continue
    const text = block.textContent ?? ''
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'copy'
    button.textContent = 'Copy'
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(text)
      button.textContent = 'Copied'
      setTimeout(() => {
        button.textContent = 'Copy'
      }, 2_000)
    })
    block.append(button)
  }
}
