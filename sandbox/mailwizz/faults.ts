export const faultKinds = [
  'down', 'hang', 'cut_after_commit', 'cut_before', 'http_500', 'http_502', 'http_503', 'http_429', 'html_200', 'empty_500', 'empty_list', 'unauthorized', 'redirect', 'mutex', 'partial_bulk',
] as const;
export type FaultKind = (typeof faultKinds)[number];
export type Fault = { route: string; fault: FaultKind; count?: number | undefined; probability?: number | undefined; after?: number | undefined };

/** Faults switched on from outside: per route or `*`, a number of times or with a probability, from the n-th stored subscriber on. */
export function createFaults(seed = 1) {
  let active: (Fault & { left: number })[] = [];
  let stored = 0;
  let state = seed >>> 0;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
  return {
    add: (fault: Fault) => active.push({ ...fault, left: fault.count ?? Number.POSITIVE_INFINITY, ...(fault.after !== undefined && { after: fault.after + stored }) }),
    clear: () => {
      active = [];
    },
    list: () => active.map(({ left, ...fault }) => ({ ...fault, ...(Number.isFinite(left) && { left }) })),
    noteStored: (count: number) => {
      stored += count;
    },
    /** The fault that hits this call; taking it uses one up. */
    take(route: string): FaultKind | undefined {
      const hit = active.find((fault) => fault.fault !== 'down' && fault.left > 0 && (fault.route === '*' || fault.route === route) && stored >= (fault.after ?? 0) && random() < (fault.probability ?? 1));
      if (hit) hit.left -= 1;
      return hit?.fault;
    },
    isDown: () => active.some((fault) => fault.fault === 'down' && stored >= (fault.after ?? 0)),
  };
}
export type Faults = ReturnType<typeof createFaults>;
