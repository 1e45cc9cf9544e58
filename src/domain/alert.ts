export const alertKinds = [
  'instance_parked',
  'injection_unknown',
  'mysql_refused',
  'list_differs',
  'campaign_launched',
  'campaign_held',
  'campaign_rate',
  'campaign_finished',
  'batch_failed',
  'source_silent',
  'outbox_old',
  'suppression_spike',
  'suppression_uncarried',
  'events_unreadable',
  'events_unmatched',
  'counts_repaired',
] as const;
export type AlertKind = (typeof alertKinds)[number];

/** `subject` and `message` name ids and counts only: alerts leave the house. */
export type Alert = { kind: AlertKind; subject: string; message: string };
