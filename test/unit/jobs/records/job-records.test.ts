/** Records of jobs, as replicas write them at the API server, and which jobs are recorded. */

import * as assert from 'uvu/assert';
import { autoscaleKinds } from '../../../../admission/api/autoscale.ts';
import { collectionPath } from '../../../../admission/api/paths.ts';
import { setKinds } from '../../../../admission/api/sets.ts';
import { eventRecorder, JobRecords, type Written } from '../../../../admission/jobs/records/job-records.ts';
import { factsOfEvent, type JobFacts } from '../../../../admission/jobs/records/rules/facts.ts';
import { fitting } from '../../../../admission/jobs/records/rules/labels.ts';
import { earlierName, recordName } from '../../../../admission/jobs/records/rules/name.ts';
import {
	countEveryMs,
	countedAtOnce,
	countPage,
	mostRecords,
	mostWithoutSet,
	pastLabelLastsMs,
	tries,
} from '../../../../admission/jobs/records/rules/policy.ts';
import { SetLabels } from '../../../../admission/jobs/records/set-labels.ts';
import { KubeError } from '../../../../admission/kube/client.ts';
import { Metrics } from '../../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../../admission/time/system-clock.ts';
import { suite } from '../../../support/suite.ts';
import { ApiServer } from '../../support/api-server.ts';
import { SimulatedClock } from '../../support/clock.ts';
import { recordingLog } from '../../support/log.ts';
import { payload } from '../events/payload.ts';

const test = suite('records of jobs');

const records = collectionPath(autoscaleKinds.workflowJob);
const namespace = 'runners-system';
const waits = { runner_id: null, runner_name: null, runner_group_id: null, runner_group_name: null };
const end = { completed_at: '2026-11-23T12:05:00Z', conclusion: 'success' };

const facts = (action = 'queued', job: Record<string, unknown> = {}): JobFacts => {
	const more = action === 'completed' ? end : action === 'queued' ? waits : {};
	const read = factsOfEvent(
		payload({ action, job: { ...more, ...job } }),
		Date.parse('2026-11-23T12:01:00Z'),
	);
	assert.ok(read);
	return read as JobFacts;
};

function setUp() {
	const clock = new SimulatedClock('2026-11-23T12:01:00Z');
	const api = new ApiServer(clock);
	const replica = () => new JobRecords({ client: api, namespace, clock });
	const one = replica();
	const write = async (said: JobFacts, by = one): Promise<Written> => {
		const [written] = await Promise.all([by.write(said, 'event'), clock.pass(500)]);
		return written;
	};
	const record = (id = 7) =>
		api.find(records, recordName({ host: 'github.com', repository: 'octo-org/app', id }), namespace);
	const writes = () =>
		api.callsTo('POST', /workflowjobs/).length + api.callsTo('PATCH', /workflowjobs/).length;
	const fails = async (said: JobFacts, code: number) => {
		const failed = await Promise.all([
			one.write(said, 'event').then(
				() => undefined,
				(error: unknown) => error as KubeError,
			),
			clock.pass(20_000),
		]);
		assert.is(failed[0]?.code, code);
	};
	return { clock, api, replica, write, record, writes, fails };
}

test('a job from its first event to its last: one object, a write for each change', async () => {
	const { write, record, writes } = setUp();
	assert.is(await write(facts('queued')), 'recorded');
	assert.equal(record()?.spec, {
		host: 'github.com',
		id: 7,
		repository: 'octo-org/app',
		runId: 42,
		runAttempt: 2,
		workflow: 'CI',
		name: 'build (20)',
		url: 'https://github.com/octo-org/app/actions/runs/42/job/7',
		labels: ['self-hosted', 'linux'],
		state: 'queued',
		createdAt: '2026-11-23T12:00:40.000Z',
		deliveredAt: '2026-11-23T12:01:00.000Z',
		stateSince: '2026-11-23T12:01:00.000Z',
		openedAt: '2026-11-23T12:01:00.000Z',
	});
	assert.is(record()?.kind, 'WorkflowJob');
	assert.is(await write(facts('queued')), 'unchanged');
	assert.is(await write(facts('in_progress')), 'recorded');
	assert.is(record()?.spec?.runnerName, 'r1');
	assert.is(await write(facts('queued')), 'unchanged');
	assert.is(await write(facts('completed')), 'recorded');
	assert.is(await write(facts('in_progress')), 'unchanged');
	assert.is(record()?.spec?.state, 'completed');
	// A `queued` is taken for new: where it is not, the record that exists refuses it.
	assert.is(writes(), 3 + 2);
});

test("the id of another owner's job reaches nothing of it", async () => {
	const { write, api, record } = setUp();
	const evil = { ...facts('completed'), repository: 'evil-org/app' };
	await write(evil);
	assert.is(await write(facts('queued')), 'recorded');
	await write({ ...evil, deliveredAt: '2026-11-23T12:30:00.000Z' });
	assert.is(record()?.spec?.state, 'queued');
	assert.is(record()?.spec?.repository, 'octo-org/app');
	assert.is(api.all(records).length, 2);
});

test("the record that an earlier version has made of a job goes on; another owner's of that name is left alone", async () => {
	const { write, api } = setUp();
	const name = earlierName({ host: 'github.com', repository: 'octo-org/app', id: 7 });
	await write(facts('queued'));
	const [before] = api.all(records);
	api.drop(records, before?.metadata.name ?? '', namespace);
	api.put(records, { ...before, metadata: { name, namespace } } as never);
	assert.is(await write(facts('queued')), 'unchanged');
	assert.is(await write(facts('in_progress')), 'recorded');
	assert.is(await write({ ...facts('completed'), repository: 'evil-org/app' }), 'recorded');
	assert.equal(
		api.all(records).map(({ spec }) => [spec?.repository, spec?.state]),
		[
			['octo-org/app', 'in_progress'],
			['evil-org/app', 'completed'],
		],
	);
});

test('completed first: a record that opens nothing; a skipped job leaves none', async () => {
	const { write, record, writes } = setUp();
	await write(facts('completed'));
	assert.is(record()?.spec?.openedAt, undefined);
	assert.is(await write(facts('queued')), 'unchanged');
	assert.is(record()?.spec?.state, 'completed');
	const before = writes();
	assert.is(await write(facts('completed', { id: 8, conclusion: 'skipped' })), 'unchanged');
	assert.is(writes(), before);
});

test('two replicas at a time, each event at both: the record is the same, and nobody overwrites the other', async () => {
	for (let seed = 0; seed < 20; seed++) {
		const { clock, api, replica, record } = setUp();
		const both = [replica(), replica()];
		api.latencyMs = 7;
		const all = ['queued', 'in_progress', 'completed'].flatMap((action) =>
			both.map((by) => ({ by, action, atMs: Math.floor(clock.random() * 60) + seed })),
		);
		const written = all.map(async ({ by, action, atMs }) => {
			await clock.sleep(atMs);
			return by.write(facts(action), 'event');
		});
		await clock.pass(5_000);
		const results = await Promise.all(written);
		assert.is(record()?.spec?.state, 'completed');
		assert.is(record()?.spec?.conclusion, 'success');
		assert.ok(results.filter((result) => result === 'recorded').length <= 3);
	}
});

test('a status that the leader writes meanwhile stays', async () => {
	const { clock, api, write, replica, record } = setUp();
	await write(facts('queued'));
	api.latencyMs = 10;
	const writing = replica().write(facts('in_progress'), 'event');
	await clock.until('it is read', () => api.callsTo('GET', /workflowjobs\//).length > 0);
	await clock.pass(12);
	api.update(
		records,
		recordName({ host: 'github.com', repository: 'octo-org/app', id: 7 }),
		namespace,
		(job) => {
			job.status = { reason: 'Starting' };
		},
	);
	await clock.pass(1_000);
	assert.is(await writing, 'recorded');
	assert.equal(record()?.status, { reason: 'Starting' });
	assert.is(record()?.spec?.state, 'in_progress');
});

test('others change it at every try: 409 after ten, so that GitHub keeps the event as failed', async () => {
	const { api, write, fails } = setUp();
	await write(facts('queued'));
	api.fail('PATCH', /workflowjobs/, new KubeError(409, 'Conflict', 'changed'));
	await fails(facts('in_progress'), 409);
	assert.is(api.callsTo('PATCH', /workflowjobs/).length, tries);
});

test('the API server refuses, or does not answer: the write fails within 5 s', async () => {
	for (const [method, fault, code] of [
		['GET', new KubeError(500, 'InternalError', 'etcd is away'), 500],
		['POST', new KubeError(403, 'Forbidden', 'no right'), 403],
		['POST', 'no answer', 0],
		['GET', 'no answer', 0],
	] as const) {
		const { clock, api, fails } = setUp();
		api.fail(method, /workflowjobs/, fault);
		const fromMs = clock.now();
		const failed = fails(facts('queued'), code);
		await clock.pass(5_000);
		assert.ok(clock.now() - fromMs <= 5_000);
		await failed;
	}
});

test('deleted while it is written: it is made anew, so that no job is lost', async () => {
	const { clock, api, write, replica, record } = setUp();
	await write(facts('queued'));
	api.latencyMs = 10;
	const writing = replica().write(facts('in_progress'), 'event');
	await clock.until('it is read', () => api.callsTo('GET', /workflowjobs\//).length > 0);
	await clock.pass(12);
	api.drop(records, recordName({ host: 'github.com', repository: 'octo-org/app', id: 7 }), namespace);
	await clock.pass(1_000);
	assert.is(await writing, 'recorded');
	assert.is(record()?.spec?.state, 'in_progress');
});

test('not installed: absent, and no error is thrown', async () => {
	const { api, write } = setUp();
	api.fail('POST', /workflowjobs$/, new KubeError(404, 'NotFound', 'page not found'));
	api.fail('GET', /workflowjobs$/, new KubeError(404, 'NotFound', 'page not found'));
	assert.is(await write(facts('queued')), 'absent');
	assert.is(await write(facts('completed')), 'absent');
});

test('an event where the server may not write records: absent, and logged once a minute; other errors are thrown', async () => {
	const { log, lines } = recordingLog();
	const clock = new SimulatedClock();
	let error = new KubeError(403, 'Forbidden', 'no right');
	const write = () => Promise.reject(error);
	const record = eventRecorder({ sets: { served: true, known: undefined }, records: { write }, clock, log });
	for (let minute = 1; minute <= 3; minute++) {
		error = new KubeError(minute === 2 ? 404 : 403, '', 'no');
		for (let index = 0; index < 5; index++) assert.is(await record(facts('queued')), 'absent');
		assert.is(lines.filter((line) => line.startsWith('warn the server may not record jobs')).length, minute);
		await clock.pass(60_000);
	}
	for (const code of [0, 409, 422, 500]) {
		error = new KubeError(code, '', 'failure');
		const thrown = await record(facts('queued')).catch((reason: unknown) => reason);
		assert.is(thrown, error);
	}
});

test('as many records as may be: no further one; those that there are go on; they are counted every 10 s for each 2,000', async () => {
	const { clock, api, write, record } = setUp();
	const most = mostRecords - mostWithoutSet;
	for (let index = 0; index < most - 2; index++)
		api.put(records, { metadata: { name: `other-${index}`, namespace }, spec: {} } as never);
	assert.is(await write(facts('queued', { id: 1 })), 'recorded');
	assert.is(await write(facts('queued', { id: 2 })), 'recorded');
	assert.is(await write(facts('queued', { id: 3 })), 'overflow');
	assert.is(await write(facts('completed', { id: 4 })), 'overflow');
	assert.is(record(3), undefined);
	assert.is(await write(facts('completed', { id: 1 })), 'recorded');
	const pages = Math.ceil((most - 2) / countPage);
	assert.is(api.callsTo('GET', /workflowjobs$/).length, pages);
	for (let index = 0; index < 10; index++) api.drop(records, `other-${index}`, namespace);
	await clock.pass(countEveryMs * Math.ceil((most + 1) / countedAtOnce));
	assert.is(await write(facts('queued', { id: 3 })), 'recorded');
	assert.is(api.callsTo('GET', /workflowjobs$/).length, 2 * pages);
});

test("79 runs of a matrix of 256 with a mistyped label: a job that a set could run is recorded, whoever's", async () => {
	const { clock, api } = setUp();
	const { log } = recordingLog();
	const one = new JobRecords({ client: api, namespace, clock });
	const known = {
		labels: new Set(['gpu']),
		any: true,
		scopes: new Set(['octo-org']),
		fits: fitting([{ scope: 'octo-org', labels: ['gpu'] }]),
	};
	const record = eventRecorder({ sets: { served: true, known }, records: one, clock, log });
	const results = new Map<string, number>();
	const says = async (said: JobFacts) => {
		const [written] = await Promise.all([record(said), clock.pass(5)]);
		results.set(written, (results.get(written) ?? 0) + 1);
		return written;
	};
	for (let id = 1; id <= 1_500; id++)
		await says({ ...facts('queued', { id, labels: ['self-hosted', 'gqu'] }), repository: 'evil-org/app' });
	assert.equal(
		[...results],
		[
			['recorded', mostWithoutSet / 2],
			['no-set', 1_500 - mostWithoutSet / 2],
		],
	);
	assert.is(await says(facts('queued', { id: 9_001, labels: ['self-hosted', 'gpu'] })), 'recorded');
	assert.is(
		await says(facts('queued', { id: 9_002, labels: ['self-hosted', 'gqu'] })),
		'recorded',
		'octo-org sees its mistake',
	);
});

/** What the schema of ours refuses, and that of somebody else's kind of the same name may not. */
const oddLabels: unknown[] = [null, 7, 'gpu', {}, { flatMap: 1 }, [null, 7, {}, ['x'], true, undefined]];

const watchesSets = () => {
	const clock = new SimulatedClock();
	const api = new ApiServer(clock);
	const { log, lines } = recordingLog();
	const sets = new SetLabels({ client: api, metrics: new Metrics(systemClock), clock, log });
	const stop = new AbortController();
	const state = { asked: 0 };
	const running = sets.run(stop.signal, () => {
		state.asked += 1;
	});
	const leave = () => {
		stop.abort();
		return Promise.all([running, clock.pass(10_000)]);
	};
	const put = (
		kind: 'runnerSet' | 'runnerDeployment',
		name: string,
		labels: string[] | undefined,
		organization?: string,
	) => {
		const runner = { labels, organization };
		const spec = kind === 'runnerSet' ? runner : { template: { spec: runner } };
		api.put(collectionPath(setKinds[kind]), { metadata: { name, namespace: 'ci' }, spec } as never);
	};
	const writes: JobFacts[] = [];
	const write = async (said: JobFacts): Promise<Written> => {
		writes.push(said);
		return 'recorded';
	};
	const recorder = eventRecorder({ sets, records: { write }, clock, log });
	const record = (labels: readonly string[]) => recorder(facts('queued', { labels }));
	return { clock, api, sets, state, put, record, writes, leave, lines };
};

test('labels of both kinds of sets decide, as soon as they are there, and a day longer than they are', async () => {
	const { clock, api, put, record, leave, writes } = watchesSets();
	api.serve(records);
	put('runnerSet', 's1', ['GPU', 'big, huge']);
	await clock.pass(4_000);
	assert.is(await record(['gpu']), 'recorded');
	assert.is(await record(['huge']), 'recorded');
	assert.is(await record(['arm']), 'recorded');
	assert.is(await record(['small']), 'hosted');
	assert.is(await record([]), 'hosted');
	put('runnerDeployment', 'd1', ['small']);
	put('runnerDeployment', 'd2', ['other'], 'Octo-Org');
	await clock.pass(10);
	assert.is(await record(['small']), 'recorded');
	assert.is(await record([]), 'recorded');
	api.drop(collectionPath(setKinds.runnerDeployment), 'd1', 'ci');
	api.drop(collectionPath(setKinds.runnerDeployment), 'd2', 'ci');
	put('runnerSet', 's1', ['gpu']);
	await clock.pass(10);
	for (const label of ['small', 'huge', 'gpu']) assert.is(await record([label]), 'recorded', label);
	assert.is(await record([]), 'hosted');
	await clock.pass(pastLabelLastsMs);
	for (const label of ['small', 'huge']) assert.is(await record([label]), 'hosted', label);
	assert.is(await record(['gpu']), 'recorded');
	assert.is(writes.length, 9);
	await leave();
});

test('before the sets are known, any job is recorded that is not clearly one of GitHub-hosted runners', async () => {
	const { clock, api, record, sets, leave } = watchesSets();
	api.serve(records);
	api.fail('GET', /runnersets/, new KubeError(403, 'Forbidden', 'no right'), 3);
	await clock.pass(100);
	assert.is(sets.known, undefined);
	assert.is(await record(['gpu']), 'recorded');
	assert.is(await record(['ubuntu-latest']), 'hosted');
	await clock.pass(20_000);
	assert.is(await record(['gpu']), 'hosted');
	await leave();
});

test('sets that no schema has checked: each counts by the labels that can be read, and the others are followed', async () => {
	const { clock, api, put, record, sets, leave, lines } = watchesSets();
	api.serve(records);
	const odd = [undefined, null, 7, 'text', [], {}];
	const templates = [
		...odd,
		...oddLabels.map((labels) => ({ spec: { labels } })),
		{ spec: null },
		{ spec: 7 },
	];
	const specs = [
		...odd,
		...oddLabels.map((labels) => ({ labels })),
		...templates.map((template) => ({ template })),
	];
	const putAll = (suffix: string) => {
		for (const kind of [setKinds.runnerSet, setKinds.runnerDeployment])
			for (const [index, spec] of specs.entries())
				api.put(collectionPath(kind), {
					metadata: { name: `odd-${suffix}${index}`, namespace: 'ci' },
					spec,
				} as never);
	};
	putAll('before-');
	put('runnerSet', 'mixed', [7, 'GPU', null] as never);
	await clock.pass(4_000);
	assert.ok(sets.known);
	assert.is(await record(['gpu']), 'recorded');
	assert.is(await record(['small']), 'hosted');
	putAll('after-');
	putAll('before-');
	put('runnerDeployment', 'd1', ['small']);
	await clock.pass(100);
	assert.is(await record(['small']), 'recorded');
	assert.equal(
		lines.filter((line) => !line.startsWith('info')),
		[],
	);
	await leave();
});

test('where records are not installed nothing is recorded, ARC sets or not; from when they are, it is', async () => {
	const { clock, api, record, state, leave, writes } = watchesSets();
	api.serve(collectionPath(setKinds.runnerSet));
	await clock.pass(100);
	assert.is(state.asked, 1);
	assert.is(await record(['self-hosted']), 'absent');
	assert.is(writes.length, 0);
	api.serve(records);
	await clock.pass(4_000);
	assert.is(await record(['self-hosted']), 'recorded');
	await leave();
});

test.run();
