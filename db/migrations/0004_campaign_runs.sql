ALTER TABLE "campaign_legs" ADD COLUMN "segment_contacts" integer;--> statement-breakpoint
ALTER TABLE "campaign_legs" ADD COLUMN "ordered_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "campaign_legs" ADD COLUMN "log_page" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "campaigns" ADD COLUMN "state_version" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "idx_injections_uid" ON "injections" USING btree ("instance_id","subscriber_uid") WHERE "injections"."subscriber_uid" is not null;