import { z } from 'zod';

/** Numbers that MailWizz writes as text or as numbers, depending on endpoint and age. */
export const count = z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)]).pipe(z.number().int().min(0));
export const id = count;
export const uid = z.string().min(1).max(100);

/** Text that may be missing, null or empty: all three mean that there is none. A date that is an unevaluated SQL expression is none, too. */
export const maybeText = z
  .unknown()
  .optional()
  .transform((value) => (typeof value === 'string' && value !== '' ? value : undefined));
export const maybeNumber = z
  .unknown()
  .optional()
  .transform((value) => count.safeParse(value).data);
/** Rates are numbers, or text with or without a percent sign. */
export const maybeRate = z
  .unknown()
  .optional()
  .transform((value) => {
    const rate = typeof value === 'string' ? Number.parseFloat(value) : value;
    return typeof rate === 'number' && Number.isFinite(rate) ? rate : undefined;
  });
export const yesNo = z
  .unknown()
  .optional()
  .transform((value) => value === 'yes');

const holder = z.looseObject({ data: z.unknown() });
const nested = z.looseObject({ record: z.unknown() });

/** `data.record`, or the record flat in `data`: documents and servers differ. */
export const recordIn = <T>(record: z.ZodType<T>) =>
  holder.transform(({ data }, context): T => {
    const inner = nested.safeParse(data);
    const read = record.safeParse(inner.success && inner.data.record !== undefined ? inner.data.record : data);
    if (read.success) return read.data;
    context.addIssue('no such record');
    return z.NEVER;
  });
