/** The history checker must itself be right: without the guard it has to cry out. */
import * as assert from 'uvu/assert';
import { breakGlass, progress, record } from '../../../admission/api/keys.ts';
import { eventually } from '../../rig/eventually.ts';
import { type Expected, type History, startHistory } from '../../rig/history.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { staticRunnerPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';

interface Context {
	rig: Rig;
	history: History;
}

const test = suite<Context>('history checker');

test.before(async (context) => {
	context.rig = await startRig({ nodes: ['node-1'], replicas: 0 });
	await context.rig.ok(['delete', 'validatingwebhookconfiguration', 'runners-admission']);
	context.history = await startHistory(context.rig, { expected: true });
	const names = ['busy', 'idle', 'forged', 'rewritten', 'asked', 'quiet'];
	await context.rig.runners(names.map((name) => ({ name })));
	await context.rig.apply(staticRunnerPod({ name: 'static', namespace: 'default' }));
	await context.rig.agents.waitRegistered(['static'], 20_000);
	assert.equal(context.history.violations(), []);
});
test.after(async ({ rig, history }) => {
	history?.stop();
	await rig?.stop();
});

async function cries(history: History, about: RegExp, expected?: Expected): Promise<void> {
	await eventually(`a violation that matches ${about}`, () =>
		history.violations(expected).some((violation) => about.test(violation)),
	);
}

/** What the product would do: GitHub's DELETE, here with curl's means. */
async function deleteAtGitHub(rig: Rig, pod: string): Promise<number> {
	const url = `${rig.github.url}/orgs/octo-org/actions/runners/${rig.agents.runnerId('default', pod)}`;
	const answer = await fetch(url, { method: 'DELETE', headers: { authorization: 'token test-token' } });
	return answer.status;
}

const annotate = (rig: Rig, pod: string, annotations: Record<string, string>) =>
	rig.ok([
		'annotate',
		'--overwrite',
		'pod',
		pod,
		...Object.entries(annotations).map(([key, value]) => `${key}=${value}`),
	]);

test('sees a killed job, and a busy pod that is being stopped (1)', async ({ rig, history }) => {
	await rig.agents.runJob('default', 'busy');
	await rig.ok(['delete', 'pod', 'busy', '--wait=false']);
	await cries(history, /^1: job .* of default\/busy was killed/);
	await cries(history, /^1: default\/busy is being stopped while its runner works at job-\d+/);
	await cries(history, /^1: default\/busy is being stopped while it runs and GitHub has busy registered/);
	assert.equal(history.violations({ lost: ['default/busy'] }), []);
});

test('is not deceived by a GitHub that removes a runner that works (1)', async ({ rig, history }) => {
	rig.github.lie({ says: 'idle', name: 'lied' });
	await rig.runners([{ name: 'lied' }]);
	await rig.agents.runJob('default', 'lied');
	assert.is(await deleteAtGitHub(rig, 'lied'), 204);
	await rig.ok(['delete', 'pod', 'lied', '--wait=false']);
	await cries(history, /^1: default\/lied is being stopped while its runner works at job-\d+/);
	const lost = ['default/busy', 'default/lied'];
	assert.equal(history.violations({ lost }), []);
});

test('what break-glass kills, with a grace period or without, is no violation', async ({ rig, history }) => {
	for (const flags of [[], ['--force', '--grace-period=0']]) {
		const killed = rig.agents.killedJobs().length;
		await rig.runners([{ name: 'urgent' }]);
		await rig.agents.waitRegistered(['urgent'], 20_000);
		await rig.agents.runJob('default', 'urgent');
		await annotate(rig, 'urgent', { [breakGlass]: 'test' });
		await rig.ok(['delete', 'pod', 'urgent', ...flags]);
		await eventually('its job is killed', () => rig.agents.killedJobs().length > killed);
	}
	const about = history.violations().filter((violation) => violation.includes('urgent'));
	assert.equal(about, []);
});

test('sees an idle pod that is being stopped before GitHub has unregistered it (1)', async ({
	rig,
	history,
}) => {
	await rig.ok(['delete', 'pod', 'idle', '--wait=false']);
	await cries(history, /^1: default\/idle is being stopped/);
});

test('sees a proof of an unregistration that did not happen (2)', async ({ rig, history }) => {
	await annotate(rig, 'forged', {
		[progress.completedAt]: new Date().toISOString(),
		[progress.proof]: 'forged',
	});
	await cries(history, /^2: default\/forged is said to be unregistered/);
});

test('sees a record that is rewritten, and one that is never completed (4)', async ({ rig, history }) => {
	await annotate(rig, 'rewritten', { [record.requestedBy]: 'one' });
	await cries(history, /^4: default\/rewritten: the recorded deletion was never completed/);
	await annotate(rig, 'rewritten', { [record.requestedBy]: 'another' });
	await cries(history, /^4: default\/rewritten: the record was changed/);
});

test('sees a second 422 of an ephemeral runner, and a static one asked again too early (5)', async ({
	rig,
	history,
}) => {
	for (const pod of ['asked', 'static']) {
		await rig.agents.runJob('default', pod);
		assert.equal([await deleteAtGitHub(rig, pod), await deleteAtGitHub(rig, pod)], [422, 422]);
	}
	assert.equal(
		history.deletesAtWork(0).map((line) => line.replace(/ at .*: /, ' ')),
		[
			'DELETE of lied 204',
			'DELETE of asked 422',
			'DELETE of asked 422',
			'DELETE of static 422',
			'DELETE of static 422',
		],
	);
	assert.equal(history.deletesAtWork(60_000), []);
	await cries(history, /^5: ephemeral runner asked: 2 DELETE calls answered 422/);
	await cries(history, /^5: static runner static: DELETE 2 came \d+ ms after a 422 in the same job/);
});

test('sees a write during a dry run, here and at GitHub (8)', async ({ rig, history }) => {
	assert.equal(await history.writesDuring(() => rig.ok(['get', 'pods'])), []);
	const writes = await history.writesDuring(async () => {
		await annotate(rig, 'quiet', { some: 'thing' });
		await deleteAtGitHub(rig, 'quiet');
	});
	assert.ok(writes.includes('8: default/quiet was written'));
	assert.ok(writes.some((write) => write.startsWith('8: GitHub was called: DELETE')));
});

test.run();
