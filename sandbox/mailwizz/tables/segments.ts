const dates = 'date_added datetime NOT NULL, last_updated datetime NOT NULL';
const ofSegment = 'FOREIGN KEY (segment_id) REFERENCES mw_list_segment (segment_id) ON DELETE CASCADE';

/** Segments hold numeric ids of fields, operators and campaigns. */
export const segmentTables = [
  `CREATE TABLE IF NOT EXISTS mw_list_segment (segment_id int AUTO_INCREMENT PRIMARY KEY, segment_uid char(13) NOT NULL UNIQUE, list_id int NOT NULL, name varchar(255) NOT NULL,
    operator_match enum('any','all') NOT NULL DEFAULT 'any', status char(15) NOT NULL DEFAULT 'active', ${dates}, KEY list_name (list_id, name),
    FOREIGN KEY (list_id) REFERENCES mw_list (list_id) ON DELETE CASCADE)`,
  `CREATE TABLE IF NOT EXISTS mw_list_segment_operator (operator_id int AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL, slug varchar(100) NOT NULL, ${dates})`,
  `CREATE TABLE IF NOT EXISTS mw_list_segment_condition (condition_id int AUTO_INCREMENT PRIMARY KEY, segment_id int NOT NULL, operator_id int NOT NULL, field_id int NOT NULL, value varchar(255) NOT NULL, ${dates},
    ${ofSegment}, FOREIGN KEY (operator_id) REFERENCES mw_list_segment_operator (operator_id), FOREIGN KEY (field_id) REFERENCES mw_list_field (field_id) ON DELETE CASCADE)`,
  `CREATE TABLE IF NOT EXISTS mw_list_segment_campaign_condition (condition_id int AUTO_INCREMENT PRIMARY KEY, segment_id int NOT NULL, campaign_id int NOT NULL, action char(15) NOT NULL,
    time_comparison_operator char(3) NOT NULL DEFAULT 'lte', time_value int NOT NULL DEFAULT 1, time_unit char(6) NOT NULL DEFAULT 'day', ${dates}, ${ofSegment})`,
];
