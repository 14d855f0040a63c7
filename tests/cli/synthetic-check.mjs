// The contract of the old check, run on Node's own `fetch`: what tests/cli/synthetic_check.rs compares with.
import { setDefaultResultOrder } from 'node:dns';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { performance } from 'node:perf_hooks';

setDefaultResultOrder('ipv4first');
const env = process.env;
const target = env.SYNTHETIC_CHECK_URL ?? env.STAGING_SMOKE_TEST_URL ?? env.PRODUCTION_SMOKE_TEST_URL;
if (!target) {
  console.error('no URL');
  process.exit(1);
}
const usual = env.SHOPIFY_FLAG_ENVIRONMENT === 'staging' ? 300 : 800;
const number = Number(env.SYNTHETIC_CHECK_BUDGET_MS ?? usual);
const budgetMs = Number.isFinite(number) ? number : 800;
const headers = {
  accept: 'text/html,application/json',
  'user-agent': env.SYNTHETIC_CHECK_USER_AGENT || 'Shopify POS/HotDashSyntheticCheck',
  'x-hotdash-synthetic': env.SYNTHETIC_CHECK_TOKEN || 'staging',
};

const timestamp = new Date().toISOString();
const start = performance.now();
let [status, ok, error] = [null, false, null];
try {
  ({ status, ok } = await fetch(target, { headers, redirect: 'follow' }));
} catch (failure) {
  error = failure.message;
}
const durationMs = Number((performance.now() - start).toFixed(2));

const usualPath = `artifacts/monitoring/synthetic-check-${timestamp.replaceAll(':', '-')}.json`;
const artifact = env.SYNTHETIC_CHECK_ARTIFACT || usualPath;
await mkdir(path.dirname(artifact), { recursive: true });
const written = { timestamp, target, budgetMs, durationMs, status, ok, error };
await writeFile(artifact, JSON.stringify(written, null, 2));
if (error) {
  console.error(`[synthetic-check] Failed: ${error}\n[synthetic-check] Artifact: ${artifact}`);
  process.exit(1);
}
console.log(
  `[synthetic-check] ${target} status=${status} duration=${durationMs}ms budget=${budgetMs}ms artifact=${artifact}`,
);
if (ok && durationMs <= budgetMs) process.exit(0);
console.error('[synthetic-check] Check failed (status or budget overrun).');
process.exit(1);
