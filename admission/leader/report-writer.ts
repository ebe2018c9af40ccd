import { names } from '../api/keys.ts';
import { objectPath, resources } from '../api/paths.ts';
import { type Report, reportKey } from '../api/report.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { applyObject, getObject } from '../kube/objects.ts';
import type { Log } from '../telemetry/log.ts';
import { isDue, newsIn, type ReportFacts, reportOf } from './report.ts';

/** How often it is looked whether there is news. */
const lookEveryMs = 2_000;

export interface ReportWriterOptions {
	client: KubeClient;
	/** The server's own. */
	namespace: string;
	/** undefined: too early to tell. `pods` must be iterable again and again; `unguardedMs` is of this process alone. */
	facts: () => ReportFacts | undefined;
	clock: Clock;
	log: Log;
}

/** Keeps the ConfigMap with the leader's report, until `signal` ends. A write that fails is tried at the next look. */
export async function writeReports(options: ReportWriterOptions, signal: AbortSignal): Promise<void> {
	const { client, namespace, facts, clock, log } = options;
	const path = objectPath(resources.configMaps, { namespace, name: names.status });
	let earlierMs: number | undefined;
	let written = { news: '', atMs: Number.NEGATIVE_INFINITY };
	let failing = false;

	async function look(): Promise<void> {
		const seen = facts();
		if (!seen) return;
		// Time that was unguarded before this process counts on, whoever led.
		earlierMs ??= Math.max(0, (await readUnguardedSeconds(client, path)) * 1000 - seen.unguardedMs);
		const report = reportOf({ ...seen, unguardedMs: earlierMs + seen.unguardedMs }, clock.now());
		const news = newsIn(report);
		if (!isDue(written, news, clock.now())) return;
		// Applied, so that the first write needs no look whether it is there. Two leaders at once: the later one stands.
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
			await look();
			failing = false;
		} catch (error) {
			if (!failing && !signal.aborted)
				log.warn({ error: String(error) }, 'status ConfigMap not written, retrying');
			failing = true;
		}
		await clock.sleep(lookEveryMs, signal);
	}
}

async function readUnguardedSeconds(client: KubeClient, path: string): Promise<number> {
	const configMap = await getObject<{ data?: Record<string, string> }>(client, path);
	try {
		const before = JSON.parse(configMap?.data?.[reportKey] ?? '{}') as Partial<Report>;
		return Number(before.guard?.unguardedSeconds) || 0;
	} catch (error) {
		if (error instanceof SyntaxError) return 0; // somebody has edited it: counting starts again
		throw error;
	}
}
