ALTER TABLE "import_batches" ADD COLUMN "restarts" smallint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "injections" ADD COLUMN "batch_id" bigint;
