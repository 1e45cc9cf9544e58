import { z } from 'zod';
import { campaignSwitches } from './switches/campaigns';
import { subscriberSwitches } from './switches/subscribers';
import { transportSwitches } from './switches/transport';

const switchesSchema = z.strictObject({ ...transportSwitches, ...subscriberSwitches, ...campaignSwitches });

/** One value per question that is open about the real MailWizz; handlers read them anew with every call. */
export type Switches = z.infer<typeof switchesSchema>;
export const defaultSwitches = (): Switches => switchesSchema.parse({});

/** Takes some of the switches; what is unknown or out of range changes nothing and is named. */
export function setSwitches(switches: Switches, wanted: unknown): { problems: string[] } {
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted)) return { problems: ['the body is an object of switches'] };
  const parsed = switchesSchema.safeParse({ ...switches, ...wanted });
  if (!parsed.success) return { problems: parsed.error.issues.map((issue) => [issue.path.join('.'), issue.message].filter((part) => part !== '').join(': ')) };
  Object.assign(switches, parsed.data);
  return { problems: [] };
}

/** All of them as they were at the start. */
export const resetSwitches = (switches: Switches): Switches => Object.assign(switches, defaultSwitches());

/** Every switch with its meaning, for people. */
export const describeSwitches = () => Object.fromEntries(Object.entries(switchesSchema.shape).map(([name, entry]) => [name, entry.description ?? '']));
