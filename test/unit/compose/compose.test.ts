/** One replica as serve.ts puts it together, at an API server and a GitHub in memory, on a simulated clock. */
import { randomBytes } from 'node:crypto';
import * as assert from 'uvu/assert';
import { autoscaleKinds } from '../../../admission/api/autoscale.ts';
import { collectionPath, resources } from '../../../admission/api/paths.ts';
import { apiVersion } from '../../../admission/api/sets.ts';
import { bootstrap } from '../../../admission/compose/bootstrap.ts';
import { type Composed, compose } from '../../../admission/compose/compose.ts';
import type { Edges } from '../../../admission/compose/edges.ts';
import { readSettings } from '../../../admission/flags.ts';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { suite } from '../../support/suite.ts';
import { ApiServer } from '../support/api-server.ts';
import { SimulatedClock } from '../support/clock.ts';
import { recordingLog } from '../support/log.ts';
import { paths } from '../support/world.ts';

const test = suite('compose');
const minute = 60_000;
const leases = collectionPath(resources.leases);

/** A cluster with a RunnerSet of two runners, and one replica that is composed but does not run yet. */
async function world(controllers: string) {
	const clock = new SimulatedClock();
	const api = new ApiServer(clock);
	api.serve(...Object.values(paths), ...Object.values(autoscaleKinds).map((kind) => collectionPath(kind)));
	api.put(paths.nodes, { metadata: { name: 'node-1' } });
	for (const name of ['ci', 'runners-system']) api.put(paths.namespaces, { metadata: { name } });
	api.put(paths.runnerSets, {
		apiVersion,
		kind: 'RunnerSet',
		metadata: { name: 'linux', namespace: 'ci' },
		spec: { replicas: 2, organization: 'octo-org', template: { metadata: {}, spec: {} } },
	} as never);
	const { log, lines } = recordingLog();
	const asked: string[] = [];
	const edges: Edges = {
		client: api,
		clock,
		fetch: async (url, { method }) => {
			const { pathname } = new URL(url);
			asked.push(`${method} ${pathname}`);
			const token = { token: 'secret', expires_at: new Date(clock.now() + 60 * minute).toISOString() };
			const body = method === 'POST' ? token : { total_count: 0, runners: [] };
			const text = JSON.stringify(body);
			return {
				url,
				status: method === 'POST' ? 201 : 200,
				headers: new Map([['content-type', 'application/json']]),
				text: async () => text,
				arrayBuffer: async () => new TextEncoder().encode(text).buffer as ArrayBuffer,
			};
		},
		newKey: () => randomBytes(32),
		self: 'replica-0001-abcdefgh',
		env: { GITHUB_TOKEN: 'ghp_test' },
		version: '0.0.0',
		userAgent: 'test',
		metrics: new Metrics(clock),
		log,
	};
	const settings = { ...readSettings({ controllers }, {}), jobsPort: 0, eventsPort: 0 };
	const server = compose(settings, edges, await bootstrap(settings, edges, 'system:server'));
	return { clock, api, asked, lines, server, pods: () => api.all(paths.pods).length };
}

/** Runs all loops until `stop`, which fails if a timer is left behind. */
function run({ loops, accounts, events }: Composed, clock: SimulatedClock) {
	const end = new AbortController();
	const running = Promise.all(loops.map((loop) => loop(end.signal)));
	return async () => {
		end.abort();
		events.stop();
		accounts.close();
		await clock.pass(minute);
		await running;
		assert.is(clock.waiting, 0, 'timers are left behind');
	};
}

test('nothing runs before its loops do: no call and no timer', async () => {
	const { clock, api, asked, server } = await world('*');
	const calls = api.calls.length;
	await clock.pass(60 * minute);
	assert.equal([api.calls.length, asked, server.webhook.server.listening], [calls, [], false]);
	assert.is(clock.waiting, 0);
});

test('with all controllers: it becomes the leader and creates the runners of a set, by the edges that it was given', async () => {
	const { clock, api, asked, server, pods } = await world('*');
	const stop = run(server, clock);
	await clock.until('both runners have a pod', () => pods() === 2, minute);
	assert.is(api.all(leases).length, 1);
	assert.ok(asked.includes('POST /orgs/octo-org/actions/runners/registration-token'), asked.join());
	assert.ok(server.replicas.leads);
	await stop();
	assert.not.ok(server.replicas.leads);
});

test('with `deletion` alone: it leads, and leaves sets alone', async () => {
	const { clock, api, server, pods, asked } = await world('deletion');
	const stop = run(server, clock);
	await clock.pass(5 * minute);
	assert.equal([api.all(leases).length, pods(), asked], [1, 0, []]);
	await stop();
});

test.run();
