import type { Db } from '../../db/client';
import type { MailwizzCampaigns } from '../adapters/mailwizz/campaigning';
import type { MailwizzGateway } from '../adapters/mailwizz/types';
import type { Waits } from '../domain/waiting';
import type { Verdict } from '../domain/verdict';

/** All that activities reach: by type, so that tests and the composition root decide what stands behind it. */
export type Deps = {
  db: Db;
  verifier: {
    verifyAddresses: (
      addresses: { id: number; email: string; domain: string }[],
      signal?: AbortSignal,
    ) => Promise<{ id: number; verdict: Verdict }[]>;
  };
  mailwizz: Pick<MailwizzGateway, 'addSubscribers' | 'lookUpSubscribers' | 'readLists' | 'readSubscribers' | 'findSubscribers'>;
  campaigns: MailwizzCampaigns;
  settings: { depth: 'syntax' | 'dns' | 'smtp'; waits: Waits; injectionWaitsMs: number[]; dueBucketMs: number; campaignLookMs: number };
  now: () => Date;
  log: { info: (facts: object, message: string) => void; warn: (facts: object, message: string) => void };
};
