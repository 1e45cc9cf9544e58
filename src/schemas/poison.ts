const maxDepth = 20;

/** What no honest payload needs, and what Postgres refuses (NUL, half pairs in jsonb, 20,000 levels) or JSON changes without a word (half pairs in text, 1e400). */
export const poisons = {
  nul_character: 'holds a NUL character',
  not_well_formed: 'holds half of a surrogate pair',
  number_out_of_range: 'is a number too large to be kept',
  forbidden_key: 'is a key that is not allowed',
  too_deep: `is nested deeper than ${maxDepth} levels`,
  too_many_keys: 'holds too many keys',
} as const;
export type Poison = { field: string; reason: keyof typeof poisons };

export function poisonOfText(text: string): 'nul_character' | 'not_well_formed' | undefined {
  if (text.includes('\u0000')) return 'nul_character';
  return text.isWellFormed() ? undefined : 'not_well_formed';
}

/** The first poison in a parsed JSON value; the field is a path to it, short enough for a column. */
export function findPoison(value: unknown, { maxKeys = Infinity }: { maxKeys?: number } = {}): Poison | undefined {
  let keys = 0;
  return look(value, '', 0);

  function look(inner: unknown, path: string, depth: number): Poison | undefined {
    if (typeof inner === 'string') return toPoison(path, poisonOfText(inner));
    if (typeof inner === 'number') return toPoison(path, Number.isFinite(inner) ? undefined : 'number_out_of_range');
    if (typeof inner !== 'object' || inner === null) return undefined;
    if (depth >= maxDepth) return toPoison(path, 'too_deep');
    for (const [key, below] of Object.entries(inner)) {
      keys += 1;
      if (keys > maxKeys) return toPoison(path, 'too_many_keys');
      if (key === '__proto__' || key === 'constructor' || key === 'prototype') return toPoison(`${path}.${key}`, 'forbidden_key');
      const poison = look(key, `${path}.key`, depth + 1) ?? look(below, `${path}.${key}`, depth + 1);
      if (poison) return poison;
    }
    return undefined;
  }
}

/** Cutting may halve a pair, and a path that is stored must not be poison itself. */
const toPoison = (path: string, reason: Poison['reason'] | undefined): Poison | undefined => reason && { field: path.slice(1, 100).toWellFormed(), reason };
