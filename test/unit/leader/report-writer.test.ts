import * as assert from 'uvu/assert';
import { names } from '../../../admission/api/keys.ts';
import { type Report, reportKey } from '../../../admission/api/report.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import type { ReportFacts } from '../../../admission/leader/report.ts';
import { writeReports } from '../../../admission/leader/report-writer.ts';
import { suite } from '../../support/suite.ts';
import { noon } from '../runner/pods.ts';
import { ApiServer } from '../support/api-server.ts';
import { SimulatedClock } from '../support/clock.ts';
import { recordingLog } from '../support/log.ts';

const test = suite('writing the report');

const facts: ReportFacts = {
	version: '1.2.3',
	replica: 'host-1',
	leadingSinceMs: noon,
	certificates: {},
	credentials: [],
	pods: [],
	waiting: new Map(),
	logs: { readable: 0, unreadable: 0, lastError: undefined },
	contradictions: {},
	largeObjects: [],
	versions: [],
	guard: { state: 'guarded', webhooks: [] },
	unguardedMs: 4_000,
};

const path = '/api/v1/configmaps';

/** The writer, running for a while against a ConfigMap that holds `before`. */
async function run(
	before: unknown,
	forMs: number,
	options: { ready?: () => boolean; failures?: number; facts?: () => ReportFacts } = {},
) {
	const clock = new SimulatedClock(noon);
	const api = new ApiServer(clock);
	const { log, lines } = recordingLog();
	if (before !== undefined)
		api.put(path, {
			metadata: { name: names.status, namespace: 'own' },
			data: { [reportKey]: JSON.stringify(before) },
		} as never);
	if (options.failures)
		api.fail('PATCH', /configmaps/, new KubeError(403, 'Forbidden', 'no right to'), options.failures);
	const seen = () => (options.ready?.() === false ? undefined : (options.facts?.() ?? facts));
	const stop = new AbortController();
	const writing = writeReports({ client: api, namespace: 'own', facts: seen, clock, log }, stop.signal);
	await clock.pass(forMs);
	stop.abort();
	await clock.pass(1);
	await writing;
	const data = api.find(path, names.status, 'own')?.data;
	return {
		report: data && (JSON.parse(data[reportKey] ?? '') as Report),
		writes: api.callsTo('PATCH', /configmaps/),
		lines,
	};
}

test('one apply under its own name; what was unguarded under earlier leaders is carried on (H2)', async () => {
	const { report, writes } = await run({ guard: { unguardedSeconds: 30 } }, 1_000);
	assert.equal(
		writes.map(({ path, query }) => [path, query]),
		[
			[
				'/api/v1/namespaces/own/configmaps/runners-admission-status',
				{ fieldManager: 'runners-admission', force: true },
			],
		],
	);
	// This process has seen 4 of the 30 s itself, as a follower.
	assert.is(report?.guard.unguardedSeconds, 30);
});

test('a report that is not there, or that somebody has edited: counting begins anew', async () => {
	const odd = ['many', { toString: 1, valueOf: null }, -5, null];
	const edited = [
		null,
		[],
		5,
		{ guard: null },
		...odd.map((seconds) => ({ guard: { unguardedSeconds: seconds } })),
	];
	for (const before of [undefined, ...edited]) {
		const { report } = await run(before, 1_000);
		assert.is(report?.guard.unguardedSeconds, 4);
	}
});

test('nothing is written before the pods are known', async () => {
	let looks = 0;
	const { writes } = await run(undefined, 3_000, { ready: () => ++looks > 1 });
	assert.equal([writes.length, looks], [1, 2]);
});

test('a write that fails is logged once and tried again', async () => {
	const { lines, writes, report } = await run(undefined, 5_000, { failures: 2 });
	assert.equal(
		[writes.length, report?.replica, lines],
		[3, 'host-1', ['warn the status ConfigMap could not be written, retrying']],
	);
});

test('without news it is written again only so that its age tells that the leader lives', async () => {
	const { writes } = await run(undefined, 10 * 60_000);
	assert.ok(writes.length >= 9 && writes.length <= 21, `${writes.length} writes in 10 min`);
});

test.run();
