/** The small task of the ladder. It takes next to no time: what is measured is what handing it over costs. */
export const add = (a: number, b: number): number => a + b

/** A task as the arguments of `add`. */
export type Task = [a: number, b: number]
