export const contactStatuses = ['pending', 'validating', 'validated', 'invalid', 'injected', 'bounced', 'unsubscribed', 'blacklisted'] as const;
export type ContactStatus = (typeof contactStatuses)[number];

export const contactEventTypes = [
  'ingested',
  'validated',
  'invalid',
  'injected',
  'sent',
  'delivered',
  'bounced',
  'opened',
  'clicked',
  'unsubscribed',
  'spam_report',
  'blacklisted',
] as const;

export const sourceTypes = ['scraping', 'api', 'upload', 'manual'] as const;

export const suppressionReasons = ['unsubscribed', 'bounced', 'spam_report', 'blacklisted', 'manual'] as const;
