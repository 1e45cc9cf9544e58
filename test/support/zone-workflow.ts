import { formatInstant, parseLocal, toInstant } from '../../src/domain/schedule';
import { nextOpening } from '../../src/domain/send-window';

/** What the schedule arithmetic says inside the isolate of a workflow. */
export async function zones(times: [local: string, zone: string][]): Promise<string[]> {
  return times.map(([local, zone]) => {
    const time = parseLocal(local);
    if (!time) throw new Error(local);
    const { atMs, clock } = toInstant(time, zone);
    const opening = nextOpening(atMs, { days: ['mon'], from: '09:00', to: '17:00', zone });
    return `${formatInstant(atMs, zone)} ${clock} ${opening ? formatInstant(opening.opensAtMs, zone) : ''}`;
  });
}
