import { z } from 'zod';

const flag = (otherwise: boolean) => z.boolean().default(otherwise);
const code = (...codes: [number, ...number[]]) => z.literal(codes).default(codes[0]);

/** What is not documented about subscribers and segments. */
export const subscriberSwitches = {
  bulk_code: code(200, 201).describe('code of a bulk answer'),
  bulk_max_rows: z.int().min(0).max(1_000_000).default(10_000).describe('largest bulk call; 0: none'),
  bulk_existing: z.enum(['error', 'update']).default('error').describe('an address that exists, in a bulk call: error entry, or its fields are updated'),
  bulk_order: z.enum(['request', 'reversed', 'shuffled']).default('request').describe('order of the records of a bulk answer'),
  silent_reuse: flag(false).describe('create for an unsubscribed or moved subscriber takes the old row instead of 409'),
  mutex: flag(true).describe('one create at a time per address; off: concurrent creates of one address store it several times'),
  exists_code: code(409, 400, 422).describe('code when the address is in the list already'),
  blacklisted_code: code(409, 400, 422).describe('code when the address is blacklisted'),
  texts: z.enum(['en', 'tr', 'de']).default('en').describe('language of "already exists" and "blacklisted"'),
  created_date: z.enum(['object', 'empty_object', 'string']).default('object').describe('date_added of a create answer: {expression, params: []}, {expression, params: {}} or text'),
  search_lower_case: flag(false).describe('search-by-email takes `email` too'),
  custom_search_answer: z.enum(['page', 'flat']).default('page').describe('search-by-custom-fields answers a collection, or the first subscriber flat'),
  confirmed_sends_mail: flag(false).describe('details[status]=confirmed on a double opt-in list still sends the confirmation mail'),
  long_value: z.enum(['error', 'cut']).default('error').describe('a value over 255 characters: error on that field, or cut as non-strict MySQL does'),
  lower_case_email: flag(false).describe('addresses are stored in lower case'),
  subscriber_order: z.enum(['newest', 'oldest']).default('newest').describe('order of lists of subscribers'),
  update_needs_email: flag(false).describe('PUT of a subscriber is refused without EMAIL'),
  status_on_update: flag(true).describe('details[status] of an update is heeded'),
  max_subscribers: z.int().min(0).max(100_000_000).default(0).describe('subscribers the customer may have; 0: no quota'),
  max_subscribers_per_list: z.int().min(0).max(100_000_000).default(0).describe('subscribers a list may have; 0: no quota'),
  customer_creation: flag(true).describe('POST /customers is allowed'),
  company_required: flag(false).describe('POST /customers is refused without a company'),
  segment_uid_at_top: flag(false).describe('creating a segment answers segment_uid at top level instead of data.record'),
  segment_numbers: flag(false).describe('greater and less compare as numbers; off: as text'),
};
