/** What a reason code means to the person who set the instance up. */
const known: Record<string, string> = {
  // The network
  econnrefused: 'Nothing listens at this host and port.',
  enotfound: 'The host name does not exist.',
  eai_again: 'The name server did not answer for this host.',
  ednstimeout: 'The name server did not answer in time.',
  etimedout: 'The host did not answer in time: a firewall may drop our connections.',
  und_err_connect_timeout: 'The host did not answer in time: a firewall may drop our connections.',
  ehostunreach: 'There is no route to this host.',
  enetunreach: 'There is no route to this host.',
  private_network: 'The host lies in a private network. Allow that for this instance if it is meant.',
  cert_has_expired: 'The certificate of the host has expired.',
  depth_zero_self_signed_cert: 'The certificate of the host is signed by itself.',
  self_signed_cert_in_chain: 'The certificate of the host is signed by an authority that is not known here.',
  unable_to_verify_leaf_signature: 'The certificate of the host lacks its chain.',
  err_tls_cert_altname_invalid: 'The certificate belongs to another host name.',
  timeout: 'The answer took too long.',
  cut: 'The connection was cut before the answer was complete.',
  // The answer
  empty_answer: 'The answer is empty.',
  html_answer: 'A web page came instead of an answer of the API: is this the address of the API (…/api or …/api/index.php)?',
  foreign_json: 'The answer is JSON, but not of MailWizz.',
  foreign_text: 'The answer is not of MailWizz.',
  foreign_shape: 'MailWizz answers in a shape that is not known here.',
  cut_json: 'The answer ends in the middle.',
  text_before_json: 'Text stands before the answer, most likely a PHP warning: switch display_errors off.',
  foreign_404: 'The web server knows nothing at this address: is it the address of the API (…/api or …/api/index.php)?',
  foreign_403: 'The web server or a firewall before MailWizz forbids the call.',
  rate_limited: 'MailWizz, or a firewall before it, asks us to slow down.',
  // The key
  key_invalid: 'MailWizz does not know this API key.',
  key_not_read: 'MailWizz sees no API key: a version 1 installation, or a proxy that drops the header X-API-KEY.',
  signature_wanted: 'MailWizz wants signed requests: a version 1 installation. Version 2 or later is needed.',
  ip_not_allowed: 'The API key does not allow our IP address.',
  account_not_allowed: 'The account of this key may not use the API.',
  no_permission: 'The API key lacks the permission for this.',
  http_401: 'The key is refused.',
  http_403: 'The key is refused.',
  // MySQL
  er_access_denied_error: 'MySQL refuses this user or password.',
  er_dbaccess_denied_error: 'The MySQL user may not use this database.',
  er_bad_db_error: 'There is no such database.',
  er_con_count_error: 'MySQL has no connection left.',
  er_host_is_blocked: 'MySQL has blocked our host after failed connections.',
  er_host_not_privileged: 'MySQL does not let our host in.',
  er_option_prevents_statement: 'The MySQL server is read-only.',
  er_cant_execute_in_read_only_transaction: 'The MySQL server is read-only.',
  protocol_connection_lost: 'MySQL closed the connection.',
  tls_needs_a_host_name: 'A certificate proves a host name: enter the name of the MySQL host, not its address.',
  statement_too_slow: 'MySQL did not answer in time.',
  schema_prefix_not_a_word: 'The table prefix may hold letters, digits and underscores only.',
  schema_engine_not_innodb: 'The subscriber tables do not use InnoDB, so a failure halfway could not be undone.',
  schema_length_list_subscriber_subscriber_uid: 'The column of subscriber uids is too short.',
  schema_values_list_subscriber_source: 'The column "source" of subscribers does not take "api".',
};

const patterns: [RegExp, (...parts: string[]) => string][] = [
  [
    /^schema_no_table_(.+)$/,
    (table) => `There is no table "${table}" with this prefix: is the prefix right, and is this the MailWizz database?`,
  ],
  [
    /^schema_no_column_(list_subscriber|list_field_value|list_field|email_blacklist|list)_(.+)$/,
    (table, column) => `The table "${table}" has no column "${column}".`,
  ],
  [
    /^schema_new_column_(list_subscriber|list_field_value)_(.+)$/,
    (table, column) => `The table "${table}" demands a value for a column that is not known here: "${column}".`,
  ],
  [
    /^schema_values_split_(.+)$/,
    (table) => `Field values seem to be spread over several tables ("${table}"): this layout is not known here.`,
  ],
  [/^right_missing_lock_(.+)$/, (table) => `The MySQL user may not lock rows of "${table}" (SELECT … FOR UPDATE): grant UPDATE on it.`],
  [/^right_missing_(insert|update)_(.+)$/, (right, table) => `The MySQL user lacks the right to ${right} on "${table}".`],
  [/^http_3\d\d$/, () => 'The address redirects elsewhere, which is not followed: enter the final address, with https where it is used.'],
  [/^http_5\d\d$/, () => 'The server answers with an error of its own.'],
];

export function toWords(code: string): string {
  const words = known[code];
  if (words !== undefined) return words;
  for (const [pattern, say] of patterns) {
    const found = pattern.exec(code);
    if (found) return say(...found.slice(1));
  }
  return `It failed (${code}).`;
}
