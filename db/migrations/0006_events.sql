CREATE TABLE "accounting_files" (
	"fingerprint" char(64) PRIMARY KEY NOT NULL,
	"name" varchar(255) NOT NULL,
	"bytes_read" bigint DEFAULT 0 NOT NULL,
	"records" bigint DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "alert_mutes" (
	"kind" varchar(50) PRIMARY KEY NOT NULL,
	"until" timestamp with time zone NOT NULL,
	"muted_by" varchar(100) NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "bounce_categories" (
	"category" varchar(50) PRIMARY KEY NOT NULL,
	"bounce_class" varchar(10) NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "bounce_categories_class_known" CHECK ("bounce_categories"."bounce_class" in ('internal', 'soft', 'hard'))
);
--> statement-breakpoint
CREATE TABLE "bounce_rules" (
	"id" smallint PRIMARY KEY DEFAULT 1 NOT NULL,
	"soft_limit" smallint NOT NULL,
	"soft_days" smallint NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "bounce_rules_one" CHECK ("bounce_rules"."id" = 1),
	CONSTRAINT "bounce_rules_positive" CHECK ("bounce_rules"."soft_limit" > 0 and "bounce_rules"."soft_days" > 0)
);
--> statement-breakpoint
CREATE TABLE "campaign_activity" (
	"campaign_id" bigint NOT NULL,
	"contact_id" bigint NOT NULL,
	"leg_id" bigint DEFAULT 0 NOT NULL,
	"source_id" varchar(100) DEFAULT '' NOT NULL,
	"pool" varchar(20) DEFAULT 'other' NOT NULL,
	"sent_at" timestamp with time zone,
	"delivered_at" timestamp with time zone,
	"bounced_at" timestamp with time zone,
	"bounce_class" varchar(10),
	"opened_at" timestamp with time zone,
	"opens" integer DEFAULT 0 NOT NULL,
	"clicked_at" timestamp with time zone,
	"clicks" integer DEFAULT 0 NOT NULL,
	"unsubscribed_at" timestamp with time zone,
	"spam_report_at" timestamp with time zone,
	CONSTRAINT "campaign_activity_campaign_id_contact_id_pk" PRIMARY KEY("campaign_id","contact_id")
);
--> statement-breakpoint
CREATE TABLE "event_counts" (
	"campaign_id" bigint NOT NULL,
	"leg_id" bigint NOT NULL,
	"source_id" varchar(100) NOT NULL,
	"pool" varchar(20) NOT NULL,
	"day" date NOT NULL,
	"event_type" varchar(50) NOT NULL,
	"total" bigint DEFAULT 0 NOT NULL,
	"contacts" bigint DEFAULT 0 NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "event_counts_campaign_id_leg_id_source_id_pool_day_event_type_pk" PRIMARY KEY("campaign_id","leg_id","source_id","pool","day","event_type")
);
--> statement-breakpoint
CREATE TABLE "event_cursors" (
	"instance_id" varchar(50) NOT NULL,
	"campaign_uid" varchar(50) NOT NULL,
	"log" varchar(20) NOT NULL,
	"position" bigint DEFAULT 0 NOT NULL,
	"read_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "event_cursors_instance_id_campaign_uid_log_pk" PRIMARY KEY("instance_id","campaign_uid","log"),
	CONSTRAINT "event_cursors_log_known" CHECK ("event_cursors"."log" in ('deliveries', 'bounces', 'unsubscribes', 'complaints', 'opens', 'clicks'))
);
--> statement-breakpoint
CREATE TABLE "suppression_carries" (
	"email_hash" varchar(64) NOT NULL,
	"instance_id" varchar(50) NOT NULL,
	"list_id" integer NOT NULL,
	"subscriber_uid" varchar(50) NOT NULL,
	"state" varchar(10) NOT NULL,
	"standing" varchar(20),
	"attempts" smallint DEFAULT 1 NOT NULL,
	"last_error" varchar(200),
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "suppression_carries_email_hash_instance_id_list_id_pk" PRIMARY KEY("email_hash","instance_id","list_id"),
	CONSTRAINT "suppression_carries_state_known" CHECK ("suppression_carries"."state" in ('done', 'absent', 'failed'))
);
--> statement-breakpoint
CREATE TABLE "unmatched_events" (
	"dedupe_key" "bytea" PRIMARY KEY NOT NULL,
	"event" jsonb NOT NULL,
	"instance_id" varchar(50),
	"campaign_uid" varchar(50),
	"subscriber_uid" varchar(50),
	"email_hash" varchar(64),
	"received_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "api_keys" DROP CONSTRAINT "api_keys_kind_known";--> statement-breakpoint
-- Nothing wrote to it until now; a table becomes partitioned only by being made anew.
DROP TABLE "webhook_quarantine";--> statement-breakpoint
CREATE TABLE "webhook_quarantine" (
	"id" bigint GENERATED ALWAYS AS IDENTITY,
	"instance_id" varchar(50),
	"endpoint" varchar(100) NOT NULL,
	"content_type" varchar(100),
	"body" "bytea" NOT NULL,
	"reason" varchar(200) NOT NULL,
	"received_at" timestamp with time zone DEFAULT now() NOT NULL,
	"replayed_at" timestamp with time zone,
	CONSTRAINT "webhook_quarantine_id_received_at_pk" PRIMARY KEY("id","received_at")
) PARTITION BY RANGE ("received_at");--> statement-breakpoint
ALTER TABLE "alerts" ADD COLUMN "notified_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "instance_id" varchar(50);--> statement-breakpoint
ALTER TABLE "contact_events" ADD COLUMN "leg_id" bigint;--> statement-breakpoint
ALTER TABLE "contact_events" ADD COLUMN "dedupe_key" "bytea";--> statement-breakpoint
ALTER TABLE "mailwizz_instances" ADD COLUMN "event_zone" varchar(64) DEFAULT 'UTC' NOT NULL;--> statement-breakpoint
ALTER TABLE "suppressions" ADD COLUMN "note" varchar(500);--> statement-breakpoint
ALTER TABLE "suppressions" ADD COLUMN "carried_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "suppressions" ADD COLUMN "carry_after" timestamp with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "campaign_activity" ADD CONSTRAINT "campaign_activity_campaign_id_campaigns_id_fk" FOREIGN KEY ("campaign_id") REFERENCES "public"."campaigns"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "campaign_activity" ADD CONSTRAINT "campaign_activity_contact_id_contacts_id_fk" FOREIGN KEY ("contact_id") REFERENCES "public"."contacts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "event_cursors" ADD CONSTRAINT "event_cursors_instance_id_mailwizz_instances_instance_id_fk" FOREIGN KEY ("instance_id") REFERENCES "public"."mailwizz_instances"("instance_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "suppression_carries" ADD CONSTRAINT "suppression_carries_instance_id_mailwizz_instances_instance_id_fk" FOREIGN KEY ("instance_id") REFERENCES "public"."mailwizz_instances"("instance_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idx_campaign_activity_contact" ON "campaign_activity" USING btree ("contact_id");--> statement-breakpoint
CREATE INDEX "idx_event_counts_day" ON "event_counts" USING btree ("day");--> statement-breakpoint
CREATE INDEX "idx_event_counts_source" ON "event_counts" USING btree ("source_id","day");--> statement-breakpoint
CREATE INDEX "idx_unmatched_events_campaign" ON "unmatched_events" USING btree ("campaign_uid") WHERE "unmatched_events"."campaign_uid" is not null;--> statement-breakpoint
CREATE INDEX "idx_unmatched_events_subscriber" ON "unmatched_events" USING btree ("instance_id","subscriber_uid") WHERE "unmatched_events"."subscriber_uid" is not null;--> statement-breakpoint
CREATE INDEX "idx_unmatched_events_email" ON "unmatched_events" USING btree ("email_hash") WHERE "unmatched_events"."email_hash" is not null;--> statement-breakpoint
CREATE INDEX "idx_unmatched_events_received" ON "unmatched_events" USING btree ("received_at");--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_instance_id_mailwizz_instances_instance_id_fk" FOREIGN KEY ("instance_id") REFERENCES "public"."mailwizz_instances"("instance_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idx_alerts_unnotified" ON "alerts" USING btree ("id") WHERE "alerts"."notified_at" is null;--> statement-breakpoint
CREATE INDEX "idx_alerts_resolved" ON "alerts" USING btree ("resolved_at") WHERE "alerts"."resolved_at" is not null;--> statement-breakpoint
DROP INDEX "idx_contact_events_contact_id";--> statement-breakpoint
CREATE INDEX "idx_contact_events_contact_id" ON "contact_events" USING btree ("contact_id","timestamp");--> statement-breakpoint
CREATE UNIQUE INDEX "contact_events_once" ON "contact_events" USING btree ("dedupe_key","timestamp") WHERE "contact_events"."dedupe_key" is not null;--> statement-breakpoint
CREATE INDEX "idx_suppressions_uncarried" ON "suppressions" USING btree ("carry_after") WHERE "suppressions"."carried_at" is null;--> statement-breakpoint
CREATE INDEX "idx_suppressions_created" ON "suppressions" USING btree ("created_at" DESC NULLS LAST,"email_hash");--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_only_webhook_key_has_instance" CHECK ("api_keys"."instance_id" is null or "api_keys"."kind" = 'whk');--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_kind_known" CHECK ("api_keys"."kind" in ('src', 'ops', 'adm', 'whk'));--> statement-breakpoint
-- Alerts of before are not told again.
UPDATE "alerts" SET "notified_at" = now();
--> statement-breakpoint
-- MailWizz's own limit of soft bounces.
INSERT INTO "bounce_rules" ("soft_limit", "soft_days") VALUES (5, 90);
--> statement-breakpoint
-- Only what is about the address itself is hard; what is about us or the way says nothing of it.
INSERT INTO "bounce_categories" ("category", "bounce_class") VALUES
  ('bad-mailbox', 'hard'), ('inactive-mailbox', 'hard'), ('bad-domain', 'hard'),
  ('quota-issues', 'soft'), ('no-answer-from-host', 'soft'), ('routing-errors', 'soft'),
  ('relaying-issues', 'internal'), ('bad-connection', 'internal'), ('bad-configuration', 'internal'), ('content-related', 'internal'), ('spam-related', 'internal'),
  ('policy-related', 'internal'), ('virus-related', 'internal'), ('protocol-errors', 'internal'), ('invalid-sender', 'internal'), ('message-expired', 'internal'), ('other', 'internal');
