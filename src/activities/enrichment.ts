import { findContactsToEnrich, findOpenContacts, recordEnrichment, type ToEnrich } from '../../db/queries/pages';
import { listCategoryRules } from '../../db/queries/rules';
import type { PageRange } from '../domain/batch';
import { enrichContact } from '../domain/enrichment';
import { isVerdictState } from '../domain/verdict';
import type { Deps } from './deps';

export const createEnrichmentActivities = ({ db, now }: Deps) => ({
  /** Finds the category where it is missing, and the score. Safe to repeat: the same facts and rules give the same answer. */
  async enrichPage(range: PageRange): Promise<void> {
    const rules = await listCategoryRules(db);
    for (let left = await findOpenContacts(db, { ...range, now: now() }); left.length > 0; ) {
      const contacts = await findContactsToEnrich(db, left);
      await recordEnrichment(
        db,
        contacts.map((contact) => {
          const { category, categoryRule, score } = enrichContact(toInput(contact), rules);
          return { contact_id: contact.id, category, category_rule: categoryRule, score };
        }),
      );
      const throughId = contacts.at(-1)?.id ?? Infinity;
      left = left.filter((id) => id > throughId);
    }
  },
});

export const toInput = (contact: ToEnrich) => ({
  category: contact.category,
  tags: contact.tags,
  company: contact.company,
  website: contact.website,
  firstName: contact.first_name,
  lastName: contact.last_name,
  phone: contact.phone,
  countryCode: contact.country_code,
  language: contact.language,
  rawText: contact.raw_data === null ? '' : JSON.stringify(contact.raw_data),
  verdict: isVerdictState(contact.verdict) ? contact.verdict : ('unknown' as const),
});
