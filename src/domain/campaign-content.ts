import type { VariantKey } from './ab-test';
import { type BucketCount, cutSamples, type Leg, limitRange, planLegs, tallyBuckets } from './audience';
import type { HoldReason } from './campaign';

type Sender = { fromName: string | null; fromEmail: string | null };
type Said = Sender & { subjectLine: string | null; replyTo: string | null };

export type MailHead = { subject: string | null; fromName: string | null; fromEmail: string | null; replyTo: string | null };

/** Who says what: the variant, then the campaign, then the template's subject and the instance's sender (specification 12.3, 43). */
export function toMailHead(said: { campaign: Said; variant: { subjectLine: string | null; fromName: string | null } | undefined; template: { subjectLine: string } | undefined; instance: Sender }): MailHead {
  const { campaign, variant, template, instance } = said;
  const fromEmail = campaign.fromEmail ?? instance.fromEmail;
  return {
    subject: variant?.subjectLine ?? campaign.subjectLine ?? template?.subjectLine ?? null,
    fromName: variant?.fromName ?? campaign.fromName ?? instance.fromName,
    fromEmail,
    replyTo: campaign.replyTo ?? fromEmail,
  };
}

export type CutOrder = { maxContacts: number | null; countries: readonly string[]; test: { variants: readonly { key: VariantKey; share: number }[]; samplePercent: number } | null };

/** The first legs of a campaign: the whole audience, or the samples of its test. None when the audience is too small for them. */
export function cutFirstLegs(counts: readonly BucketCount[], { maxContacts, countries, test }: CutOrder): Leg[] {
  const tally = tallyBuckets(counts);
  const slice = limitRange(tally, maxContacts);
  if (!slice) return [];
  if (!test) return planLegs(counts, [{ variant: 'a', part: 'whole', range: slice.range }], countries);
  const cut = cutSamples(tally, slice.range, test);
  return cut ? planLegs(counts, cut.samples.map(({ variant, range }) => ({ variant, part: 'sample', range })), countries) : [];
}

export const holdFor = (code: HoldReason['code'], message: string): HoldReason => ({ code, message });
