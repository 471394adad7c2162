/** Which imports are allowed: `depcruise` reads this in `npm run check`. */

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-circle',
      comment: 'Files that import each other can only be read, and moved, together: an exercise and its checker are.',
      severity: 'error',
      from: { pathNot: '^chapters/[^/]+/exercises/' },
      to: { circular: true },
    },
    {
      name: 'no-circle-of-rooms',
      comment: 'A folder of src is a capability; two that need each other are one.',
      severity: 'error',
      scope: 'folder',
      from: { path: '/src' },
      to: { circular: true },
    },
    {
      name: 'no-chapter-imports-another',
      comment: 'What two chapters need moves to a package.',
      severity: 'error',
      from: { path: '^chapters/([^/]+)/' },
      to: { path: '^(chapters/[^/]+|bench|book)/', pathNot: '^chapters/$1/' },
    },
    {
      name: 'no-package-imports-a-chapter',
      comment: 'Packages serve the chapters and know none of them.',
      severity: 'error',
      from: { path: '^packages/' },
      to: { path: '^(chapters|bench|book)/' },
    },
    {
      name: 'book-by-exports',
      comment: 'The book runs what a chapter offers in the exports of its package.json.',
      severity: 'error',
      from: { path: '^book/' },
      to: { path: '^(chapters/[^/]+|bench)/', dependencyTypes: ['local'] },
    },
    {
      name: 'examples-then-src',
      comment: 'An example is a program: src knows neither examples nor tests. The book shows them.',
      severity: 'error',
      from: { path: '/src/', pathNot: '^book/' },
      to: {
        path: ['^chapters/[^/]+/(examples|exercises|tests)/', '^packages/[^/]+/tests/', '^bench/(examples|tests)/'],
      },
    },
    {
      name: 'common-by-subpath',
      comment: 'From outside a package is imported by its name and subpath.',
      severity: 'error',
      from: { pathNot: '^packages/([^/]+)/' },
      to: { path: '^packages/[^/]+/', dependencyTypes: ['local'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(node_modules|dist|out|reports)/' },
    parser: 'tsc',
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
}
