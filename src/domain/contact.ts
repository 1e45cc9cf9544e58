export const contactStatuses = ['pending', 'validating', 'validated', 'invalid', 'injected', 'bounced', 'unsubscribed', 'blacklisted'] as const;
export type ContactStatus = (typeof contactStatuses)[number];

/** Statuses that stand for a lasting order not to mail. */
export const suppressedStatuses = ['bounced', 'unsubscribed', 'blacklisted'] as const satisfies readonly ContactStatus[];

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
export type ContactEventType = (typeof contactEventTypes)[number];

export const sourceTypes = ['scraping', 'api', 'upload', 'manual'] as const;
export type SourceType = (typeof sourceTypes)[number];

export const campaignStatuses = ['draft', 'scheduled', 'running', 'paused', 'completed', 'cancelled'] as const;
export type CampaignStatus = (typeof campaignStatuses)[number];

export const suppressionReasons = ['unsubscribed', 'bounced', 'spam_report', 'blacklisted', 'manual'] as const;
export type SuppressionReason = (typeof suppressionReasons)[number];
