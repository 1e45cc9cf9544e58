ALTER TABLE "campaign_legs" ADD COLUMN "paused_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "campaign_legs" ADD COLUMN "figures" jsonb;--> statement-breakpoint
ALTER TABLE "campaign_legs" ADD COLUMN "figures_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "mailwizz_instances" ADD COLUMN "hourly_cap" integer;--> statement-breakpoint
ALTER TABLE "mailwizz_instances" ADD COLUMN "daily_cap" integer;--> statement-breakpoint
CREATE INDEX "idx_campaign_legs_finished" ON "campaign_legs" USING btree ("finished_at");--> statement-breakpoint
ALTER TABLE "campaign_legs" DROP COLUMN "released_through";--> statement-breakpoint
ALTER TABLE "mailwizz_instances" ADD CONSTRAINT "mailwizz_instances_caps_positive" CHECK ("mailwizz_instances"."hourly_cap" > 0 and "mailwizz_instances"."daily_cap" > 0);