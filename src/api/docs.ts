import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import express, { Router } from 'express';
import { absolutePath } from 'swagger-ui-dist';

const page = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Email Engine API</title><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/swagger-ui.css"></head><body><div id="swagger-ui"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/init.js"></script></body></html>`;
const init = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true, defaultModelsExpandDepth: 0, validatorUrl: null });`;
/** The page runs our own files only; the UI sets styles of its own. */
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'";

export function createDocs(openApi: object): Router {
  const routes = Router();
  const assets = absolutePath();
  readFileSync(join(assets, 'swagger-ui.css')); // a missing package is noticed at start, not by the first reader
  routes.get('/openapi.json', (_req, res) => void res.json(openApi));
  routes.get('/docs/init.js', (_req, res) => void res.type('text/javascript').send(init));
  routes.use('/docs', (_req, res, next) => {
    res.set('Content-Security-Policy', policy);
    next();
  });
  routes.get('/docs', (_req, res) => void res.type('html').send(page));
  routes.use('/docs', express.static(assets, { index: false }));
  return routes;
}
