const yesNo = "enum('yes','no')";
const dates = 'date_added datetime NOT NULL, last_updated datetime NOT NULL';
const ofList = 'FOREIGN KEY (list_id) REFERENCES mw_list (list_id) ON DELETE CASCADE';

/** Lists and what hangs on them one to one. */
export const listTables = [
  `CREATE TABLE IF NOT EXISTS mw_list (list_id int AUTO_INCREMENT PRIMARY KEY, list_uid char(13) NOT NULL UNIQUE, customer_id int NOT NULL DEFAULT 1, name varchar(255) NOT NULL,
    display_name varchar(255) NOT NULL, description varchar(255) NOT NULL DEFAULT '', visibility char(15) NOT NULL DEFAULT 'public', opt_in enum('double','single') NOT NULL DEFAULT 'double',
    opt_out enum('double','single') NOT NULL DEFAULT 'single', merged ${yesNo} NOT NULL DEFAULT 'no', welcome_email ${yesNo} NOT NULL DEFAULT 'no', removable ${yesNo} NOT NULL DEFAULT 'yes',
    subscriber_require_approval ${yesNo} NOT NULL DEFAULT 'no', subscriber_404_redirect varchar(255), subscriber_exists_redirect varchar(255), meta_data longblob,
    status char(15) NOT NULL DEFAULT 'active', ${dates}, KEY customer_id (customer_id))`,
  `CREATE TABLE IF NOT EXISTS mw_list_default (list_id int PRIMARY KEY, from_name varchar(100) NOT NULL, from_email varchar(100) NOT NULL, reply_to varchar(100) NOT NULL, subject varchar(255), ${ofList})`,
  `CREATE TABLE IF NOT EXISTS mw_list_company (list_id int PRIMARY KEY, type_id int, country_id int NOT NULL, zone_id int, name varchar(100) NOT NULL, website varchar(255), address_1 varchar(255) NOT NULL,
    address_2 varchar(255), zone_name varchar(150), city varchar(150) NOT NULL, zip_code char(10) NOT NULL, phone varchar(32), address_format varchar(255) NOT NULL, ${ofList})`,
  `CREATE TABLE IF NOT EXISTS mw_list_customer_notification (list_id int PRIMARY KEY, daily ${yesNo} NOT NULL DEFAULT 'no', subscribe ${yesNo} NOT NULL DEFAULT 'no', unsubscribe ${yesNo} NOT NULL DEFAULT 'no',
    daily_to varchar(255), subscribe_to varchar(255), unsubscribe_to varchar(255), ${ofList})`,
  `CREATE TABLE IF NOT EXISTS mw_list_page_type (type_id int AUTO_INCREMENT PRIMARY KEY, name varchar(255) NOT NULL, slug varchar(255) NOT NULL, description varchar(255) NOT NULL DEFAULT '', content longtext, ${dates})`,
  `CREATE TABLE IF NOT EXISTS mw_list_form_custom_webhook (webhook_id int AUTO_INCREMENT PRIMARY KEY, list_id int NOT NULL, type_id int NOT NULL, request_url text NOT NULL, request_type varchar(10) NOT NULL DEFAULT 'post',
    ${dates}, ${ofList}, FOREIGN KEY (type_id) REFERENCES mw_list_page_type (type_id) ON DELETE CASCADE)`,
  `CREATE TABLE IF NOT EXISTS mw_list_subscriber_action (action_id int AUTO_INCREMENT PRIMARY KEY, source_list_id int NOT NULL, source_action char(15) NOT NULL DEFAULT 'subscribe', target_list_id int NOT NULL,
    target_action char(15) NOT NULL DEFAULT 'unsubscribe', FOREIGN KEY (source_list_id) REFERENCES mw_list (list_id) ON DELETE CASCADE, FOREIGN KEY (target_list_id) REFERENCES mw_list (list_id) ON DELETE CASCADE)`,
];
