/**
 * GitHub refuses, is down, or slow: whatever is unknown is busy, and what waited is done when it is back (F3 to F5, F8, F10).
 * How long GitHub is left alone after each, and that an answer after 20 s still counts, is tested with a fake clock in
 * test/unit/github.
 */
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { stage } from '../../rig/stage.ts';
import { runnerSetPod, staticRunnerPod } from '../../sim/pods.ts';
import { startGitHub } from '../../sim/simulator.ts';
import { credentialsSecret, githubSecret, Space, says } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';
import { deletion, knownPath, post, review } from '../support/webhook-post.ts';

const test = spaceTests('GitHub outage', { prepare: () => stage('guard'), ownCredentials: true });

/** Refused by the guard, not by an API server that gave it up after 5 s. */
async function refusedInTime(space: Space, name: string): Promise<string> {
	const said = await space.refused(name);
	assert.not.match(said, 'failed calling webhook');
	return said;
}

const untouched = async (space: Space, ...names: string[]) => {
	for (const name of names) assert.is((await space.pod(name))?.metadata.deletionTimestamp, undefined, name);
};

/** The pod says that its deletion waits, and why; the words of the reason. */
const waits = (space: Space, name: string, reason: string) =>
	eventually(`${name} waits: ${reason}`, async () => {
		const condition = space.condition(await space.pod(name), 'DeletionPending');
		return condition?.status === 'True' && condition.reason === reason ? condition.message : undefined;
	});

test('403 for permission: refused, the permission is named, nothing is let go; other organizations go on; allowed once it is given (F3)', async ({
	rig,
	space,
}) => {
	const other = await Space.make(rig, { token: space.token });
	try {
		await Promise.all([space.runners(['a', 'b']), other.runners(['a'])]);
		const fault = rig.github.fault({ fault: { kind: 'forbidden' }, scope: space.scope });
		for (const name of ['a', 'b'])
			says(await refusedInTime(space, name), 'may be busy: GitHub denies access to it');
		await other.deleted('a');
		const permission = `"Self-hosted runners" read and write on ${space.name} (classic token: admin:org)`;
		for (const name of ['a', 'b']) says(await waits(space, name, 'Forbidden'), permission);
		await untouched(space, 'a', 'b');
		fault.clear();
		// GitHub is asked again after 5 s; the loop tries what is recorded, 'b', later.
		const allowed = async () => (await space.delete('a')).code === 0;
		await eventually('the pod may be deleted', allowed, { everyMs: 1_500 });
		assert.equal(
			space.removals().filter((status) => status !== 403),
			[204],
		);
	} finally {
		await other.clear();
	}
});

test('401: refused, condition CredentialsInvalid; a new token in the Secret is enough, no restart (F4)', async ({
	rig,
	space,
}) => {
	await space.runners(['a', 'b']);
	rig.github.tokens.revoke(space.token);
	says(await refusedInTime(space, 'a'), 'GitHub rejects the credentials');
	await waits(space, 'a', 'CredentialsInvalid');
	says(await refusedInTime(space, 'b'), 'the pod is deleted once they are replaced');
	await untouched(space, 'a', 'b');
	const { pid } = rig.servers[0] ?? {};
	rig.github.tokens.add(`new-${space.token}`);
	const data = { github_token: Buffer.from(`new-${space.token}`).toString('base64') };
	await rig.kube.patch(`/api/v1/namespaces/${space.name}/secrets/${credentialsSecret}`, { data });
	await Promise.all(['a', 'b'].map((name) => space.gone(name)));
	assert.is(rig.servers[0]?.pid, pid);
});

test('a Secret that is missing: refused with its name, others are not held up; done once it is there', async ({
	rig,
	space,
}) => {
	await rig.apply(runnerSetPod(space.options('a', { credentialsSecret: 'later' })));
	await space.registered(['a']);
	await space.runners(['b']);
	says(await refusedInTime(space, 'a'), `no GitHub credentials (Secret ${space.name}/later does not exist`);
	await space.deleted('b');
	await untouched(space, 'a');
	await rig.apply(githubSecret('later', space.name, space.token));
	await space.gone('a');
	assert.equal(space.removals(), [204, 204]);
});

test('a namespace is deleted together with its credentials while a static runner is busy: they are used until it has gone', async ({
	rig,
	space,
}) => {
	await space.runners(['a'], { ephemeral: false });
	await space.runJob('a');
	await space.busy('a');
	await rig.ok(['delete', 'namespace', space.name, '--wait=false']);
	const secrets = `/api/v1/namespaces/${space.name}/secrets`;
	await eventually('its Secrets are gone', async () => {
		const { items } = await rig.kube.get<{ items: unknown[] }>(secrets);
		return items.length === 0;
	});
	const goneMs = Date.now();
	// It is read again after 30 s.
	await eventually(
		'a list long after that',
		() => space.calls('list').some(({ atMs, status }) => atMs > goneMs + 32_000 && status < 400),
		{ withinMs: 120_000, everyMs: 500 },
	);
	await space.endJob('a');
	await space.gone('a');
	assert.is(space.removals().at(-1), 204);
	assert.equal(space.killedJobs(), []);
});

test('GitHub is down: busy or idle, a live runner is kept; stopped ones go, and those on no node; the rest follows without a burst (F5)', async ({
	rig,
	space,
}) => {
	const idle = ['idle-1', 'idle-2', 'idle-3', 'idle-4'];
	await space.runners([...idle, 'busy', 'stopped']);
	await space.runJob('busy');
	await rig.apply(runnerSetPod({ ...space.options('pending'), unbound: true }));
	const sinceMs = Date.now();
	const down = rig.github.fault({ fault: { kind: 'server-error', status: 503 }, scope: space.scope });
	for (const name of idle) says(await refusedInTime(space, name), 'GitHub is unavailable');
	says(await refusedInTime(space, 'busy'), 'runner busy is busy (');
	await space.runJob('stopped');
	await space.endJob('stopped');
	await eventually('stopped', () => space.journal('stopped').includes('container-stopped'));
	for (const name of ['stopped', 'pending']) await space.deleted(name);
	for (const name of idle) await waits(space, name, 'GithubUnavailable');
	await waits(space, 'busy', 'Busy');
	await untouched(space, ...idle, 'busy');
	const outageS = (Date.now() - sinceMs) / 1000;
	const calls = rig.github.count({ scope: space.scope, sinceMs });
	assert.ok(calls <= 4 + outageS / 4, `${calls} calls in ${outageS} s`);
	down.clear();
	await Promise.all(idle.map((name) => space.gone(name)));
	assert.equal(space.removals().filter((status) => status === 204).length, 4);
	await untouched(space, 'busy');
	assert.equal(space.killedJobs(), []);
	const lines = rig.logs(
		(line) => /^GitHub can/.test(line.msg) && String(line.account).startsWith(`${space.name}/`),
	);
	assert.equal(
		lines.map((line) => line.level),
		['warn', 'info'],
		JSON.stringify(lines),
	);
});

test('GitHub answers a DELETE late: the review is answered in time all the same, and the late 204 is believed (F5, F8)', async ({
	rig,
	space,
}) => {
	await space.runners(['a']);
	rig.github.fault({
		// The runner is unregistered before anybody gets the answer. A review has 3 s.
		fault: { kind: 'slow', delayMs: 8_000, effect: 'before' },
		endpoint: 'delete',
		scope: space.scope,
	});
	says(await refusedInTime(space, 'a'), 'GitHub has not answered yet');
	const askedMs = space.calls('delete')[0]?.atMs ?? Number.NaN;
	await untouched(space, 'a');
	await space.gone('a');
	assert.ok(Date.now() - askedMs >= 8_000, 'not before the answer');
	assert.equal(space.removals(), [204]);
});

test('the answer to a DELETE is lost: the runner is found to be gone by id and by name, then the pod goes', async ({
	rig,
	space,
}) => {
	// A static one: an ephemeral one may be finishing a job, and goes a minute later (test/unit/guard/deletion-loop.test.ts).
	await rig.apply(staticRunnerPod(space.options('a')));
	await space.registered(['a']);
	await space.listed(['a']);
	rig.github.fault({
		fault: { kind: 'reset', effect: 'done' },
		endpoint: 'delete',
		scope: space.scope,
		times: 1,
	});
	// Asked once: where the API server has given up on the webhook after 5 s, the next DELETE is allowed.
	const { code, stderr } = await space.kubectl('delete', 'pod', 'a');
	assert.is.not(code, 0);
	says(stderr, /GitHub is unavailable|failed calling webhook .*context deadline exceeded/);
	await space.gone('a');
	assert.equal(space.removals(), [0, 404]);
	assert.ok(space.calls('list').at(-1));
});

test('404 to DELETE while the list still has a busy runner of that name: not believed', async ({
	rig,
	space,
}) => {
	await space.runners(['a']);
	space.assigned('a');
	rig.github.fault({ fault: { kind: 'not-found' }, endpoint: 'delete', scope: space.scope });
	await refusedInTime(space, 'a');
	assert.is(space.removals()[0], 404);
	await space.runJob('a');
	await space.waits('a');
	await untouched(space, 'a');
	assert.equal(space.killedJobs(), []);
});

test('GitHub Enterprise Server: /api/v3, no rate-limit headers; an idle runner goes, a busy one stays (F10)', async ({
	rig,
	space,
}) => {
	const github = await startGitHub({
		basePath: '/api/v3',
		rateLimits: false,
		scopes: [space.scope],
		tokens: [space.token],
	});
	// It is asked as the API server would ask it.
	const server = await rig.startStandby({ githubUrl: github.url });
	try {
		const annotations = { 'test.runners/no-register': 'true' };
		await rig.apply(...['idle', 'busy'].map((name) => runnerSetPod(space.options(name, { annotations }))));
		const allowed: Record<string, boolean> = {};
		for (const name of ['idle', 'busy']) {
			const id = github.addRunner({ scope: space.scope, name });
			github.setBusy(id, name === 'busy');
			const pod = await eventually(`${name} runs`, async () => {
				const found = await space.pod(name);
				return found?.status?.phase === 'Running' && found;
			});
			space.listens(name);
			const request = { ...deletion(pod), name, namespace: space.name };
			const { text } = await post(server.port, await knownPath(rig, '/pods/delete'), review(request));
			allowed[name] = JSON.parse(text).response.allowed;
		}
		assert.equal(allowed, { idle: true, busy: false });
		const removals = github.calls.filter(({ endpoint }) => endpoint === 'delete');
		assert.equal(
			removals.map(({ status }) => status),
			[204, 422],
		);
		assert.equal(
			server.log.filter((line) => /^GitHub can/.test(line.msg)),
			[],
		);
	} finally {
		await server.stop();
		await github.stop();
	}
});

test.run();
