/** So many names are remembered; when there are more, all begin anew. */
const namesAtMost = 50_000;

/** Allows `perSecond` calls per name over time and `burst` at once. */
export function createRateLimit({ perSecond, burst, now = Date.now }: { perSecond: number; burst: number; now?: () => number }) {
  const buckets = new Map<string, { left: number; at: number }>();

  return {
    /** True when the name has calls left; takes one. */
    take(name: string): boolean {
      const bucket = refill(name);
      if (bucket.left < 1) return false;
      bucket.left -= 1;
      return true;
    },
  };

  function refill(name: string) {
    const at = now();
    const known = buckets.get(name);
    const bucket = known ?? { left: burst, at };
    bucket.left = Math.min(burst, bucket.left + ((at - bucket.at) / 1_000) * perSecond);
    bucket.at = at;
    if (!known) {
      if (buckets.size >= namesAtMost) buckets.clear();
      buckets.set(name, bucket);
    }
    return bucket;
  }
}
