const yesNo = "enum('yes','no')";
const dates = 'date_added datetime NOT NULL, last_updated datetime NOT NULL';
const ofCampaign = 'FOREIGN KEY (campaign_id) REFERENCES mw_campaign (campaign_id) ON DELETE CASCADE';
const ofSubscriber = 'FOREIGN KEY (subscriber_id) REFERENCES mw_list_subscriber (subscriber_id) ON DELETE CASCADE';
const visitor = 'location_id bigint, ip_address char(45), user_agent varchar(255)';

const deliveryLog = (name: string) =>
  `CREATE TABLE IF NOT EXISTS ${name} (log_id bigint AUTO_INCREMENT PRIMARY KEY, campaign_id int NOT NULL, subscriber_id int NOT NULL, server_id int, message text,
    processed ${yesNo} NOT NULL DEFAULT 'no', retries int NOT NULL DEFAULT 0, max_retries int NOT NULL DEFAULT 3, email_message_id varchar(255), delivery_confirmed ${yesNo} NOT NULL DEFAULT 'yes',
    status char(15) NOT NULL DEFAULT 'success', date_added datetime NOT NULL, KEY campaign_subscriber (campaign_id, subscriber_id), KEY campaign_status (campaign_id, status),
    KEY email_message_id (email_message_id), ${ofCampaign}, ${ofSubscriber})`;

/** Campaigns, what became of them, templates and transactional e-mails: names and columns as MailWizz has them, lists and subscribers first. */
export const campaignTables = [
  `CREATE TABLE IF NOT EXISTS mw_customer_email_template (template_id int AUTO_INCREMENT PRIMARY KEY, template_uid char(13) NOT NULL, customer_id int, name varchar(255) NOT NULL, content longtext NOT NULL,
    screenshot varchar(255), inline_css ${yesNo} NOT NULL DEFAULT 'no', minify ${yesNo} NOT NULL DEFAULT 'no', sort_order int NOT NULL DEFAULT 0, ${dates}, KEY template_uid (template_uid))`,
  `CREATE TABLE IF NOT EXISTS mw_campaign_group (group_id int AUTO_INCREMENT PRIMARY KEY, group_uid char(13) NOT NULL UNIQUE, customer_id int NOT NULL, name varchar(255) NOT NULL, ${dates})`,
  `CREATE TABLE IF NOT EXISTS mw_campaign (campaign_id int AUTO_INCREMENT PRIMARY KEY, campaign_uid char(13) NOT NULL UNIQUE, customer_id int NOT NULL, list_id int NOT NULL, segment_id int, group_id int,
    type char(15) NOT NULL DEFAULT 'regular', name varchar(255) NOT NULL, from_name varchar(100) NOT NULL, from_email varchar(100) NOT NULL, to_name varchar(255) NOT NULL DEFAULT '[EMAIL]',
    reply_to varchar(100) NOT NULL, subject varchar(500) NOT NULL, send_at datetime, started_at datetime, finished_at datetime, delivery_logs_archived ${yesNo} NOT NULL DEFAULT 'no',
    status char(15) NOT NULL DEFAULT 'draft', ${dates}, KEY status_send_at (status, send_at), KEY name (name), FOREIGN KEY (list_id) REFERENCES mw_list (list_id) ON DELETE CASCADE)`,
  `CREATE TABLE IF NOT EXISTS mw_campaign_option (campaign_id int PRIMARY KEY, url_tracking ${yesNo} NOT NULL DEFAULT 'no', json_feed ${yesNo} NOT NULL DEFAULT 'no', xml_feed ${yesNo} NOT NULL DEFAULT 'no',
    embed_images ${yesNo} NOT NULL DEFAULT 'no', plain_text_email ${yesNo} NOT NULL DEFAULT 'yes', autoresponder_event char(20) NOT NULL DEFAULT 'AFTER-SUBSCRIBE',
    autoresponder_time_unit char(6) NOT NULL DEFAULT 'day', autoresponder_time_value int NOT NULL DEFAULT 0, autoresponder_open_campaign_id int, autoresponder_include_imported ${yesNo} NOT NULL DEFAULT 'no',
    email_stats varchar(255), regular_open_unopen_action char(10), regular_open_unopen_campaign_id int, tracking_domain_id int, cronjob varchar(255), cronjob_enabled int NOT NULL DEFAULT 0, ${ofCampaign})`,
  `CREATE TABLE IF NOT EXISTS mw_campaign_template (template_id int AUTO_INCREMENT PRIMARY KEY, campaign_id int NOT NULL, customer_template_id int, content longtext NOT NULL, inline_css ${yesNo} NOT NULL DEFAULT 'no',
    minify ${yesNo} NOT NULL DEFAULT 'no', plain_text longtext, only_plain_text ${yesNo} NOT NULL DEFAULT 'no', auto_plain_text ${yesNo} NOT NULL DEFAULT 'yes', ${ofCampaign})`,
  `CREATE TABLE IF NOT EXISTS mw_campaign_to_delivery_server (campaign_id int NOT NULL, server_id int NOT NULL, PRIMARY KEY (campaign_id, server_id), ${ofCampaign})`,
  deliveryLog('mw_campaign_delivery_log'),
  deliveryLog('mw_campaign_delivery_log_archive'),
  `CREATE TABLE IF NOT EXISTS mw_campaign_bounce_log (log_id bigint AUTO_INCREMENT PRIMARY KEY, campaign_id int NOT NULL, subscriber_id int NOT NULL, message text, bounce_type enum('hard','soft','internal') NOT NULL DEFAULT 'hard',
    processed ${yesNo} NOT NULL DEFAULT 'no', date_added datetime NOT NULL, KEY campaign_subscriber (campaign_id, subscriber_id), KEY processed (processed), ${ofCampaign}, ${ofSubscriber})`,
  `CREATE TABLE IF NOT EXISTS mw_campaign_complain_log (log_id bigint AUTO_INCREMENT PRIMARY KEY, campaign_id int NOT NULL, subscriber_id int NOT NULL, message text, date_added datetime NOT NULL,
    KEY campaign_subscriber (campaign_id, subscriber_id), ${ofCampaign}, ${ofSubscriber})`,
  `CREATE TABLE IF NOT EXISTS mw_campaign_track_open (id bigint AUTO_INCREMENT PRIMARY KEY, campaign_id int NOT NULL, subscriber_id int NOT NULL, ${visitor}, date_added datetime NOT NULL,
    KEY campaign_subscriber (campaign_id, subscriber_id), ${ofCampaign}, ${ofSubscriber})`,
  `CREATE TABLE IF NOT EXISTS mw_campaign_url (url_id bigint AUTO_INCREMENT PRIMARY KEY, campaign_id int NOT NULL, hash char(40) NOT NULL, destination text NOT NULL, date_added datetime NOT NULL,
    UNIQUE KEY campaign_hash (campaign_id, hash), ${ofCampaign})`,
  `CREATE TABLE IF NOT EXISTS mw_campaign_track_url (id bigint AUTO_INCREMENT PRIMARY KEY, url_id bigint NOT NULL, subscriber_id int NOT NULL, ${visitor}, date_added datetime NOT NULL,
    KEY url_subscriber (url_id, subscriber_id), FOREIGN KEY (url_id) REFERENCES mw_campaign_url (url_id) ON DELETE CASCADE, ${ofSubscriber})`,
  `CREATE TABLE IF NOT EXISTS mw_campaign_track_unsubscribe (id bigint AUTO_INCREMENT PRIMARY KEY, campaign_id int NOT NULL, subscriber_id int NOT NULL, ${visitor}, note varchar(255), reason varchar(255),
    date_added datetime NOT NULL, KEY campaign_subscriber (campaign_id, subscriber_id), ${ofCampaign}, ${ofSubscriber})`,
  `CREATE TABLE IF NOT EXISTS mw_transactional_email (email_id bigint AUTO_INCREMENT PRIMARY KEY, email_uid char(13) NOT NULL UNIQUE, customer_id int, to_email varchar(150) NOT NULL, to_name varchar(150) NOT NULL,
    from_email varchar(150) NOT NULL, from_name varchar(150) NOT NULL, reply_to_email varchar(150), reply_to_name varchar(150), subject varchar(255) NOT NULL, body longblob NOT NULL, plain_text longblob,
    priority int NOT NULL DEFAULT 5, retries int NOT NULL DEFAULT 0, max_retries int NOT NULL DEFAULT 3, send_at datetime NOT NULL, fallback_system_servers ${yesNo} NOT NULL DEFAULT 'no',
    status char(15) NOT NULL DEFAULT 'unsent', ${dates}, KEY status_send_at (status, send_at))`,
  `CREATE TABLE IF NOT EXISTS mw_transactional_email_attachment (attachment_id bigint AUTO_INCREMENT PRIMARY KEY, email_id bigint NOT NULL, type varchar(50) NOT NULL, name varchar(255) NOT NULL, data longblob NOT NULL,
    FOREIGN KEY (email_id) REFERENCES mw_transactional_email (email_id) ON DELETE CASCADE)`,
  // MailWizz has no such tables: readers' reactions that are still to come, and webhooks on their way. They are stored so that a kill loses none.
  `CREATE TABLE IF NOT EXISTS sandbox_reaction (reaction_id bigint AUTO_INCREMENT PRIMARY KEY, campaign_id int NOT NULL, subscriber_id int NOT NULL, kind char(15) NOT NULL, url_id bigint, detail varchar(255),
    ip_address char(45), user_agent varchar(255), due_at datetime NOT NULL, KEY due_at (due_at), ${ofCampaign}, ${ofSubscriber})`,
  `CREATE TABLE IF NOT EXISTS sandbox_webhook (webhook_id int AUTO_INCREMENT PRIMARY KEY, campaign_id int, style enum('native','engine') NOT NULL, url text NOT NULL, events varchar(255) NOT NULL, headers text NOT NULL,
    copies_min int NOT NULL, copies_max int NOT NULL, shuffle ${yesNo} NOT NULL, delay_seconds int NOT NULL, seed varchar(50) NOT NULL, ${ofCampaign})`,
  `CREATE TABLE IF NOT EXISTS sandbox_webhook_queue (queue_id bigint AUTO_INCREMENT PRIMARY KEY, webhook_id int NOT NULL, campaign_id int NOT NULL, subscriber_id int NOT NULL, kind char(15) NOT NULL, url text,
    detail varchar(255), ip_address char(45), user_agent varchar(255), happened_at datetime NOT NULL, attempts int NOT NULL DEFAULT 0, next_at datetime NOT NULL, place bigint NOT NULL DEFAULT 0,
    status char(10) NOT NULL DEFAULT 'waiting', last_answer varchar(100), KEY waiting (status, next_at, place), FOREIGN KEY (webhook_id) REFERENCES sandbox_webhook (webhook_id) ON DELETE CASCADE, ${ofCampaign}, ${ofSubscriber})`,
];
