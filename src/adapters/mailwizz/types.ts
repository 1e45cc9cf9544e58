import type { InjectionOutcome, OutgoingContact, Target } from '../../domain/injection';
import type { Calls } from './calls';
import type { DoorState } from './door';

export type MysqlSettings = {
  host: string;
  port: number;
  database: string;
  user: string;
  password: string;
  tablePrefix: string;
  /** Demands TLS with a certificate that proves the host. Without it the connection is encrypted where the server can, and not proven. */
  tls?: boolean;
};

/** One installation with its secrets in plain; lives in memory only. */
export type InstanceSettings = {
  instanceId: string;
  apiUrl: string;
  apiKey: string;
  mysql?: MysqlSettings;
  allowPrivateNetwork: boolean;
  lists: { listId: number; listUid: string; fields: string[] }[];
  /** Until when the instance asked to be left alone, as noted by any worker. */
  restUntilMs?: number | undefined;
  /** It denied us and no operator has lifted that yet: it is not asked at all. */
  parked?: boolean | undefined;
};

export type FoundList = { listId: number; listUid: string; name: string; fields: string[] };
/** A list as the API shows it; the number only MySQL or our own map knows. */
export type SurveyedList = { listUid: string; listId: number | undefined; name: string; fields: string[]; subscribers: number | undefined };

export type StandingSubscriber = { email: string; uid: string; status: string };
/** An address, and the uids under which it was last known. */
export type Sought = { email: string; uids: string[] };
/** `cursor` goes into the next call; undefined at the end. It holds no personal data. `unreadable`: rows whose shape we do not know. */
export type SubscriberPage = { subscribers: StandingSubscriber[]; unreadable: number; cursor: string | undefined };

export type MailwizzGateway = {
  /**
   * One outcome per contact, never a throw for what an instance did. API first; MySQL from here only when nothing can have happened.
   * A denial (401, 403) leaves the contacts that were not sent `pending` with reason `refused`, so that what the same page did place is kept and the
   * caller can park the instance; a list that is gone there makes its contacts `rejected` with reason `list_not_found`.
   */
  addSubscribers: (target: Target, contacts: OutgoingContact[], signal?: AbortSignal) => Promise<InjectionOutcome[]>;
  /** Settles what an earlier attempt left open: how it stands there, absent (`pending`), or still `unknown` when nobody can tell. */
  lookUpSubscribers: (target: Target, contacts: OutgoingContact[], signal?: AbortSignal) => Promise<InjectionOutcome[]>;
  /** Lists with number and uid: from MySQL when enabled, else those of the API whose number is already known. */
  readLists: (instanceId: string) => Promise<FoundList[]>;
  /** All lists with their fields and sizes, whatever way they can be read. Throws `unavailable`, `refused` or `rateLimited`. */
  surveyLists: (instanceId: string) => Promise<SurveyedList[]>;
  /** One page of a list, for comparing. From MySQL when it is there, else from the API, whose pages shift while rows come and go. */
  readSubscribers: (target: Target, cursor: string | undefined, limit: number) => Promise<SubscriberPage>;
  /** The rows that a list holds of these addresses right now: for what pages that shift left open. Throws when nobody can tell. */
  findSubscribers: (target: Target, sought: Sought[]) => Promise<StandingSubscriber[]>;
  /** Every call of MailWizz that the hub needs, through the door of the instance. */
  callsOf: (instanceId: string) => Promise<Calls>;
  /** How the API of the instance is met at the moment, for gauges. */
  stateOf: (instanceId: string) => Promise<DoorState>;
  close: () => Promise<void>;
};
