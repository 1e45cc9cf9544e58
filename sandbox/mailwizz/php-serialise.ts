/** PHP's serialize() of an array of texts: `a:1:{s:3:"key";s:5:"value";}`. */
export function phpSerialise(map: ReadonlyMap<string, string>): string {
  const text = (value: string) => `s:${Buffer.byteLength(value)}:"${value}";`;
  return `a:${map.size}:{${[...map].map(([key, value]) => text(key) + text(value)).join('')}}`;
}
