import type { InjectionOutcome, OutgoingContact, Target } from '../../domain/injection';

/** One installation with its secrets in plain; lives in memory only. */
export type InstanceSettings = {
  instanceId: string;
  apiUrl: string;
  apiKey: string;
  mysql?: { host: string; port: number; database: string; user: string; password: string; tablePrefix: string };
  allowPrivateNetwork: boolean;
  lists: { listId: number; listUid: string; fields: string[] }[];
};

export type FoundList = { listId: number; listUid: string; name: string; fields: string[] };

export type MailwizzGateway = {
  /**
   * One outcome per contact, never a throw for what an instance did. API first; MySQL from here only when nothing can have happened.
   * A denial (401, 403) leaves the contacts that were not sent `pending` with reason `refused`, so that what the same page did place is kept and the
   * caller can park the instance; a list that is gone there makes its contacts `rejected` with reason `list_not_found`.
   */
  addSubscribers: (target: Target, contacts: OutgoingContact[], signal?: AbortSignal) => Promise<InjectionOutcome[]>;
  /** Settles what an earlier attempt left open: injected, absent (`pending`), or still `unknown` when nobody can tell. */
  lookUpSubscribers: (target: Target, contacts: OutgoingContact[], signal?: AbortSignal) => Promise<InjectionOutcome[]>;
  /** Lists with number and uid, from MySQL when enabled (the API knows uids only), else those of the API that are already known. */
  readLists: (instanceId: string) => Promise<FoundList[]>;
  close: () => Promise<void>;
};
