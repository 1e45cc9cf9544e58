CREATE TABLE "campaign_legs" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "campaign_legs_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"campaign_id" bigint NOT NULL,
	"variant" char(1) DEFAULT 'a' NOT NULL,
	"part" varchar(10) DEFAULT 'whole' NOT NULL,
	"country" char(2),
	"bucket_from" smallint NOT NULL,
	"bucket_to" smallint NOT NULL,
	"contacts" integer DEFAULT 0 NOT NULL,
	"marker" varchar(60) NOT NULL,
	"mailwizz_segment_uid" varchar(50),
	"mailwizz_campaign_uid" varchar(50),
	"mailwizz_campaign_id" integer,
	"state" varchar(20) DEFAULT 'planned' NOT NULL,
	"released_through" smallint,
	"released_at" timestamp with time zone,
	"started_at" timestamp with time zone,
	"finished_at" timestamp with time zone,
	"sent" integer DEFAULT 0 NOT NULL,
	"skipped" integer DEFAULT 0 NOT NULL,
	"failed" integer DEFAULT 0 NOT NULL,
	"last_error" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "campaign_legs_marker_unique" UNIQUE("marker"),
	CONSTRAINT "campaign_legs_variant_known" CHECK ("campaign_legs"."variant" in ('a', 'b', 'c', 'd', 'e')),
	CONSTRAINT "campaign_legs_part_known" CHECK ("campaign_legs"."part" in ('whole', 'sample', 'rest')),
	CONSTRAINT "campaign_legs_state_known" CHECK ("campaign_legs"."state" in ('planned', 'created', 'started', 'paused', 'finished', 'cancelled')),
	CONSTRAINT "campaign_legs_range" CHECK ("campaign_legs"."bucket_from" between 0 and "campaign_legs"."bucket_to" and "campaign_legs"."bucket_to" <= 9999)
);
--> statement-breakpoint
CREATE TABLE "campaign_recipients" (
	"campaign_id" bigint NOT NULL,
	"contact_id" bigint NOT NULL,
	"bucket" smallint NOT NULL,
	"leg_id" bigint,
	"outcome" varchar(10) DEFAULT 'pending' NOT NULL,
	"reason" varchar(50),
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "campaign_recipients_campaign_id_contact_id_pk" PRIMARY KEY("campaign_id","contact_id"),
	CONSTRAINT "campaign_recipients_outcome_known" CHECK ("campaign_recipients"."outcome" in ('pending', 'sent', 'skipped', 'failed'))
);
--> statement-breakpoint
CREATE TABLE "campaign_variants" (
	"campaign_id" bigint NOT NULL,
	"key" char(1) NOT NULL,
	"subject_line" text,
	"from_name" varchar(255),
	"email_template_id" bigint,
	"template_version" integer,
	"share" smallint DEFAULT 1 NOT NULL,
	"is_winner" boolean DEFAULT false NOT NULL,
	"figures" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "campaign_variants_campaign_id_key_pk" PRIMARY KEY("campaign_id","key"),
	CONSTRAINT "campaign_variants_key_known" CHECK ("campaign_variants"."key" in ('a', 'b', 'c', 'd', 'e')),
	CONSTRAINT "campaign_variants_share_positive" CHECK ("campaign_variants"."share" > 0)
);
--> statement-breakpoint
CREATE TABLE "email_template_versions" (
	"template_id" bigint NOT NULL,
	"version" integer NOT NULL,
	"subject_line" text NOT NULL,
	"html_content" text NOT NULL,
	"plain_text_content" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_by" varchar(100) NOT NULL,
	CONSTRAINT "email_template_versions_template_id_version_pk" PRIMARY KEY("template_id","version")
);
--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "template_version" integer;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "reply_to" varchar(255);--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "revision" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "scheduled_local" varchar(19);--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "schedule_zone" varchar(64);--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "grace_minutes" integer DEFAULT 60 NOT NULL;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "launched_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "archived_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "send_window" jsonb;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "hourly_cap" integer;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "daily_cap" integer;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "target_language" varchar(10);--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "min_score" smallint;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "ab_test" jsonb;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "ab_decision" jsonb;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "held_reasons" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "paused_from" varchar(20);--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "pause_reason" varchar(20);--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "bounce_limit" double precision DEFAULT 0.05 NOT NULL;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "complaint_limit" double precision DEFAULT 0.003 NOT NULL;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "audience_counted_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "audience" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "sent" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "skipped" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "failed" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "pending" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "workflow_id" varchar(150);--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "restarts" smallint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "email_templates" ADD COLUMN "version" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "campaign_legs" ADD CONSTRAINT "campaign_legs_campaign_id_campaigns_id_fk" FOREIGN KEY ("campaign_id") REFERENCES "public"."campaigns"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "campaign_recipients" ADD CONSTRAINT "campaign_recipients_campaign_id_campaigns_id_fk" FOREIGN KEY ("campaign_id") REFERENCES "public"."campaigns"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "campaign_recipients" ADD CONSTRAINT "campaign_recipients_contact_id_contacts_id_fk" FOREIGN KEY ("contact_id") REFERENCES "public"."contacts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "campaign_recipients" ADD CONSTRAINT "campaign_recipients_leg_id_campaign_legs_id_fk" FOREIGN KEY ("leg_id") REFERENCES "public"."campaign_legs"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "campaign_variants" ADD CONSTRAINT "campaign_variants_campaign_id_campaigns_id_fk" FOREIGN KEY ("campaign_id") REFERENCES "public"."campaigns"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "campaign_variants" ADD CONSTRAINT "campaign_variants_email_template_id_email_templates_id_fk" FOREIGN KEY ("email_template_id") REFERENCES "public"."email_templates"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "campaign_variants" ADD CONSTRAINT "campaign_variants_template_version" FOREIGN KEY ("email_template_id","template_version") REFERENCES "public"."email_template_versions"("template_id","version") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "email_template_versions" ADD CONSTRAINT "email_template_versions_template_id_email_templates_id_fk" FOREIGN KEY ("template_id") REFERENCES "public"."email_templates"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idx_campaign_legs_campaign" ON "campaign_legs" USING btree ("campaign_id");--> statement-breakpoint
CREATE INDEX "idx_campaign_legs_uid" ON "campaign_legs" USING btree ("mailwizz_campaign_uid") WHERE "campaign_legs"."mailwizz_campaign_uid" is not null;--> statement-breakpoint
CREATE INDEX "idx_campaign_recipients_contact" ON "campaign_recipients" USING btree ("contact_id");--> statement-breakpoint
CREATE UNIQUE INDEX "campaign_variants_one_winner" ON "campaign_variants" USING btree ("campaign_id") WHERE "campaign_variants"."is_winner";--> statement-breakpoint
CREATE INDEX "idx_campaign_variants_template" ON "campaign_variants" USING btree ("email_template_id");--> statement-breakpoint
ALTER TABLE "campaigns" ADD CONSTRAINT "campaigns_template_version" FOREIGN KEY ("email_template_id","template_version") REFERENCES "public"."email_template_versions"("template_id","version") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idx_campaigns_template" ON "campaigns" USING btree ("email_template_id");--> statement-breakpoint
CREATE INDEX "idx_campaigns_open" ON "campaigns" USING btree ("id") WHERE "campaigns"."status" not in ('completed', 'cancelled');--> statement-breakpoint
ALTER TABLE "campaigns" ADD CONSTRAINT "campaigns_paused_from_known" CHECK ("campaigns"."paused_from" in ('scheduled', 'running') and ("campaigns"."status" = 'paused') = ("campaigns"."paused_from" is not null));--> statement-breakpoint
ALTER TABLE "campaigns" ADD CONSTRAINT "campaigns_pause_reason_known" CHECK ("campaigns"."pause_reason" in ('operator', 'bounce_rate', 'complaint_rate', 'instance'));--> statement-breakpoint
ALTER TABLE "campaigns" ADD CONSTRAINT "campaigns_min_score_range" CHECK ("campaigns"."min_score" between 0 and 100);--> statement-breakpoint
ALTER TABLE "campaigns" ADD CONSTRAINT "campaigns_limits_positive" CHECK ("campaigns"."max_contacts" > 0 and "campaigns"."hourly_cap" > 0 and "campaigns"."daily_cap" > 0 and "campaigns"."grace_minutes" >= 0);--> statement-breakpoint
ALTER TABLE "campaigns" ADD CONSTRAINT "campaigns_add_up" CHECK ("campaigns"."audience" = "campaigns"."sent" + "campaigns"."skipped" + "campaigns"."failed" + "campaigns"."pending");--> statement-breakpoint
-- Below what drizzle cannot say: the content that is there is version 1, and a version never changes.
INSERT INTO email_template_versions (template_id, version, subject_line, html_content, plain_text_content, created_at, created_by)
SELECT id, version, subject_line, html_content, plain_text_content, created_at, 'migration' FROM email_templates;
--> statement-breakpoint
CREATE TRIGGER email_template_versions_never_change BEFORE UPDATE ON email_template_versions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
