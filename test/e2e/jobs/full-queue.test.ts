/**
 * A static runner whose queue is full: a second after each job it gets the next one. Whoever asks for its deletion does not
 * wait until the queue is empty.
 */
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { SetUnderTest } from '../../rig/runner-sets.ts';
import { stage } from '../../rig/stage.ts';
import type { Scope } from '../../sim/simulator.ts';
import type { Space } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';

const test = spaceTests('a static runner in a full queue', {
	prepare: () => stage('sets'),
	ownCredentials: true,
});

/** How long each job takes, and how soon the next one comes, ms. */
const [jobMs, pauseMs] = [4_000, 1_000];
/** Jobs that may end after the deletion was asked for; the one that runs then counts. */
const mostJobs = 2;

/** The runner of a pod whose queue is full. */
interface Asked {
	namespace: string;
	pod: string;
	/** Where it is registered, and nobody else. */
	scope: Scope;
}

/**
 * A second of a machine with much to do is longer: no job comes before the API server has answered so many reads, one
 * after the other. On a quiet machine that takes a small part of the pause.
 */
const readsInPause = 20;

/** Gives it job after job, until it can get none any more. */
async function fullQueue(
	{ agents, kube }: Rig,
	{ namespace, pod }: Asked,
	removed: () => boolean,
): Promise<void> {
	const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
	while (!removed()) {
		await agents.runJob(namespace, pod);
		await rest(jobMs);
		await agents.endJob(namespace, pod);
		const pause = rest(pauseMs);
		for (let read = 0; read < readsInPause; read++) await kube.get(`/api/v1/namespaces/${namespace}/pods`);
		await pause;
	}
}

/** Asks for its deletion in the middle of its second job, and waits until it is gone. */
async function goneSoon(rig: Rig, asked: Asked): Promise<void> {
	const { namespace, pod, scope } = asked;
	const journal = (what: string) =>
		rig.agents.journal.filter(
			(entry) => entry.namespace === namespace && entry.pod === pod && entry.what === what,
		);
	const removed = () => journal('removed-by-github').length > 0;
	const queue = fullQueue(rig, asked, removed);
	await eventually('its second job runs', () => journal('job-started').length === 2);
	const askedMs = Date.now();
	const refused = await rig.kubectl(['-n', namespace, 'delete', 'pod', pod, '--wait=false']);
	assert.match(refused.stderr, 'Recorded: the pod is deleted when');
	await eventually('GitHub has removed it', removed, { withinMs: 120_000 });
	const tookMs = Date.now() - askedMs;
	await queue;
	// A StatefulSet makes another one of its name.
	await eventually('it is gone', () => journal('pod-gone').length > 0);
	const jobs = journal('job-started').length - 1;
	const calls = rig.github.calls.filter(
		(call) => call.scope?.toLowerCase() === scope && call.atMs >= askedMs,
	);
	const lists = calls.filter(({ endpoint, atMs }) => endpoint === 'list' && atMs <= askedMs + tookMs).length;
	const removals = calls.filter(({ endpoint }) => endpoint === 'delete').map(({ status }) => status);
	console.log(
		`gone after ${jobs} jobs, ${Math.round(tookMs / 1000)} s; until then GitHub was asked for ${lists} lists, DELETE ${removals}`,
	);
	assert.ok(jobs <= mostJobs, `${jobs} jobs after the request`);
	assert.equal(journal('job-killed'), []);
	// Its next job may be on its way at the moment of the DELETE: that is what 422 is for, and it happens once at most.
	assert.ok(removals.length <= 2 && removals.at(-1) === 204, `DELETE ${removals}`);
	assert.ok(
		removals.slice(0, -1).every((status) => status === 422),
		`DELETE ${removals}`,
	);
	// While a static runner's deletion waits, its list is read every 3 s; and once for what each of two words asks for.
	const most = Math.ceil(tookMs / 3_000) + 2;
	assert.ok(lists <= most, `${lists} lists in ${tookMs} ms`);
}

const asked = ({ name, scope }: Space): Asked => ({ namespace: name, pod: 'a', scope });

test('with its log alone it is gone within two jobs', async ({ rig, space }) => {
	await space.runners(['a'], { ephemeral: false });
	await goneSoon(rig, asked(space));
});

test('with its job events it is gone within two jobs', async ({ rig, space }) => {
	rig.addWebhook(space.scope);
	await space.runners(['a'], { ephemeral: false });
	await goneSoon(rig, asked(space));
});

test('with its job hooks it is gone within two jobs', async ({ rig }) => {
	const set = await SetUnderTest.make(rig, 'RunnerSet', {
		replicas: 1,
		config: { ephemeral: false },
		ownCredentials: true,
	});
	try {
		const [pod = ''] = set.live();
		await goneSoon(rig, { namespace: set.namespace, pod, scope: set.scope });
		const ran = rig.agents.journal.filter((entry) => entry.pod === pod && entry.what === 'hook-ran');
		assert.ok(ran.length >= 2, 'it has hooks');
		for (const { hook } of ran) assert.is(hook?.exitCode, 0, hook?.output);
	} finally {
		await set.end();
	}
});

test.run();
