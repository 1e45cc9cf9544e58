/** A sequence of numbers between 0 and 1 that is the same for the same seed. */
export function createRandom(seed: number) {
  let state = seed >>> 0;
  return {
    next: (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 4294967296;
    },
    reseed: (wanted: number) => {
      state = wanted >>> 0;
    },
  };
}
