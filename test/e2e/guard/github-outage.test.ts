/** GitHub refuses, is down, or slow: whatever is unknown is busy, and what waited is done when it is back (F3 to F5, F8, F10). */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { credentialsSecret, end, Space, says } from '../support/space.ts';

const test = suite<{ rig: Rig; space: Space }>('GitHub outage');

/** Recorded deletions are finished this long after an outage; after 401 and 403, which people mend, it is 90 s. */
const doneWithinMs = 45_000;
const mendedWithinMs = 90_000;

test.before(async (context) => {
	context.rig = await startRig();
});
test.after(({ rig }) => end(rig));
test.before.each(async (context) => {
	context.space = await Space.make(context.rig, { ownCredentials: true });
});
test.after.each(async ({ space, rig }) => {
	rig.github.clearFaults();
	await space.clear();
});

/** The admission must answer within 3 s; kubectl and a loaded machine take the rest. */
const answeredWithinMs = 5_000;

async function refusedInTime(space: Space, name: string): Promise<string> {
	const done = await space.delete(name);
	assert.is.not(done.code, 0, done.stdout);
	assert.ok(done.elapsedMs < answeredWithinMs, `${done.elapsedMs} ms`);
	assert.not.match(done.stderr, 'failed calling webhook');
	return done.stderr;
}

const untouched = async (space: Space, ...names: string[]) => {
	for (const name of names) assert.is((await space.pod(name))?.metadata.deletionTimestamp, undefined, name);
};

test('403 for permission: refused, the permission is named, nothing is let go; other organizations go on; done once it is given (F3)', async ({
	rig,
	space,
}) => {
	const other = await Space.make(rig, { ownCredentials: true });
	try {
		await other.ok('delete', 'secret', credentialsSecret);
		await other.ok(
			'create',
			'secret',
			'generic',
			credentialsSecret,
			`--from-literal=github_token=${space.token}`,
		);
		await Promise.all([space.runners(['a', 'b']), other.runners(['a'])]);
		const fault = rig.github.fault({ fault: { kind: 'forbidden' }, scope: space.scope });
		says(await refusedInTime(space, 'a'), 'the GitHub credentials may not manage this runner');
		says(
			await refusedInTime(space, 'b'),
			`"Self-hosted runners" read and write on ${space.name} (classic token: admin:org)`,
		);
		await other.deleted('a');
		await sleep(8_000);
		await untouched(space, 'a', 'b');
		const condition = space.condition(await space.pod('a'), 'DeletionPending');
		assert.equal([condition?.status, condition?.reason], ['True', 'Forbidden']);
		assert.equal(
			space.removals().filter((status) => status !== 403),
			[],
		);
		fault.clear();
		await Promise.all(['a', 'b'].map((name) => space.gone(name, mendedWithinMs)));
		assert.equal(space.removals().filter((status) => status === 204).length, 2);
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
	says(await refusedInTime(space, 'a'), 'GitHub does not accept the credentials');
	await eventually('the condition', async () => {
		const condition = space.condition(await space.pod('a'), 'DeletionPending');
		return condition?.status === 'True' && condition.reason === 'CredentialsInvalid';
	});
	says(await refusedInTime(space, 'b'), 'the pod is deleted once they are replaced');
	await untouched(space, 'a', 'b');
	const { pid } = rig.servers[0] ?? {};
	rig.github.tokens.add(`new-${space.token}`);
	const data = { github_token: Buffer.from(`new-${space.token}`).toString('base64') };
	await space.ok('patch', 'secret', credentialsSecret, '-p', JSON.stringify({ data }));
	await Promise.all(['a', 'b'].map((name) => space.gone(name, mendedWithinMs)));
	assert.is(rig.servers[0]?.pid, pid);
});

test('a Secret that is missing: refused with its name, others are not held up; done once it is there', async ({
	rig,
	space,
}) => {
	const more = { credentialsSecret: 'not-there-yet' };
	await rig.apply(runnerSetPod(space.options('a', more)));
	await space.registered(['a']);
	await space.runners(['b']);
	says(await refusedInTime(space, 'a'), `Secret ${space.name}/not-there-yet does not exist`);
	await space.deleted('b');
	await untouched(space, 'a');
	await space.ok(
		'create',
		'secret',
		'generic',
		'not-there-yet',
		`--from-literal=github_token=${space.token}`,
	);
	await space.gone('a', doneWithinMs);
	assert.equal(space.removals(), [204, 204]);
});

test('GitHub is down: busy or idle, a live runner is kept; stopped and never started ones go; the rest follows without a burst (F5)', async ({
	rig,
	space,
}) => {
	const idle = ['idle-1', 'idle-2', 'idle-3', 'idle-4'];
	await space.runners([...idle, 'busy', 'stopped']);
	await space.runJob('busy');
	await rig.apply(
		runnerSetPod(space.options('pending', { annotations: { 'test.runners/hold-start': 'true' } })),
	);
	const sinceMs = Date.now();
	const down = rig.github.fault({ fault: { kind: 'server-error', status: 503 }, scope: space.scope });
	for (const name of [...idle, 'busy']) says(await refusedInTime(space, name), 'GitHub can not be asked');
	await space.runJob('stopped');
	await space.endJob('stopped');
	await eventually('stopped', () => space.journal('stopped').includes('container-stopped'));
	for (const name of ['stopped', 'pending']) await space.deleted(name);
	await sleep(10_000);
	down.clear();
	const reset = rig.github.fault({ fault: { kind: 'reset' }, scope: space.scope });
	await sleep(10_000);
	await untouched(space, ...idle, 'busy');
	const outageS = (Date.now() - sinceMs) / 1000;
	const calls = rig.github.count({ scope: space.scope, sinceMs });
	assert.ok(calls <= 4 + outageS / 4, `${calls} calls in ${outageS} s`);
	reset.clear();
	await Promise.all(idle.map((name) => space.gone(name, doneWithinMs)));
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

test('GitHub hangs: answered within 3 s all the same, and done when it is back (F5, F8)', async ({
	rig,
	space,
}) => {
	await space.runners(['a']);
	const hang = rig.github.fault({ fault: { kind: 'hang' }, scope: space.scope });
	says(await refusedInTime(space, 'a'), 'GitHub has not answered yet');
	await refusedInTime(space, 'a');
	await untouched(space, 'a');
	hang.clear();
	await space.gone('a', doneWithinMs);
});

for (const effect of ['before', 'after'] as const) {
	test(`GitHub answers a DELETE after 20 s, done ${effect} it waits: kubectl hears within 3 s, the late 204 is believed (F8)`, async ({
		rig,
		space,
	}) => {
		await space.runners(['a']);
		rig.github.fault({
			fault: { kind: 'slow', delayMs: 20_000, effect },
			endpoint: 'delete',
			scope: space.scope,
		});
		const sinceMs = Date.now();
		says(await refusedInTime(space, 'a'), 'GitHub has not answered yet');
		await untouched(space, 'a');
		await space.gone('a', 30_000);
		assert.ok(Date.now() - sinceMs >= 20_000, 'not before the answer');
		assert.equal(space.removals(), [204]);
	});
}

test('the answer to a DELETE is lost: the runner is found to be gone by id and by name, then the pod goes', async ({
	rig,
	space,
}) => {
	await space.runners(['a']);
	rig.github.fault({
		fault: { kind: 'reset', effect: 'done' },
		endpoint: 'delete',
		scope: space.scope,
		times: 1,
	});
	says(await refusedInTime(space, 'a'), 'GitHub can not be asked');
	await space.gone('a', doneWithinMs);
	assert.equal(space.removals(), [0, 404]);
	assert.ok(space.calls('list').at(-1));
});

test('404 to DELETE while the list still has a busy runner of that name: not believed', async ({
	rig,
	space,
}) => {
	await space.runners(['a']);
	await space.runJob('a');
	rig.github.fault({ fault: { kind: 'not-found' }, endpoint: 'delete', scope: space.scope });
	const done = await space.delete('a');
	assert.is.not(done.code, 0);
	await sleep(2_000);
	await untouched(space, 'a');
	assert.equal(space.killedJobs(), []);
});

test('GitHub Enterprise Server: /api/v3, no rate-limit headers; idle goes, busy stays until its job ends (F10)', async () => {
	const rig = await startRig({ github: { basePath: '/api/v3', rateLimits: false } });
	try {
		const space = await Space.make(rig);
		await space.runners(['idle', 'busy']);
		await space.runJob('busy');
		await space.deleted('idle');
		says(await space.refused('busy'), /is busy/);
		assert.equal(space.removals(), [204, 422]);
		await space.endJob('busy');
		await space.gone('busy', 5_000);
		assert.equal(space.killedJobs(), []);
		assert.equal(
			rig.logs((line) => /^GitHub can/.test(line.msg)),
			[],
		);
	} finally {
		await end(rig);
	}
});

test.run();
