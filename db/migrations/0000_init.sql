CREATE TABLE "api_keys" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "api_keys_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"key_id" varchar(20) NOT NULL,
	"kind" varchar(10) NOT NULL,
	"secret_hash" char(64) NOT NULL,
	"name" varchar(255) NOT NULL,
	"source_id" varchar(100),
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp with time zone,
	"expires_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "api_keys_key_id_unique" UNIQUE("key_id"),
	CONSTRAINT "api_keys_kind_known" CHECK ("api_keys"."kind" in ('src', 'ops', 'adm')),
	CONSTRAINT "api_keys_source_key_has_source" CHECK (("api_keys"."kind" = 'src') = ("api_keys"."source_id" is not null))
);
--> statement-breakpoint
CREATE TABLE "audit_log" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_log_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"actor" varchar(100) NOT NULL,
	"action" varchar(100) NOT NULL,
	"entity" varchar(200) NOT NULL,
	"details" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "batch_rows" (
	"batch_id" bigint NOT NULL,
	"row_number" integer NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	"payload" text NOT NULL,
	"outcome" varchar(20),
	"reason" varchar(100),
	"field" varchar(100),
	"contact_id" bigint,
	"fate" varchar(20),
	"fate_reason" varchar(100),
	"retry_at" timestamp with time zone,
	"deferrals" smallint DEFAULT 0 NOT NULL,
	CONSTRAINT "batch_rows_batch_id_row_number_received_at_pk" PRIMARY KEY("batch_id","row_number","received_at"),
	CONSTRAINT "batch_rows_outcome_known" CHECK ("batch_rows"."outcome" in ('accepted', 'duplicate', 'rejected')),
	CONSTRAINT "batch_rows_fate_known" CHECK ("batch_rows"."fate" in ('injected', 'invalid', 'suppressed', 'unroutable', 'failed'))
) PARTITION BY RANGE ("received_at");
--> statement-breakpoint
CREATE TABLE "campaigns" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "campaigns_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"name" varchar(255) NOT NULL,
	"description" text,
	"source_id" varchar(100),
	"mailwizz_instance" varchar(50) NOT NULL,
	"mailwizz_campaign_id" integer,
	"mailwizz_campaign_uid" varchar(50),
	"mailwizz_list_id" integer NOT NULL,
	"email_template_id" bigint,
	"subject_line" text,
	"from_name" varchar(255),
	"from_email" varchar(255),
	"scheduled_at" timestamp with time zone,
	"started_at" timestamp with time zone,
	"completed_at" timestamp with time zone,
	"target_category" varchar(100),
	"target_tags" text[],
	"target_country_codes" text[],
	"max_contacts" integer,
	"status" varchar(50) DEFAULT 'draft' NOT NULL,
	"total_sent" integer DEFAULT 0 NOT NULL,
	"total_delivered" integer DEFAULT 0 NOT NULL,
	"total_bounced" integer DEFAULT 0 NOT NULL,
	"total_opened" integer DEFAULT 0 NOT NULL,
	"total_clicked" integer DEFAULT 0 NOT NULL,
	"total_unsubscribed" integer DEFAULT 0 NOT NULL,
	"total_spam_reports" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_by" bigint,
	CONSTRAINT "campaigns_status_known" CHECK ("campaigns"."status" in ('draft', 'scheduled', 'running', 'paused', 'completed', 'cancelled'))
);
--> statement-breakpoint
CREATE TABLE "category_rules" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "category_rules_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"position" integer NOT NULL,
	"category" varchar(100) NOT NULL,
	"words" text[] NOT NULL,
	"unless" text[] DEFAULT '{}' NOT NULL,
	"is_active" boolean DEFAULT true NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "contact_events" (
	"id" bigint GENERATED ALWAYS AS IDENTITY (sequence name "contact_events_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"contact_id" bigint,
	"email" varchar(255) NOT NULL,
	"campaign_id" bigint,
	"event_type" varchar(50) NOT NULL,
	"event_data" jsonb,
	"source" varchar(100),
	"timestamp" timestamp with time zone DEFAULT now() NOT NULL,
	"received_at" timestamp with time zone DEFAULT now() NOT NULL,
	"ip_address" varchar(45),
	"user_agent" text,
	CONSTRAINT "contact_events_id_timestamp_pk" PRIMARY KEY("id","timestamp"),
	CONSTRAINT "contact_events_type_known" CHECK ("contact_events"."event_type" in ('ingested', 'validated', 'invalid', 'injected', 'sent', 'delivered', 'bounced', 'opened', 'clicked', 'unsubscribed', 'spam_report', 'blacklisted'))
) PARTITION BY RANGE ("timestamp");
--> statement-breakpoint
CREATE TABLE "contacts" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "contacts_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"email" varchar(255) NOT NULL,
	"email_hash" varchar(64) NOT NULL,
	"first_name" varchar(255),
	"last_name" varchar(255),
	"company" varchar(255),
	"phone" varchar(50),
	"website" varchar(500),
	"country_code" char(2),
	"language" varchar(10),
	"social_links" jsonb,
	"source_id" varchar(100),
	"import_batch_id" varchar(100),
	"raw_data" jsonb,
	"email_valid" boolean,
	"email_validation_result" jsonb,
	"category" varchar(100),
	"category_rule" varchar(50),
	"tags" text[] DEFAULT '{}' NOT NULL,
	"score" smallint DEFAULT 50 NOT NULL,
	"mailwizz_instance" varchar(50),
	"mailwizz_list_id" integer,
	"routing_rule" varchar(50),
	"status" varchar(50) DEFAULT 'pending' NOT NULL,
	"status_changed_at" timestamp with time zone DEFAULT now() NOT NULL,
	"mailwizz_subscriber_uid" varchar(50),
	"injected_at" timestamp with time zone,
	"injection_result" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp with time zone,
	CONSTRAINT "contacts_email_unique" UNIQUE("email"),
	CONSTRAINT "contacts_email_hash_unique" UNIQUE("email_hash"),
	CONSTRAINT "contacts_status_known" CHECK ("contacts"."status" in ('pending', 'validating', 'validated', 'invalid', 'injected', 'bounced', 'unsubscribed', 'blacklisted')),
	CONSTRAINT "contacts_score_range" CHECK ("contacts"."score" between 0 and 100)
);
--> statement-breakpoint
CREATE TABLE "data_sources" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "data_sources_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"source_id" varchar(100) NOT NULL,
	"source_type" varchar(50) NOT NULL,
	"name" varchar(255) NOT NULL,
	"description" text,
	"config" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"is_active" boolean DEFAULT true NOT NULL,
	"default_mailwizz_instance" varchar(50),
	"default_list_mapping" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_by" bigint,
	"total_contacts_received" bigint DEFAULT 0 NOT NULL,
	"total_contacts_validated" bigint DEFAULT 0 NOT NULL,
	"total_contacts_injected" bigint DEFAULT 0 NOT NULL,
	"last_sync_at" timestamp with time zone,
	CONSTRAINT "data_sources_source_id_unique" UNIQUE("source_id"),
	CONSTRAINT "data_sources_type_known" CHECK ("data_sources"."source_type" in ('scraping', 'api', 'upload', 'manual'))
);
--> statement-breakpoint
CREATE TABLE "email_templates" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "email_templates_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"name" varchar(255) NOT NULL,
	"description" text,
	"source_id" varchar(100),
	"category" varchar(100),
	"subject_line" text NOT NULL,
	"html_content" text NOT NULL,
	"plain_text_content" text,
	"is_active" boolean DEFAULT true NOT NULL,
	"language" varchar(10) DEFAULT 'fr' NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_by" bigint,
	"times_used" integer DEFAULT 0 NOT NULL,
	"last_used_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "import_batches" (
	"id" bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY (sequence name "import_batches_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"batch_id" varchar(100) NOT NULL,
	"source_id" varchar(100) NOT NULL,
	"source_config" jsonb,
	"caller_key_id" varchar(20),
	"idempotency_key" varchar(255),
	"body_hash" char(64),
	"state" varchar(20) DEFAULT 'received' NOT NULL,
	"error" text,
	"workflow_id" varchar(150),
	"received" integer DEFAULT 0 NOT NULL,
	"accepted" integer DEFAULT 0 NOT NULL,
	"duplicates" integer DEFAULT 0 NOT NULL,
	"rejected" integer DEFAULT 0 NOT NULL,
	"injected" integer DEFAULT 0 NOT NULL,
	"invalid" integer DEFAULT 0 NOT NULL,
	"suppressed" integer DEFAULT 0 NOT NULL,
	"unroutable" integer DEFAULT 0 NOT NULL,
	"failed" integer DEFAULT 0 NOT NULL,
	"ingested_at" timestamp with time zone,
	"completed_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "import_batches_batch_id_unique" UNIQUE("batch_id"),
	CONSTRAINT "import_batches_state_known" CHECK ("import_batches"."state" in ('uploading', 'received', 'running', 'completed', 'failed'))
);
--> statement-breakpoint
CREATE TABLE "injections" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "injections_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"contact_id" bigint NOT NULL,
	"instance_id" varchar(50) NOT NULL,
	"list_id" integer NOT NULL,
	"state" varchar(20) DEFAULT 'pending' NOT NULL,
	"method" varchar(10),
	"attempt" integer DEFAULT 0 NOT NULL,
	"subscriber_uid" varchar(50),
	"reason" varchar(200),
	"rule" varchar(50),
	"claimed_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "injections_once" UNIQUE("contact_id","instance_id","list_id"),
	CONSTRAINT "injections_state_known" CHECK ("injections"."state" in ('pending', 'sending', 'injected', 'rejected', 'unknown')),
	CONSTRAINT "injections_method_known" CHECK ("injections"."method" in ('api', 'mysql'))
);
--> statement-breakpoint
CREATE TABLE "mailwizz_instances" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "mailwizz_instances_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"instance_id" varchar(50) NOT NULL,
	"name" varchar(255) NOT NULL,
	"description" text,
	"api_url" varchar(500) NOT NULL,
	"api_key" varchar(1000) NOT NULL,
	"mysql_enabled" boolean DEFAULT false NOT NULL,
	"mysql_host" varchar(255),
	"mysql_port" integer DEFAULT 3306 NOT NULL,
	"mysql_database" varchar(100),
	"mysql_user" varchar(100),
	"mysql_password" varchar(1000),
	"mysql_table_prefix" varchar(30) DEFAULT 'mw_' NOT NULL,
	"allow_private_network" boolean DEFAULT false NOT NULL,
	"default_from_name" varchar(255),
	"default_from_email" varchar(255),
	"list_mapping" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"is_active" boolean DEFAULT true NOT NULL,
	"parked_at" timestamp with time zone,
	"last_sync_at" timestamp with time zone,
	"last_error" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "mailwizz_instances_instance_id_unique" UNIQUE("instance_id")
);
--> statement-breakpoint
CREATE TABLE "mailwizz_lists" (
	"instance_id" varchar(50) NOT NULL,
	"list_id" integer NOT NULL,
	"list_uid" varchar(50) NOT NULL,
	"name" varchar(255) NOT NULL,
	"fields" text[] DEFAULT '{}' NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "mailwizz_lists_instance_id_list_id_pk" PRIMARY KEY("instance_id","list_id"),
	CONSTRAINT "mailwizz_lists_uid" UNIQUE("instance_id","list_uid")
);
--> statement-breakpoint
CREATE TABLE "outbox" (
	"batch_id" bigint PRIMARY KEY NOT NULL,
	"available_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "routing_rules" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "routing_rules_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"position" integer NOT NULL,
	"category" varchar(100) NOT NULL,
	"instance_id" varchar(50) NOT NULL,
	"list_id" integer,
	"is_active" boolean DEFAULT true NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "suppressions" (
	"email_hash" varchar(64) PRIMARY KEY NOT NULL,
	"reason" varchar(50) NOT NULL,
	"origin" varchar(100) NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "suppressions_reason_known" CHECK ("suppressions"."reason" in ('unsubscribed', 'bounced', 'spam_report', 'blacklisted', 'manual'))
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "users_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"email" varchar(255) NOT NULL,
	"password_hash" varchar(255) NOT NULL,
	"role" varchar(20) NOT NULL,
	"is_active" boolean DEFAULT true NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "users_email_unique" UNIQUE("email"),
	CONSTRAINT "users_role_known" CHECK ("users"."role" in ('admin', 'operator', 'viewer'))
);
--> statement-breakpoint
CREATE TABLE "webhook_quarantine" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "webhook_quarantine_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"instance_id" varchar(50),
	"endpoint" varchar(100) NOT NULL,
	"body" "bytea" NOT NULL,
	"reason" varchar(200) NOT NULL,
	"received_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_source_id_data_sources_source_id_fk" FOREIGN KEY ("source_id") REFERENCES "public"."data_sources"("source_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "campaigns" ADD CONSTRAINT "campaigns_source_id_data_sources_source_id_fk" FOREIGN KEY ("source_id") REFERENCES "public"."data_sources"("source_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "campaigns" ADD CONSTRAINT "campaigns_mailwizz_instance_mailwizz_instances_instance_id_fk" FOREIGN KEY ("mailwizz_instance") REFERENCES "public"."mailwizz_instances"("instance_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "campaigns" ADD CONSTRAINT "campaigns_email_template_id_email_templates_id_fk" FOREIGN KEY ("email_template_id") REFERENCES "public"."email_templates"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "campaigns" ADD CONSTRAINT "campaigns_created_by_users_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "contact_events" ADD CONSTRAINT "contact_events_contact_id_contacts_id_fk" FOREIGN KEY ("contact_id") REFERENCES "public"."contacts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "contact_events" ADD CONSTRAINT "contact_events_campaign_id_campaigns_id_fk" FOREIGN KEY ("campaign_id") REFERENCES "public"."campaigns"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "contacts" ADD CONSTRAINT "contacts_source_id_data_sources_source_id_fk" FOREIGN KEY ("source_id") REFERENCES "public"."data_sources"("source_id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "contacts" ADD CONSTRAINT "contacts_mailwizz_instance_mailwizz_instances_instance_id_fk" FOREIGN KEY ("mailwizz_instance") REFERENCES "public"."mailwizz_instances"("instance_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "data_sources" ADD CONSTRAINT "data_sources_created_by_users_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "email_templates" ADD CONSTRAINT "email_templates_source_id_data_sources_source_id_fk" FOREIGN KEY ("source_id") REFERENCES "public"."data_sources"("source_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "email_templates" ADD CONSTRAINT "email_templates_created_by_users_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "import_batches" ADD CONSTRAINT "import_batches_source_id_data_sources_source_id_fk" FOREIGN KEY ("source_id") REFERENCES "public"."data_sources"("source_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "injections" ADD CONSTRAINT "injections_contact_id_contacts_id_fk" FOREIGN KEY ("contact_id") REFERENCES "public"."contacts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mailwizz_lists" ADD CONSTRAINT "mailwizz_lists_instance_id_mailwizz_instances_instance_id_fk" FOREIGN KEY ("instance_id") REFERENCES "public"."mailwizz_instances"("instance_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idx_api_keys_source" ON "api_keys" USING btree ("source_id");--> statement-breakpoint
CREATE INDEX "idx_audit_log_entity" ON "audit_log" USING btree ("entity","id");--> statement-breakpoint
CREATE INDEX "idx_batch_rows_contact" ON "batch_rows" USING btree ("contact_id","batch_id") WHERE "batch_rows"."contact_id" is not null;--> statement-breakpoint
CREATE INDEX "idx_batch_rows_open" ON "batch_rows" USING btree ("batch_id","contact_id") WHERE "batch_rows"."outcome" = 'accepted' and "batch_rows"."fate" is null;--> statement-breakpoint
CREATE INDEX "idx_campaigns_source_id" ON "campaigns" USING btree ("source_id");--> statement-breakpoint
CREATE INDEX "idx_campaigns_mailwizz_instance" ON "campaigns" USING btree ("mailwizz_instance");--> statement-breakpoint
CREATE INDEX "idx_campaigns_status" ON "campaigns" USING btree ("status");--> statement-breakpoint
CREATE INDEX "idx_campaigns_scheduled_at" ON "campaigns" USING btree ("scheduled_at");--> statement-breakpoint
CREATE UNIQUE INDEX "campaigns_uid" ON "campaigns" USING btree ("mailwizz_instance","mailwizz_campaign_uid");--> statement-breakpoint
CREATE INDEX "idx_contact_events_contact_id" ON "contact_events" USING btree ("contact_id");--> statement-breakpoint
CREATE INDEX "idx_contact_events_campaign_id" ON "contact_events" USING btree ("campaign_id") WHERE "contact_events"."campaign_id" is not null;--> statement-breakpoint
CREATE INDEX "idx_contact_events_timestamp" ON "contact_events" USING brin ("timestamp");--> statement-breakpoint
CREATE INDEX "idx_contacts_source_id" ON "contacts" USING btree ("source_id");--> statement-breakpoint
CREATE INDEX "idx_contacts_status" ON "contacts" USING btree ("status");--> statement-breakpoint
CREATE INDEX "idx_contacts_mailwizz_instance" ON "contacts" USING btree ("mailwizz_instance");--> statement-breakpoint
CREATE INDEX "idx_contacts_category" ON "contacts" USING btree ("category");--> statement-breakpoint
CREATE INDEX "idx_contacts_created_at" ON "contacts" USING btree ("created_at" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "idx_contacts_import_batch" ON "contacts" USING btree ("import_batch_id");--> statement-breakpoint
CREATE INDEX "idx_contacts_subscriber_uid" ON "contacts" USING btree ("mailwizz_instance","mailwizz_subscriber_uid") WHERE "contacts"."mailwizz_subscriber_uid" is not null;--> statement-breakpoint
CREATE INDEX "idx_data_sources_type" ON "data_sources" USING btree ("source_type");--> statement-breakpoint
CREATE INDEX "idx_data_sources_mailwizz" ON "data_sources" USING btree ("default_mailwizz_instance");--> statement-breakpoint
CREATE INDEX "idx_email_templates_source_id" ON "email_templates" USING btree ("source_id");--> statement-breakpoint
CREATE INDEX "idx_email_templates_category" ON "email_templates" USING btree ("category");--> statement-breakpoint
CREATE INDEX "idx_email_templates_language" ON "email_templates" USING btree ("language");--> statement-breakpoint
CREATE INDEX "idx_import_batches_source" ON "import_batches" USING btree ("source_id","id");--> statement-breakpoint
CREATE INDEX "idx_import_batches_open" ON "import_batches" USING btree ("id") WHERE "import_batches"."state" in ('received', 'running');--> statement-breakpoint
CREATE UNIQUE INDEX "import_batches_idempotency" ON "import_batches" USING btree ("caller_key_id","idempotency_key") WHERE "import_batches"."idempotency_key" is not null;--> statement-breakpoint
CREATE INDEX "idx_injections_open" ON "injections" USING btree ("instance_id","state") WHERE "injections"."state" in ('pending', 'sending', 'unknown');--> statement-breakpoint
CREATE INDEX "idx_outbox_available" ON "outbox" USING btree ("available_at");
--> statement-breakpoint
-- Everything below drizzle cannot say: partitions, append-only audit, the seeds of specification 7.2.
CREATE FUNCTION ensure_month_partitions(parent text, from_month date, months int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  first date := date_trunc('month', from_month);
BEGIN
  FOR i IN 0..months - 1 LOOP
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
      parent || '_' || to_char(first + make_interval(months => i), 'YYYYMM'), parent,
      (first + make_interval(months => i))::date || ' 00:00:00+00', (first + make_interval(months => i + 1))::date || ' 00:00:00+00');
  END LOOP;
END $$;
--> statement-breakpoint
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
--> statement-breakpoint
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
--> statement-breakpoint
INSERT INTO routing_rules (position, category, instance_id, list_id) VALUES
  (10, 'avocat', 'client-1', 12), (20, 'assureur', 'client-1', 13), (30, 'notaire', 'client-1', 14),
  (40, 'blogueur', 'client-2', 45), (50, 'influenceur', 'client-2', 46), (60, 'admin_facebook', 'client-2', 47);
--> statement-breakpoint
INSERT INTO category_rules (position, category, words, unless) VALUES
  (10, 'avocat', '{avocat,avocats,avocate,avocates,lawyer,lawyers,attorney,law firm,barreau,cabinet d avocats}', '{fruit,guacamole}'),
  (20, 'notaire', '{notaire,notaires,notaria,notary,notaries,etude notariale}', '{}'),
  (30, 'assureur', '{assureur,assureurs,assurance,assurances,insurer,insurance,courtier en assurance,mutuelle}', '{}'),
  (40, 'admin_facebook', '{groupe facebook,facebook group,admin facebook,administrateur facebook,page facebook,facebook page}', '{}'),
  (50, 'influenceur', '{influenceur,influenceuse,influencer,influencers,youtubeur,youtubeuse,youtuber,instagrameur,instagrammer,tiktokeur}', '{}'),
  (60, 'blogueur', '{blogueur,blogueuse,blogger,bloggers,blog}', '{}');
