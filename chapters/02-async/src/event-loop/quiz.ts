/** The answers to the quiz in `examples/event-loop.ts`: its callbacks in the order in which they run, and why. */
export const predicted = Object.entries({
  'async function, up to await': 'it is called like any function, and runs at once',
  'end of the callback': 'nothing interrupts a running function',
  nextTick: 'before everything else, when the callback has ended',
  'nextTick of a nextTick': 'this queue is emptied first, including what has just been added',
  'promise.then': 'then the microtasks, in the order in which they became ready',
  queueMicrotask: 'the same queue as promises',
  'code after await': 'the same queue again: await has put it behind the other two',
  'nextTick of a microtask': 'after the microtasks, the ticks are looked at again',
  setImmediate: 'the loop moves on from reading (poll) to its next phase, check',
  'microtask of setImmediate': 'ticks and microtasks come after every single callback',
  'second setImmediate': 'still in check',
  'setTimeout 0': 'timers that are due come after check; 0 means 1 ms',
  'setImmediate of setImmediate': 'in the next turn of the loop, not in this one',
}).map(([name, why]) => ({ name, why }))
