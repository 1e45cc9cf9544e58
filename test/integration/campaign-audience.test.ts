import { createHash } from 'node:crypto';
import { countBuckets, freezeAudience, resolveAudience } from '../../db/queries/campaign-audience';
import { countCampaign } from '../../db/queries/campaign-legs';
import { getCampaign } from '../../db/queries/campaigns';
import { legMarker } from '../../src/domain/audience';
import { cutFirstLegs } from '../../src/domain/campaign-content';
import { toBucket } from '../../src/domain/injection';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { rowsOf } from '../support/rows';

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.drop());

test('an audience is frozen as it was counted, by the buckets that MailWizz has been given', async () => {
  const rows = rowsOf(database);
  const { query } = rows;
  await rows.base();
  const emails = Array.from({ length: 300 }, (_, index) => `c${index}@x.example`);
  const hashes = emails.map((email) => createHash('sha256').update(email).digest('hex'));
  await query(`insert into contacts (email, email_hash, status, category) select e, h, 'injected', 'avocat' from unnest($1::text[], $2::text[]) x(e, h)`, [emails, hashes]);
  await query(`insert into injections (contact_id, instance_id, list_id, state, subscriber_uid) select id, 'client-1', 12, 'injected', 'u' || id from contacts`);
  await query(`insert into suppressions (email_hash, reason, origin) values ($1, 'unsubscribed', 'test')`, [hashes[0]]);
  const [made] = await query<{ id: number }>(`insert into campaigns (name, mailwizz_instance, mailwizz_list_id, target_category) values ('c', 'client-1', 12, 'AVOCAT') returning id`);
  const campaign = await getCampaign(database.db, made!.id);

  const counts = await countBuckets(database.db, await resolveAudience(database.db, campaign));
  expect(counts.map(({ bucket }) => bucket).toSorted((a, b) => a - b)).toEqual([...new Set(hashes.slice(1).map((hash) => Number(toBucket(hash))))].toSorted((a, b) => a - b));

  const freeze = () => freezeAudience(database.db, { campaign, cut: (found) => cutFirstLegs(found, { maxContacts: null, countries: [], test: null }), toMarker: (leg) => legMarker(campaign.id, leg), now: new Date() });
  expect([await freeze(), await freeze()]).toEqual([299, 299]);
  expect(await countCampaign(database.db, campaign.id)).toEqual({ audience: 299, sent: 0, skipped: 0, failed: 0, pending: 299 });
});
