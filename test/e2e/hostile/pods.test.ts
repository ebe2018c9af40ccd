/**
 * Somebody with all of a namespace's rights (ClusterRole edit) makes pods as odd as the API server takes them: at worst
 * they hold up their own. The table in docs/security.md names these tests.
 */
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { plainPod } from '../../rig/spaces.ts';
import { stage } from '../../rig/stage.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { says } from '../support/space.ts';
import { attackTests, mallory } from '../support/space-tests.ts';

/** Of a pod that the API server itself can hardly change. */
const couldNot = ['deletion could not be judged', 'the deletion could not be recorded'];

const test = attackTests('hostile pods', {
	prepare: () => stage('guard'),
	async unharmed({ rig, victim }) {
		// The runner of the other namespace may be deleted as before, and the server itself does not fail.
		if (await victim.pod('victim')) await victim.deleted('victim');
		assert.equal(
			rig.logs(({ level, msg }) => level === 'error' && !couldNot.includes(msg)),
			[],
		);
	},
});

test('a Secret of another purpose, and names that lead elsewhere: nothing of them is shown or read', async ({
	rig,
	evil,
}) => {
	await evil.ok('create', 'secret', 'generic', 'database', '--from-literal=password=hunter2-hunter2');
	const names = {
		'other-purpose': 'database',
		up: '../../runners-system/secrets/runners-admission-proof',
		query: 'database?watch=true',
		encoded: '..%2f..%2frunners-system',
		newline: 'a\nb',
	};
	for (const [name, credentialsSecret] of Object.entries(names))
		await rig.apply(runnerSetPod(evil.options(name, { credentialsSecret })));
	await evil.registered(Object.keys(names));
	const { code, stderr } = await mallory(evil, 'delete', 'pod', ...Object.keys(names));
	assert.is(code, 1);
	for (const name of Object.keys(names)) says(stderr, `runner ${name} may be busy: no GitHub credentials (`);
	assert.not.match(stderr, 'hunter2');
	assert.equal(evil.removals(), []);
});

test('annotations up to the API server’s limit: that pod cannot be marked or recorded and stays; everybody else’s go', async ({
	rig,
	evil,
}) => {
	const pod = runnerSetPod(evil.options('full', { annotations: { filler: 'x'.repeat(262_000) } }));
	await rig.apply(pod);
	await evil.runners(['neighbour']);
	await evil.registered(['full']);
	const refused = await mallory(evil, 'delete', 'pod', 'full');
	assert.is(refused.code, 1);
	says(refused.stderr, 'metadata.annotations: Too long');
	says(refused.stderr, 'It could NOT be recorded: ask again');
	assert.is((await mallory(evil, 'delete', 'pod', 'neighbour')).code, 0);
	assert.ok(rig.github.find(evil.scope, 'full'), 'not unregistered without having been written down');
	await evil.ok('annotate', 'pod', 'full', 'filler-');
	assert.is((await mallory(evil, 'delete', 'pod', 'full')).code, 0);
});

test('pods as large as they come against the CEL conditions: held up or let go by themselves, others are not', async ({
	rig,
	evil,
}) => {
	const variables = Array.from({ length: 3_000 }, (_, index) => ({ name: `V${index}`, value: 'RUNNER_ORG' }));
	const many = runnerSetPod(evil.options('many'));
	const [runner] = many.spec.containers as { name: string; env: object[] }[];
	runner?.env.unshift(...variables);
	const wide = plainPod('wide', evil.name) as { spec: { containers: object[] } };
	wide.spec.containers = Array.from({ length: 500 }, (_, index) => ({
		name: `c${index}`,
		image: 'nginx',
		env: variables.slice(0, 40),
	}));
	await rig.apply(many, wide);
	await evil.registered(['many']);
	const held = await mallory(evil, 'delete', 'pod', 'many', '--wait=false');
	console.log(`a runner with ${variables.length} variables: ${held.code} ${held.stderr.slice(0, 300)}`);
	const plain = await mallory(evil, 'delete', 'pod', 'wide', '--wait=false');
	console.log(`a plain pod with 500 containers: ${plain.code} ${plain.stderr.slice(0, 300)}`);
	// Where it is held up, it is not for good.
	await evil.kubectl('annotate', 'pod', 'many', 'actions-runner/break-glass=too large');
	await evil.kubectl('delete', 'pod', 'many', '--wait=false', '--ignore-not-found');
	await evil.gone('many');
	await evil.gone('wide');
});

test('the busy label and an autoscaler’s marks on pods that are no runners: deleted as ever', async ({
	rig,
	evil,
}) => {
	const pod = plainPod('web', evil.name) as { metadata: { labels: Record<string, string> } };
	Object.assign(pod.metadata.labels, { 'actions-runner/busy': 'true', 'actions-runner': '' });
	await rig.apply(pod);
	await eventually('runs', async () => (await evil.pod('web'))?.status?.phase === 'Running');
	assert.is((await mallory(evil, 'delete', 'pod', 'web')).code, 0);
});

test('break-glass takes patch and delete on the pod, no less: not for viewers, not across namespaces', async ({
	victim,
	evil,
}) => {
	await victim.bind('viewer', 'view');
	await victim.runJob('victim', { known: true });
	const glass = 'actions-runner/break-glass=I want it';
	for (const user of ['viewer', 'mallory']) {
		for (const args of [
			['annotate', 'pod', 'victim', glass],
			['label', 'pod', 'victim', 'actions-runner-'],
			['delete', 'pod', 'victim'],
		]) {
			const done = await victim.kubectl(...args, `--as=${user}`);
			assert.is(done.code, 1);
			assert.match(done.stderr, 'Forbidden');
		}
	}
	assert.is((await victim.pod('victim'))?.metadata.deletionTimestamp, undefined);
	await evil.runners(['own']);
	await evil.runJob('own');
	// A reason as long as an annotation may be, with line breaks: one log line, one Event, no failure.
	const reason = `line one\nline two ${'x'.repeat(100_000)}`;
	const body = { metadata: { annotations: { 'actions-runner/break-glass': reason } } };
	await evil.ok('patch', 'pod', 'own', '--as=mallory', '--type=merge', '-p', JSON.stringify(body));
	assert.is((await mallory(evil, 'delete', 'pod', 'own', '--wait=false')).code, 0);
	await evil.gone('own');
	const event = await eventually('the Event', async () =>
		(await evil.events('own')).find((one) => one.reason === 'BreakGlass'),
	);
	says(event.message, 'mallory (unverified) deletes runner own');
	await victim.endJob('victim');
	await victim.ok('delete', 'pod', 'victim', '--ignore-not-found');
});

test.run();
