/**
 * Demo deliveries from a fixed seed: the same contacts every time, reserved domains only. What real deliveries contain: repeats inside a batch and
 * between sources, case and Unicode variants, plus tags, IDN, broken addresses, dead domains, refused and greylisted mailboxes, missing and unknown
 * categories. The domain's first word tells the sandbox's DNS and mail servers how to behave.
 */
const firstNames = ['Jean', 'Marie', 'Zoë', 'Łukasz', 'Amélie', 'Somchai', 'Nguyễn', 'Fatima', 'Björn', 'Chloé', 'Diego', 'Ingrid', 'Noah', 'Yuki', 'Émile', 'Aïcha'];
const lastNames = ['Dupont', 'Martin', "O'Neill", 'Müller', 'García', 'Saetang', 'Nowak', 'Lefèvre', 'Ben Salah', 'Andersson', 'Rossi', 'Tanaka', 'Fournier', 'Diallo'];
const cities = ['bangkok', 'paris', 'lisbonne', 'berlin', 'montréal', 'dakar', 'lyon', 'genève'];
const countries = ['TH', 'FR', 'PT', 'DE', 'CA', 'SN', 'FR', 'CH'];

export const demoSources = [
  { source_id: 'scraper-google-001', source_type: 'scraping', name: 'Scraper-Pro Google', default_mailwizz_instance: 'client-1', frequency: 'daily', categories: ['avocat', 'assureur', 'notaire'], share: 24 },
  { source_id: 'scraper-maps-001', source_type: 'scraping', name: 'Scraper-Pro Maps', default_mailwizz_instance: 'client-1', frequency: 'daily', categories: ['avocat', 'notaire'], share: 18 },
  { source_id: 'scraper-linkedin-001', source_type: 'scraping', name: 'Scraper-Pro LinkedIn', default_mailwizz_instance: 'client-1', frequency: 'daily', categories: ['avocat', 'assureur'], share: 12 },
  { source_id: 'scraper-urls-001', source_type: 'scraping', name: 'Scraper-Pro URLs', default_mailwizz_instance: 'client-1', frequency: 'weekly', categories: ['assureur'], share: 6 },
  { source_id: 'backlink-engine-001', source_type: 'api', name: 'Backlink Engine', default_mailwizz_instance: 'client-1', frequency: 'real time', categories: ['blogueur', 'avocat'], share: 10 },
  { source_id: 'csv-manual-20260216100000', source_type: 'upload', name: 'Import CSV Manual', default_mailwizz_instance: null, frequency: 'ad hoc', categories: ['notaire', 'influenceur', 'plombier'], share: 6 },
  { source_id: 'scraper-instagram-001', source_type: 'scraping', name: 'Scraper Instagram', default_mailwizz_instance: 'client-2', frequency: 'daily', categories: ['influenceur', 'blogueur'], share: 12 },
  { source_id: 'scraper-youtube-001', source_type: 'scraping', name: 'Scraper YouTube', default_mailwizz_instance: 'client-2', frequency: 'daily', categories: ['influenceur'], share: 8 },
  { source_id: 'api-demo-client', source_type: 'api', name: 'Import API', default_mailwizz_instance: null, frequency: 'real time', categories: ['admin_facebook', 'blogueur'], share: 4 },
];

/** Words from which the category rules find a category that the source did not give. */
const hints = { avocat: 'Cabinet d’avocats', assureur: 'Assurances', notaire: 'Étude notariale', blogueur: 'Blog', influenceur: 'YouTubeur', admin_facebook: 'Groupe Facebook' };

/** mulberry32: small, seeded, the same on every machine. */
function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** @returns deliveries `[{ source_id, contacts }]`, `count` contacts in all. */
export function makeDeliveries({ count = 2000, seed = 20260216 } = {}) {
  const random = seeded(seed);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const known = [];
  return demoSources.map((source, index) => {
    const rest = index === demoSources.length - 1;
    const size = rest ? count - demoSources.slice(0, -1).reduce((sum, other) => sum + Math.floor((count * other.share) / 100), 0) : Math.floor((count * source.share) / 100);
    const contacts = Array.from({ length: size }, (_, row) => makeContact(source, row));
    return { source_id: source.source_id, contacts };
  });

  function makeContact(source, row) {
    const city = Math.floor(random() * cities.length);
    const category = pick(source.categories);
    const first = pick(firstNames);
    const last = pick(lastNames);
    const contact = {
      email: makeEmail(source, first, row),
      first_name: first,
      last_name: last,
      company: `${hints[category] ?? 'Maison'} ${last}`,
      phone: `+33 1 ${String(10000000 + Math.floor(random() * 89999999))}`,
      website: `https://${last.toLowerCase().replace(/[^a-z]/g, '')}-${row}.example`,
      country_code: countries[city],
      language: pick(['fr', 'fr', 'en', 'th', 'de']),
      category,
      tags: [category, cities[city], ...(random() < 0.4 ? ['expat'] : [])],
      raw_data: { rank: row, query: `${category} ${cities[city]}`, social: { linkedin: `https://linkedin.example/in/${row}` } },
    };
    const fate = random();
    if (fate < 0.04) delete contact.category; // the rules find it in the company's name
    else if (fate < 0.06) Object.assign(contact, { category: 'plombier' }); // no rule can route it
    else if (fate < 0.07) Object.assign(contact, { category: undefined, company: 'Maison', tags: ['divers'], raw_data: {} }); // nothing to find
    else if (fate < 0.075) Object.assign(contact, { country_code: 'France' }); // a broken field
    return contact;
  }

  function makeEmail(source, first, row) {
    const kind = random();
    if (known.length > 20 && kind < 0.1) return variant(pick(known));
    const local = `${first.normalize('NFKD').replace(/[^a-z]/gi, '').toLowerCase() || 'contact'}.${source.source_id.split('-')[1]}${row}`;
    const number = Math.floor(random() * 120);
    const email = choose(kind, local, number);
    if (kind >= 0.2) known.push(email);
    return email;
  }

  function choose(kind, local, number) {
    if (kind < 0.115) return pick([`${local}@`, `${local}example.test`, `${local}@@site.test`, `${local} x@site.test`, `${local}@-bad-.test`, '', `${'a'.repeat(70)}@site.test`]);
    if (kind < 0.14) return `${local}@nxdomain-${number}.test`;
    if (kind < 0.15) return `${local}@nullmx-${number}.test`;
    if (kind < 0.17) return `nobody-${local}@site-${number}.example`;
    if (kind < 0.18) return `full-${local}@site-${number}.example`;
    if (kind < 0.19) return `policy-${local}@site-${number}.example`;
    if (kind < 0.2) return `${local}@blocked-${number % 5}.test`;
    if (kind < 0.26) return `${local}@greylist-${number % 20}.test`;
    if (kind < 0.29) return `${local}@catchall-${number % 10}.test`;
    if (kind < 0.31) return `${local}@büro-${number}.example`;
    if (kind < 0.33) return `${local}+liste@site-${number}.example`;
    if (kind < 0.35) return `${local[0].toUpperCase()}${local.slice(1)}@SITE-${number}.Example`;
    return `${local}@site-${number}.example`;
  }

  /** The same mailbox as another source or page spells it. */
  function variant(email) {
    const [local, domain] = email.split('@');
    return pick([email, ` ${email} `, `${local.toUpperCase()}@${domain}`, `${local}@${domain.toUpperCase()}`]);
  }
}
