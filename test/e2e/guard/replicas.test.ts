/** Two replicas behind one Service: any of them answers, one of them acts, either may leave. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { busy, names, record, replicaPrefix } from '../../../admission/api/keys.ts';
import type { KubeObject } from '../../../admission/api/kinds.ts';
import { type Answer, evict, judged, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import { leads, type ServerProcess } from '../../rig/server-process.ts';
import { runnerNamespace } from '../../rig/spaces.ts';
import { stage } from '../../rig/stage.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { historyTests } from '../support/space-tests.ts';

const test = historyTests('two replicas', { prepare: () => stage('replicas') });

test.after.each(async ({ history }) => {
	assert.equal(await history.violationsAtRest(), []);
});

const numbered = (size: number, prefix: string) =>
	Array.from({ length: size }, (_, index) => `${prefix}-${index}`);

/** Lines that only a leader's loops write. */
const acting = ['runner busy', 'runner idle', 'recorded deletion waits', 'recorded deletion completed'];
const judging = ['deletion recorded', 'deletion denied', 'deletion allowed'];
/** How many of these a replica has logged about pods of this namespace. */
const linesOf = (server: ServerProcess, messages: readonly string[], namespace: string) =>
	server.log.filter(({ msg, pod }) => messages.includes(msg) && String(pod).startsWith(`${namespace}/`))
		.length;

test('30 idle runners deleted at once through both replicas: one DELETE 204 each, and hardly a list', async ({
	rig,
	call,
}) => {
	await runnerNamespace(rig, 'idle');
	const names = numbered(30, 'idle');
	await rig.runners(names.map((name) => ({ name, namespace: 'idle', organization: 'org-idle' })));
	// The leader has seen them all: what follows is the deletions' own.
	await eventually('ids are on the pods', async () =>
		(await rig.pods('idle')).every((pod) => pod.metadata.annotations?.['actions-runner/runner-id']),
	);
	const fromMs = Date.now();
	const answers = await Promise.all(names.map((name) => judged(() => remove(call, 'idle', name))));
	// On a machine with much to do GitHub's answer may come later than the API server waits: then it is recorded, and carried
	// out; or the leader carries it out before the caller's own DELETE is: then that finds nothing.
	for (const { status, message } of answers)
		assert.ok(status === 200 || status === 404 || message.includes('Recorded: '), message);
	for (const name of names) await rig.gone(name, 'idle');
	const deletes = rig.github.calls.filter(
		(one) => one.endpoint === 'delete' && one.scope === 'orgs/org-idle',
	);
	assert.equal(new Set(deletes.map((one) => one.status)), new Set([204]));
	assert.is(deletes.length, names.length);
	const lists = rig.github.count({ endpoint: 'list', scope: 'orgs/org-idle', sinceMs: fromMs });
	// Where a log is not read in time, one list of the last 2 s serves all.
	const looks = Math.floor((Date.now() - fromMs) / 2_000);
	assert.ok(lists <= 2 + looks, `${lists} lists in ${looks * 2} s`);
	const shares = rig.servers.map((server) => linesOf(server, judging, 'idle'));
	console.log(`reviews by replica: ${shares.join(' and ')}`);
	assert.ok(
		shares.every((share) => share > 0),
		'both replicas answer',
	);
});

test('eight DELETEs at once of each of six busy runners, through both replicas: one Event each (F9)', async ({
	rig,
	call,
}) => {
	await runnerNamespace(rig, 'events');
	const names = numbered(6, 'events');
	await rig.runners(names.map((name) => ({ name, namespace: 'events', organization: 'org-events' })));
	for (const name of names) await rig.agents.runJob('events', name);
	await eventually('all are marked busy', async () =>
		(await rig.pods('events')).every((pod) => pod.metadata.labels?.[busy.label] === 'true'),
	);
	const answers = await Promise.all(
		names.flatMap((name) => numbered(8, 'time').map(() => remove(call, 'events', name))),
	);
	assert.equal(new Set(answers.map(({ status }) => status)), new Set([409]));
	const eventNames = async () => {
		type Event = { reason: string; involvedObject: { name: string } };
		const { items } = await rig.kube.get<{ items: Event[] }>('/api/v1/namespaces/events/events');
		return items
			.filter(({ reason }) => reason === 'DeletionRecorded')
			.map(({ involvedObject }) => involvedObject.name)
			.sort();
	};
	await eventually('each has its Event', async () => (await eventNames()).length >= names.length);
	for (const name of names) await rig.agents.endJob('events', name);
	for (const name of names) await rig.gone(name, 'events');
	assert.equal(await eventNames(), names, 'and only those, though they have ended meanwhile');
});

test('only the leader acts: the other writes no marks, completes no deletion, lists nothing at GitHub', async ({
	rig,
	call,
}) => {
	await runnerNamespace(rig, 'lead');
	const names = numbered(12, 'lead');
	await rig.runners(names.map((name) => ({ name, namespace: 'lead', organization: 'org-lead' })));
	for (const name of names) await rig.agents.runJob('lead', name);
	const answers = await Promise.all(
		names.map((name, index) => (index % 2 ? evict : remove)(call, 'lead', name)),
	);
	assert.ok(answers.every((answer) => answer.message.includes('Recorded: ')));
	for (const name of names) await rig.agents.endJob('lead', name);
	for (const name of names) await rig.gone(name, 'lead');
	assert.is(rig.servers.filter(leads).length, 1);
	for (const server of rig.servers) {
		if (leads(server)) assert.ok(linesOf(server, acting, 'lead') > 0);
		else assert.is(linesOf(server, acting, 'lead'), 0);
	}
	assert.is(
		rig.github.count({ endpoint: 'delete', scope: 'orgs/org-lead' }),
		0,
		'their logs say that they work',
	);
});

test('many ask for one runner at once: it is recorded once, by the first, and GitHub is asked once', async ({
	rig,
	call,
	history,
}) => {
	await runnerNamespace(rig, 'many');
	await rig.runners([{ name: 'many-busy', namespace: 'many', organization: 'org-many' }]);
	// Its log does not know of the job yet.
	rig.github.setBusy(rig.agents.runnerId('many', 'many-busy') ?? 0, true);
	const callers = numbered(10, 'caller');
	const answers = await Promise.all(
		callers.map((as, index) => (index % 2 ? evict : remove)(call, 'many', 'many-busy', {}, as)),
	);
	assert.ok(answers.every((answer) => answer.status === 409 || answer.status === 429));
	const first = (await rig.pod('many-busy', 'many'))?.metadata.annotations?.[record.requestedBy] ?? '';
	assert.ok(callers.includes(first));
	assert.ok(rig.github.count({ endpoint: 'delete', scope: 'orgs/org-many' }) <= 1);
	await rig.agents.runJob('many', 'many-busy');
	await rig.agents.endJob('many', 'many-busy');
	await rig.gone('many-busy', 'many');
	await history.settled();
});

test('SIGTERM of a replica during a storm of deletions: no admission call fails, it exits with 0, the other one takes over', async ({
	rig,
	call,
	history,
}) => {
	await runnerNamespace(rig, 'term');
	const busy = numbered(10, 'term-busy');
	const idle = numbered(20, 'term-idle');
	await rig.apply(...[...busy, ...idle].map((name) => runnerSetPod({ name, namespace: 'term' })));
	await rig.agents.waitRegistered([...busy, ...idle], 60_000);
	for (const name of busy) await rig.agents.runJob('term', name);

	const answers: Answer[] = [];
	let storming = true;
	const asking = busy.map(async (name) => {
		while (storming) {
			answers.push(await remove(call, 'term', name, { gracePeriodSeconds: 10 }));
			await sleep(50);
		}
	});
	const deleting = (async () => {
		for (const name of idle) {
			answers.push(await remove(call, 'term', name));
			await sleep(60);
		}
	})();
	await eventually('the storm has begun', () => answers.length >= 20);
	const leader = rig.servers.find(leads);
	assert.ok(leader);
	const fromMs = Date.now();
	assert.is(await rig.terminate(leader), 0);
	console.log(`the leader stopped ${Date.now() - fromMs} ms after SIGTERM`);
	const name = String(leader.log.find(({ msg }) => msg === 'starting')?.replica).slice(-8);
	const status = await rig.kube.get<KubeObject>(
		`/api/v1/namespaces/${names.namespace}/configmaps/${names.status}`,
	);
	const lastNote = status.metadata.annotations?.[`${replicaPrefix}${name}`];
	assert.match(String(lastNote), /^\d+ [01]\.\d\d left$/, 'it says what it has used of the calls to GitHub');
	await eventually('the other one leads', () => rig.servers.some(leads));
	console.log(`the other one leads ${Date.now() - fromMs} ms after SIGTERM`);
	await deleting;
	storming = false;
	await Promise.all(asking);

	const statuses = new Map<number, number>();
	for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
	console.log(`answers: ${[...statuses].map(([status, count]) => `${count} x ${status}`).join(', ')}`);
	// 404: the leader's own DELETE of a pod whose runner has been unregistered was first.
	const failed = answers.filter(({ status }) => ![200, 404, 409].includes(status));
	assert.equal(
		failed.map(({ status, message }) => `${status} ${message}`),
		[],
	);
	for (const { message } of answers) assert.not.match(message, 'failed calling webhook');

	for (const name of busy) await rig.agents.endJob('term', name);
	await history.settled();
	await eventually('all are gone', async () => (await rig.pods('term')).length === 0);
});

test.run();
