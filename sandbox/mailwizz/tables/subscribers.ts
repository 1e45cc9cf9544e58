const yesNo = "enum('yes','no')";
const dates = 'date_added datetime NOT NULL, last_updated datetime NOT NULL';
const ofField = 'FOREIGN KEY (field_id) REFERENCES mw_list_field (field_id) ON DELETE CASCADE';

/** Fields, subscribers, their values and the blacklists. No unique key on (list_id, email): as in the real thing, the table lets a double in. */
export const subscriberTables = [
  `CREATE TABLE IF NOT EXISTS mw_list_field_type (type_id int AUTO_INCREMENT PRIMARY KEY, name varchar(50) NOT NULL, identifier varchar(50) NOT NULL, class_alias varchar(255) NOT NULL DEFAULT '',
    description varchar(255) NOT NULL DEFAULT '', ${dates})`,
  `CREATE TABLE IF NOT EXISTS mw_list_field (field_id int AUTO_INCREMENT PRIMARY KEY, type_id int NOT NULL, list_id int NOT NULL, label varchar(255) NOT NULL, tag varchar(50) NOT NULL,
    default_value varchar(255), help_text varchar(255), description varchar(255), required ${yesNo} NOT NULL DEFAULT 'no', visibility enum('visible','hidden','none') NOT NULL DEFAULT 'visible',
    meta_data blob, sort_order int NOT NULL DEFAULT 0, ${dates}, KEY list_tag (list_id, tag),
    FOREIGN KEY (list_id) REFERENCES mw_list (list_id) ON DELETE CASCADE, FOREIGN KEY (type_id) REFERENCES mw_list_field_type (type_id))`,
  `CREATE TABLE IF NOT EXISTS mw_list_field_option (option_id int AUTO_INCREMENT PRIMARY KEY, field_id int NOT NULL, name varchar(100) NOT NULL, value varchar(255) NOT NULL, is_default ${yesNo} NOT NULL DEFAULT 'no',
    ${dates}, ${ofField})`,
  `CREATE TABLE IF NOT EXISTS mw_list_subscriber (subscriber_id int AUTO_INCREMENT PRIMARY KEY, subscriber_uid char(13) NOT NULL UNIQUE, list_id int NOT NULL, email varchar(100) NOT NULL,
    ip_address char(15), source enum('web','api','import') NOT NULL DEFAULT 'web', status char(15) NOT NULL DEFAULT 'unconfirmed', ${dates},
    KEY list_email (list_id, email), KEY status_last_updated (status, last_updated), KEY list_id_status (list_id, status), FOREIGN KEY (list_id) REFERENCES mw_list (list_id) ON DELETE CASCADE)`,
  `CREATE TABLE IF NOT EXISTS mw_list_field_value (value_id int AUTO_INCREMENT PRIMARY KEY, field_id int NOT NULL, subscriber_id int NOT NULL, value varchar(255) NOT NULL, ${dates},
    KEY field_subscriber (field_id, subscriber_id), KEY field_id_value (field_id, value), ${ofField},
    FOREIGN KEY (subscriber_id) REFERENCES mw_list_subscriber (subscriber_id) ON DELETE CASCADE)`,
  `CREATE TABLE IF NOT EXISTS mw_email_blacklist (email_id bigint AUTO_INCREMENT PRIMARY KEY, subscriber_id int, email varchar(150) NOT NULL UNIQUE, reason text, ${dates})`,
  `CREATE TABLE IF NOT EXISTS mw_customer_email_blacklist (email_id bigint AUTO_INCREMENT PRIMARY KEY, customer_id int NOT NULL, email varchar(150) NOT NULL, reason text, ${dates}, KEY customer_email (customer_id, email))`,
];
