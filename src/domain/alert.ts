export const alertKinds = ['instance_parked', 'injection_unknown', 'mysql_refused', 'list_differs'] as const;
export type AlertKind = (typeof alertKinds)[number];

/** `subject` and `message` name ids and counts only: alerts leave the house. */
export type Alert = { kind: AlertKind; subject: string; message: string };
