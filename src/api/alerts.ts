import type { Db } from '../../db/client';
import { acknowledgeAlert, listAlerts, type StoredAlert } from '../../db/queries/alerts';
import { recordAudit } from '../../db/queries/audit';
import { EngineError } from '../domain/errors';
import { anyAnswer, listAnswer } from '../schemas/answers';
import { alertFilter } from '../schemas/requests';
import { actorOf } from './auth';
import { numberParam, pageAnswer, serve } from './operations';

const tag = 'alerts';

export const createAlertRoutes = ({ db }: { db: Db }) => [
  serve(
    {
      method: 'get', path: '/alerts', tag, who: 'operator', summary: 'List alerts, newest first', query: alertFilter,
      description: 'One open alert per kind and subject: what happens again is counted. It is resolved by itself when its cause is gone; `state=all` shows those too.',
      answer: { status: 200, text: 'A page of alerts', schema: listAnswer },
    },
    async (req, res) => {
      const filter = alertFilter.parse(req.query);
      const { items, total } = await listAlerts(db, { openOnly: filter.state === 'open', kind: filter.kind, page: filter.page, limit: filter.limit });
      res.json(pageAnswer(items.map(toAlert), total, filter));
    },
  ),

  serve({ method: 'post', path: '/alerts/{alert_id}/acknowledge', tag, who: 'operator', summary: 'Say that somebody looks after it', answer: { status: 200, text: 'The alert', schema: anyAnswer }, errors: [404] }, async (req, res, caller) => {
    const id = numberParam(req, 'alert_id');
    const alert = await db.transaction(async (tx) => {
      const found = await acknowledgeAlert(tx, { id, by: actorOf(caller) });
      if (!found) throw new EngineError('notFound', 'no alert', { publicMessage: `There is no alert ${id}.` });
      await recordAudit(tx, { actor: actorOf(caller), action: 'alert.acknowledged', entity: `alert:${id}` });
      return found;
    });
    res.json(toAlert(alert));
  }),
];

const toAlert = (alert: StoredAlert) => ({
  id: alert.id,
  kind: alert.kind,
  subject: alert.subject,
  message: alert.message,
  count: alert.count,
  first_at: alert.firstAt,
  last_at: alert.lastAt,
  acknowledged_at: alert.acknowledgedAt,
  acknowledged_by: alert.acknowledgedBy,
  resolved_at: alert.resolvedAt,
});
