/** A category rule as data: whole words or phrases, in order of position; the first hit wins. */
export type CategoryRule = { id: number; position: number; category: string; words: string[]; unless: string[] };

export type EnrichmentInput = {
  category: string | null;
  tags: string[];
  company: string | null;
  website: string | null;
  firstName: string | null;
  lastName: string | null;
  phone: string | null;
  countryCode: string | null;
  language: string | null;
  rawText: string;
  verdict: 'valid' | 'risky' | 'invalid' | 'unknown';
};

export type Enrichment = { category: string | null; categoryRule: string | null; score: number };

/** Spaces, marks and case folded away: "Avocat·e à Paris" becomes " avocat e a paris ". For matching only. */
export const toWords = (text: string) =>
  ` ${text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()} `;

/** Keyword rules decide only when the category is missing; no hit leaves it open, never a guess (specification 12.2, 25). */
export function enrichContact(contact: EnrichmentInput, rules: CategoryRule[]): Enrichment {
  if (contact.category !== null) return { category: contact.category, categoryRule: null, score: scoreContact(contact) };
  const text = toWords([contact.tags.join(' '), contact.company ?? '', contact.website ?? '', contact.rawText].join(' '));
  const hit = rules.find((rule) => rule.words.some((word) => text.includes(` ${word} `)) && !rule.unless.some((word) => text.includes(` ${word} `)));
  const category = hit?.category ?? null;
  return { category, categoryRule: hit ? `category:${hit.id}` : null, score: scoreContact({ ...contact, category }) };
}

// verification.md 15: factor(deliverability) x (0.6 x fit + 0.4 x completeness); the factors are ours to set.
const deliverability = { valid: 1, unknown: 0.8, risky: 0.5, invalid: 0 } as const;

function scoreContact(contact: EnrichmentInput): number {
  const fit = share([contact.category, contact.company, contact.countryCode, contact.language]);
  const completeness = share([contact.firstName, contact.lastName, contact.company, contact.phone, contact.website]);
  return Math.round(100 * deliverability[contact.verdict] * (0.6 * fit + 0.4 * completeness));
}

const share = (values: (string | null)[]) => values.filter((value) => value !== null && value !== '').length / values.length;
