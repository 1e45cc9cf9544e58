import js from '@eslint/js';
import drizzle from 'eslint-plugin-drizzle';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Values may come only from these folders and packages; `import type` may come from anywhere. */
const arrow = (files, folders, packages) => ({
  files,
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            regex: `^(?!\\./|(\\.\\./)+(${[...folders, '\\0'].join('|')})(/|$)|(${[...packages, '\\0'].join('|')})(/|$))`,
            allowTypeImports: true,
            message: 'against the arrows of docs/architecture.md',
          },
        ],
      },
    ],
  },
});

export default defineConfig(
  globalIgnores(['node_modules', '.data', 'db/migrations', 'coverage', 'drizzle.config.ts']),
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    plugins: { drizzle },
    languageOptions: { parserOptions: { project: './tsconfig.json' } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'as', objectLiteralTypeAssertions: 'never' }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // NUL and its like are what some patterns are for.
      'no-control-regex': 'off',
      'drizzle/enforce-delete-with-where': ['error', { drizzleObjectName: ['db', 'tx'] }],
      'drizzle/enforce-update-with-where': ['error', { drizzleObjectName: ['db', 'tx'] }],
    },
  },
  arrow(['src/domain/**'], [], []),
  arrow(['src/domain/address.ts'], [], ['node:crypto', 'node:url']),
  arrow(['src/schemas/**'], ['domain'], ['zod']),
  arrow(['db/**'], ['src/domain', 'domain', 'schema'], ['drizzle-orm', 'pg', 'pg-copy-streams', 'node:stream', 'node:stream/promises', 'node:path']),
  arrow(['src/adapters/**'], ['domain', 'schemas'], ['undici', 'mysql2', 'zod', 'ipaddr.js', 'node:[a-z/]+']),
  // A folder inside an adapter also takes from that adapter, one step up.
  arrow(['src/adapters/*/*/**'], ['domain', 'schemas'], ['undici', 'mysql2', 'zod', 'node:[a-z/]+', '\\.\\./[a-z-]+']),
  arrow(['src/activities/**'], ['domain', 'schemas', 'db/queries'], ['@temporalio/activity']),
  arrow(['src/workflows/**'], ['domain'], ['@temporalio/workflow']),
  arrow(['src/api/**'], ['domain', 'schemas', 'db/queries'], ['@temporalio/client', '@temporalio/common', 'express', 'helmet', 'qs', 'zod', 'swagger-ui-dist', 'node:[a-z/]+']),
  // The composition root of the API opens what lies below it.
  arrow(['src/api/server.ts'], ['.*'], ['.*']),
  arrow(['src/cli/**'], ['db', 'adapters', 'domain', 'api/server', 'api/keys', 'api/instance-checks', 'instance-settings', 'worker', 'config', 'log', 'temporal'], ['node:[a-z/]+', 'zod']),
  // A stand-in that shares our code, or our types, only proves that we agree with ourselves.
  { files: ['sandbox/**'], rules: { 'no-restricted-imports': ['error', { patterns: [{ regex: '^(\\.\\./)+(src|db|scripts|test|bench)(/|$)', message: 'a stand-in knows nothing of the engine' }] }] } },
  { files: ['test/**', 'bench/**', 'sandbox/**'], rules: { '@typescript-eslint/no-non-null-assertion': 'off', '@typescript-eslint/require-await': 'off' } },
  {
    files: ['test/**'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/consistent-type-assertions': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
    },
  },
  // They run before anything is installed.
  { files: ['scripts/**/*.mjs'], rules: { 'no-restricted-imports': ['error', { patterns: [{ regex: '^(?!node:|\\./|(\\.\\./)+(?!\\.\\./|src|db|sandbox|test|bench))', message: 'scripts import node: and each other' }] }] } },
  { files: ['**/*.mjs', '**/*.cjs'], rules: { 'no-unused-vars': ['error', { varsIgnorePattern: '^_' }] }, languageOptions: { globals: { process: 'readonly', console: 'readonly', require: 'readonly', module: 'readonly', URL: 'readonly', fetch: 'readonly', setTimeout: 'readonly', clearTimeout: 'readonly', setInterval: 'readonly', clearInterval: 'readonly', Buffer: 'readonly', AbortSignal: 'readonly', __dirname: 'readonly' } } },
);
