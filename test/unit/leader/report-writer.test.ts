import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { type Report, reportKey } from '../../../admission/api/report.ts';
import { KubeError, type RequestOptions } from '../../../admission/kube/client.ts';
import type { ReportFacts } from '../../../admission/leader/report.ts';
import { writeReports } from '../../../admission/leader/report-writer.ts';
import { eventually } from '../../rig/eventually.ts';
import { suite } from '../../support/suite.ts';
import { fakeClient } from '../kube/fake-client.ts';
import { noon } from '../runner/pods.ts';

const test = suite('writing the report');

const facts: ReportFacts = {
	version: '1.2.3',
	replica: 'host-1',
	leadingSinceMs: noon,
	certificates: {},
	credentials: [],
	pods: [],
	waiting: new Map(),
	guard: { state: 'guarded', webhooks: [] },
	unguardedMs: 4_000,
};

/** Runs the writer against a ConfigMap that holds `before`, until `until` holds. */
async function run(
	before: object | undefined,
	until: (written: Report[], failures: number) => boolean,
	options: { ready?: () => boolean; failing?: () => boolean } = {},
) {
	const written: Report[] = [];
	const sent: { path: string; options: RequestOptions }[] = [];
	const lines: string[] = [];
	let failures = 0;
	const client = fakeClient({
		async request(method, path, request) {
			if (method === 'GET') {
				if (!before) throw new KubeError(404, 'NotFound', 'not found');
				return { data: { [reportKey]: JSON.stringify(before) } };
			}
			if (options.failing?.()) {
				failures += 1;
				throw new KubeError(403, 'Forbidden', 'no right to');
			}
			sent.push({ path, options: request });
			const { data } = request.body as { data: Record<string, string> };
			written.push(JSON.parse(data[reportKey] ?? '') as Report);
			return {};
		},
	});
	const stop = new AbortController();
	const writing = writeReports(
		{
			client,
			namespace: 'own',
			facts: () => (options.ready?.() === false ? undefined : facts),
			now: () => noon,
			log: pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line).msg) }),
		},
		stop.signal,
	);
	await eventually('done', () => until(written, failures));
	stop.abort();
	await writing;
	return { written, sent, lines };
}

test('one apply under its own name; what was unguarded under earlier leaders is carried on (H2)', async () => {
	const { written, sent } = await run({ guard: { unguardedSeconds: 30 } }, (all) => all.length === 1);
	assert.is(sent[0]?.path, '/api/v1/namespaces/own/configmaps/runners-admission-status');
	assert.equal(sent[0]?.options.query, { fieldManager: 'runners-admission', force: true });
	assert.is(sent[0]?.options.contentType, 'application/apply-patch+yaml');
	// This process has seen 4 of the 30 s itself, as a follower.
	assert.is(written[0]?.guard.unguardedSeconds, 30);
});

test('a report that is not there, or that somebody has edited: counting begins anew', async () => {
	for (const before of [undefined, { guard: { unguardedSeconds: 'many' } }, []]) {
		const { written } = await run(before, (all) => all.length === 1);
		assert.is(written[0]?.guard.unguardedSeconds, 4);
	}
});

test('nothing is written before the pods are known', async () => {
	let looks = 0;
	const { written } = await run(undefined, (all) => all.length === 1, { ready: () => ++looks > 1 });
	assert.equal([written.length, looks], [1, 2]);
});

test('a write that fails is told once and tried again', async () => {
	let times = 0;
	const { lines } = await run(undefined, (all) => all.length === 1, { failing: () => ++times <= 2 });
	assert.equal([times, lines], [3, ['status ConfigMap not written, retrying']]);
});

test.run();
