const yesNo = "enum('yes','no')";
const dates = 'date_added datetime NOT NULL, last_updated datetime NOT NULL';
const ofCustomer = 'FOREIGN KEY (customer_id) REFERENCES mw_customer (customer_id) ON DELETE CASCADE';

/** Customers with company and keys, countries with zones, delivery servers. */
export const customerTables = [
  `CREATE TABLE IF NOT EXISTS mw_country (country_id int AUTO_INCREMENT PRIMARY KEY, name varchar(150) NOT NULL, code char(3) NOT NULL, status char(10) NOT NULL DEFAULT 'active', ${dates})`,
  `CREATE TABLE IF NOT EXISTS mw_zone (zone_id int AUTO_INCREMENT PRIMARY KEY, country_id int NOT NULL, name varchar(150) NOT NULL, code varchar(50) NOT NULL, status char(10) NOT NULL DEFAULT 'active', ${dates},
    FOREIGN KEY (country_id) REFERENCES mw_country (country_id) ON DELETE CASCADE)`,
  `CREATE TABLE IF NOT EXISTS mw_customer (customer_id int AUTO_INCREMENT PRIMARY KEY, customer_uid char(13) NOT NULL UNIQUE, first_name varchar(100) NOT NULL, last_name varchar(100) NOT NULL,
    email varchar(100) NOT NULL UNIQUE, password varchar(64) NOT NULL, timezone varchar(50) NOT NULL DEFAULT 'UTC', birth_date date, phone varchar(32), newsletter_consent varchar(255),
    status char(15) NOT NULL DEFAULT 'active', ${dates})`,
  `CREATE TABLE IF NOT EXISTS mw_customer_company (company_id int AUTO_INCREMENT PRIMARY KEY, customer_id int NOT NULL, country_id int NOT NULL, zone_id int, name varchar(100) NOT NULL, website varchar(255),
    address_1 varchar(255) NOT NULL, address_2 varchar(255), zone_name varchar(150), city varchar(150) NOT NULL, zip_code char(10) NOT NULL, phone varchar(32), vat_number varchar(100), ${dates}, ${ofCustomer})`,
  `CREATE TABLE IF NOT EXISTS mw_customer_api_key (key_id int AUTO_INCREMENT PRIMARY KEY, customer_id int NOT NULL, name varchar(255), description varchar(255), \`key\` char(40) NOT NULL UNIQUE, public char(40) NOT NULL UNIQUE,
    private char(40) NOT NULL UNIQUE, ip_whitelist varchar(255), ip_blacklist varchar(255), date_added datetime NOT NULL, ${ofCustomer})`,
  `CREATE TABLE IF NOT EXISTS mw_delivery_server (server_id int AUTO_INCREMENT PRIMARY KEY, customer_id int, bounce_server_id int, tracking_domain_id int, warmup_plan_id int, type char(20) NOT NULL, name varchar(255),
    hostname varchar(150) NOT NULL, username varchar(150), password varchar(255), port int DEFAULT 25, from_email varchar(150) NOT NULL, from_name varchar(150), hourly_quota int NOT NULL DEFAULT 0, daily_quota int NOT NULL DEFAULT 0,
    monthly_quota int NOT NULL DEFAULT 0, minute_quota int NOT NULL DEFAULT 0, second_quota int NOT NULL DEFAULT 0, locked ${yesNo} NOT NULL DEFAULT 'no', status char(15) NOT NULL DEFAULT 'active', ${dates})`,
];
