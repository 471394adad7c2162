/** The search dialog, by Pagefind's index, which is loaded when the dialog is opened first. */

interface Pagefind {
  options: (options: { baseUrl: string }) => Promise<void>
  /** Returns null if another search was started meanwhile. */
  debouncedSearch: (text: string) => Promise<{ results: { data: () => Promise<Result> }[] } | null>
}

interface Place {
  title: string
  url: string
  /** HTML, with the words found in <mark>. */
  excerpt: string
}

interface Result extends Place {
  meta: { title: string }
  sub_results: Place[]
}

const pagesShown = 8
const placesShown = 3

/** Makes the button in the page's header open the dialog, as Ctrl+K and / do. */
export function enableSearch(search: HTMLElement): void {
  const [button, dialog, input, results] = ['.open', 'dialog', 'input', '.results'].map((each) =>
    search.querySelector<HTMLElement>(each),
  ) as [HTMLButtonElement, HTMLDialogElement, HTMLInputElement, HTMLElement]
  const index = new URL(search.dataset.pagefindScript ?? '', document.baseURI)
  let pagefind: Promise<Pagefind> | undefined

  async function load(): Promise<Pagefind> {
    const loaded = (await import(/* @vite-ignore */ index.href)) as Pagefind
    await loaded.options({ baseUrl: new URL('..', index).pathname })
    return loaded
  }

  function open() {
    pagefind ??= load()
    pagefind.catch(() => {
      results.textContent = 'There is no search here: it works in the built book, on a server (npm run book).'
    })
    dialog.showModal()
    input.select()
  }

  async function find() {
    const text = input.value.trim()
    const found = await (await pagefind)?.debouncedSearch(text)
    if (!found) return
    const pages = await Promise.all(found.results.slice(0, pagesShown).map((result) => result.data()))
    if (input.value.trim() !== text) return
    const count = document.createElement('p')
    count.textContent = text === '' ? '' : `${found.results.length} ${found.results.length === 1 ? 'page' : 'pages'}`
    const list = document.createElement('ol')
    list.append(...pages.map(item))
    results.replaceChildren(count, list)
  }

  button.hidden = false
  button.addEventListener('click', open)
  input.addEventListener('input', () => void find().catch(() => {}))
  dialog.addEventListener('click', ({ target }) => {
    // On the backdrop, or on a result that may be in this very page.
    if (target === dialog || (target instanceof Element && target.closest('a'))) dialog.close()
  })
  document.addEventListener('keydown', (event) => {
    const typing = event.target instanceof Element && event.target.closest('input, textarea, select')
    if (((event.metaKey || event.ctrlKey) && event.key === 'k') || (event.key === '/' && !typing && !dialog.open)) {
      event.preventDefault()
      open()
    }
  })
}

function item(page: Result): HTMLLIElement {
  const element = document.createElement('li')
  element.append(link(page.meta.title, page.url))
  const places = page.sub_results.filter(({ url }) => url !== page.url).slice(0, placesShown)
  if (places.length === 0) element.append(excerpt(page))
  else {
    const list = document.createElement('ul')
    list.append(
      ...places.map((place) => {
        const item = document.createElement('li')
        item.append(link(place.title, place.url), excerpt(place))
        return item
      }),
    )
    element.append(list)
  }
  return element
}

function link(text: string, url: string): HTMLAnchorElement {
  const element = document.createElement('a')
  element.href = url
  element.textContent = text
  return element
}

function excerpt({ excerpt }: Place): HTMLParagraphElement {
  const element = document.createElement('p')
  // Pagefind has escaped it.
  element.innerHTML = excerpt
  return element
}
