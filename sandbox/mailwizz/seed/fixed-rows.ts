/** The 20 field types. Text is not the first one: its id differs between installs, so nobody may rely on it. */
export const fieldTypes: [identifier: string, name: string, description: string][] = [
  ['dropdown', 'Dropdown', 'Dropdown'],
  ['text', 'Text', 'Text'],
  ['multiselect', 'Multiselect', 'Multiselect'],
  ['date', 'Date', 'Date'],
  ['datetime', 'Datetime', 'Datetime'],
  ['textarea', 'Textarea', 'Textarea'],
  ['country', 'Country', 'Country'],
  ['state', 'State', 'State'],
  ['checkboxlist', 'Checkbox List', 'Checkbox List'],
  ['radiolist', 'Radio List', 'Radio List'],
  ['geocountry', 'Geo Country', 'Geo Country'],
  ['geostate', 'Geo State', 'Geo State'],
  ['geocity', 'Geo City', 'Geo City'],
  ['checkbox', 'Checkbox', 'Checkbox'],
  ['consentcheckbox', 'Consent Checkbox', 'Consent Checkbox'],
  ['yearsrange', 'Years Range', 'Years Range'],
  ['phonenumber', 'Phone Number', 'Phone Number'],
  ['email', 'Email', 'Email'],
  ['url', 'Url', 'Url'],
  ['rating', 'Rating', 'Rating'],
];

/** In the order of their ids, 1 to 10. */
export const segmentOperators: [slug: string, name: string][] = [
  ['is', 'is'],
  ['is-not', 'is not'],
  ['contains', 'contains'],
  ['not-contains', 'not contains'],
  ['starts', 'starts with'],
  ['ends', 'ends with'],
  ['greater', 'is greater than'],
  ['less', 'is less than'],
  ['not-starts', 'not starts with'],
  ['not-ends', 'not ends with'],
];

export const pageTypes: [slug: string, name: string][] = [
  ['subscribe-form', 'Subscribe form'],
  ['subscribe-pending', 'Pending subscribe'],
  ['subscribe-confirm', 'Subscription confirmed'],
  ['update-profile', 'Update profile'],
  ['unsubscribe-form', 'Unsubscribe form'],
  ['unsubscribe-confirm', 'Unsubscribe confirmation'],
  ['subscribe-confirm-approval', 'Subscription confirmed approval'],
];

export const deliveryServers: [type: string, name: string, hostname: string][] = [
  ['smtp-pmta', 'PowerMTA', 'pmta.sandbox.test'],
  ['smtp', 'Relay', 'relay.sandbox.test'],
];
