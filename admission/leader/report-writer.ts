import { names } from '../api/keys.ts';
import { objectPath, resources } from '../api/paths.ts';
import { type Report, reportKey } from '../api/report.ts';
import type { KubeClient } from '../kube/client.ts';
import { applyObject, getObject } from '../kube/objects.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';
import { isDue, newsIn, type ReportFacts, reportOf } from './report.ts';

/** How often it is checked whether the report has changed. */
const checkEveryMs = 2_000;

interface ReportWriterOptions {
	client: KubeClient;
	/** The server's own namespace. */
	namespace: string;
	/** undefined while the cache is not filled. `pods` must be iterable repeatedly; `unguardedMs` is that of this process alone. */
	facts: () => ReportFacts | undefined;
	clock: Clock;
	log: Log;
}

/** Keeps the ConfigMap with the leader's report up to date, until `signal` ends. A write that fails is tried again at the next check. */
export async function writeReports(options: ReportWriterOptions, signal: AbortSignal): Promise<void> {
	const { client, namespace, facts, clock, log } = options;
	const path = objectPath(resources.configMaps, { namespace, name: names.status });
	let earlierMs: number | undefined;
	let written = { news: '', atMs: Number.NEGATIVE_INFINITY };
	let failing = false;

	async function writeIfDue(): Promise<void> {
		const current = facts();
		if (!current) return;
		// The unguarded time that earlier leaders have reported is added to this process's own.
		earlierMs ??= Math.max(0, (await readUnguardedSeconds(client, path)) * 1000 - current.unguardedMs);
		const report = reportOf({ ...current, unguardedMs: earlierMs + current.unguardedMs }, clock.now());
		const news = newsIn(report);
		if (!isDue(written, news, clock.now())) return;
		// An apply creates or replaces it. If two processes write at the same time, the later write stays.
		const configMap = {
			apiVersion: 'v1',
			kind: 'ConfigMap',
			metadata: { name: names.status, namespace, labels: { 'app.kubernetes.io/name': names.server } },
			data: { [reportKey]: `${JSON.stringify(report, undefined, 2)}\n` },
		};
		await applyObject(client, path, configMap, names.fieldManager);
		written = { news, atMs: clock.now() };
	}

	while (!signal.aborted) {
		try {
			await writeIfDue();
			failing = false;
		} catch (error) {
			if (!failing && !signal.aborted)
				log.warn({ error: String(error) }, 'the status ConfigMap could not be written, retrying');
			failing = true;
		}
		await clock.sleep(checkEveryMs, signal);
	}
}

async function readUnguardedSeconds(client: KubeClient, path: string): Promise<number> {
	const configMap = await getObject<{ data?: Record<string, string> }>(client, path);
	let before: unknown;
	try {
		before = JSON.parse(configMap?.data?.[reportKey] ?? '{}');
	} catch {
		return 0; // somebody has edited it, so counting starts again
	}
	const seconds = (before as Partial<Report> | null)?.guard?.unguardedSeconds;
	return typeof seconds === 'number' ? Math.max(0, seconds) : 0;
}
