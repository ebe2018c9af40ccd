/**
 * Somebody with all rights on a namespace's pods, but without break-glass, edits a busy runner's pod: what would end its
 * job, have the guard look elsewhere, or forge what the server has written is refused by the real API server with our
 * matchConditions. What kubelets, controllers and people do every day never reaches us: guard/everyday-edits.test.ts.
 */
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { stage } from '../../rig/stage.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { type Space, says } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';

const test = spaceTests('edits of a live runner', { prepare: () => stage('guard') });

type Change = object | object[];
const patch = (space: Space, name: string, change: Change, ...flags: string[]) =>
	space.kubectl(
		...['patch', 'pod', name, Array.isArray(change) ? '--type=json' : '--type=merge'],
		...['-p', JSON.stringify(change), ...flags],
	);
const status = '--subresource=status';
const annotations = (values: Record<string, string | null>) => ({ metadata: { annotations: values } });
const labels = (values: Record<string, string | null>) => ({ metadata: { labels: values } });
const image = (list: string, index: number) => [
	{ op: 'replace', path: `/spec/${list}/${index}/image`, value: 'example.com/other:1' },
];

/** Each is refused by the webhook, in these words, and changes nothing. */
async function refuses(space: Space, name: string, changes: [Change, string | RegExp, ...string[]][]) {
	for (const [change, text, ...flags] of changes) {
		const done = await patch(space, name, change, ...flags);
		assert.is.not(done.code, 0, `${JSON.stringify(change)} ${flags}: ${done.stdout}`);
		says(done.stderr, `runner ${name} runs: `);
		says(done.stderr, text);
	}
}

test('what would end its job without a DELETE is refused: a deadline, a new image beside it, a resize that restarts; break-glass applies (invariant 1)', async ({
	rig,
	space,
}) => {
	const pod = runnerSetPod(space.options('a', { dockerSidecar: true }));
	const restarts = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }];
	const resources = { requests: { cpu: '10m', memory: '10Mi' } };
	for (const container of pod.spec.containers as object[])
		Object.assign(container, { resizePolicy: restarts, resources });
	pod.spec.restartPolicy = 'OnFailure'; // 'Never' takes no resize that restarts
	pod.spec.initContainers = [{ name: 'side', image: 'side:1', restartPolicy: 'Always' }];
	await rig.apply(pod);
	await space.registered(['a']);
	await space.runJob('a', { known: true });
	// As a kubelet that can resize in place reports it.
	const reports = [0, 1].map((index) => ({
		op: 'add',
		path: `/status/containerStatuses/${index}/resources`,
		value: resources,
	}));
	assert.is((await patch(space, 'a', reports, status)).code, 0);
	const more = (resource: string, value: string) => [
		{ op: 'replace', path: `/spec/containers/1/resources/requests/${resource}`, value },
	];
	await refuses(space, 'a', [
		[{ spec: { activeDeadlineSeconds: 1 } }, 'a deadline would kill its job'],
		[image('containers', 1), 'a new image would restart container docker'],
		[image('initContainers', 0), 'a new image would restart container side'],
		[more('memory', '20Mi'), 'new resources would restart container docker', '--subresource=resize'],
		[more('cpu', '1m'), 'less cpu for container docker could end its job', '--subresource=resize'],
	]);
	const harmless = await patch(space, 'a', more('cpu', '20m'), '--subresource=resize');
	assert.is(harmless.code, 0, harmless.stderr);
	const glass = annotations({ 'actions-runner/break-glass': 'INC-1' });
	assert.is((await patch(space, 'a', { ...glass, spec: { activeDeadlineSeconds: 3_600 } })).code, 0);
	const event = await eventually('the Event', async () =>
		(await space.events('a')).find((one) => one.reason === 'BreakGlass'),
	);
	says(
		event.message,
		/edits runner a.*break-glass: INC-1\. Otherwise refused: a deadline would kill its job$/,
	);
	assert.equal(space.killedJobs(), []);
});

test('nobody else can write what the server has written, not even through pods/status (invariant 2)', async ({
	space,
}) => {
	await space.runners(['a']);
	await space.runJob('a', { known: true });
	says(await space.refused('a'), 'is busy');
	const forged: Record<string, string | null>[] = [
		{ 'actions-runner/deletion-requested-by': 'bob' },
		{ 'actions-runner/deletion-options': '{"via":"delete","gracePeriodSeconds":0}' },
		{ 'actions-runner/unregistration-proof': 'AAAA' },
		{ 'actions-runner/unregistration-claim': `${new Date().toISOString()} me` },
		{ 'actions-runner/node-gone-since': '2020-01-01T00:00:00Z' },
		{ 'actions-runner/busy-since': null },
		{ 'actions-runner/job': 'another' },
	];
	await refuses(
		space,
		'a',
		forged.flatMap((values) => [
			[annotations(values), Object.keys(values)[0] ?? ''],
			[annotations(values), Object.keys(values)[0] ?? '', status],
		]),
	);
	await refuses(space, 'a', [
		[labels({ 'actions-runner/busy': null }), 'actions-runner/busy must not be changed', status],
		[labels({ 'runnerset-name': 'other' }), 'runnerset-name must not be changed', status],
		[labels({ 'actions-ephemeral-runner': 'True' }), 'actions-ephemeral-runner must not be changed'],
	]);
	assert.is((await space.annotations('a'))['actions-runner/deletion-requested-by'], 'admin');
});

test('... and a pod full of other annotations does not get past it', async ({ rig, space }) => {
	const filler = Object.fromEntries(
		Array.from({ length: 9_000 }, (_, index) => [`actions-runner/x${index}`, '']),
	);
	await rig.apply(runnerSetPod(space.options('a', { annotations: filler })));
	await space.registered(['a']);
	await refuses(space, 'a', [
		[annotations({ 'actions-runner/unregistration-proof': 'AAAA' }), 'must not be changed'],
	]);
});

test('a scale set’s runner stays where it is registered: owner, labels and credentials; only the garbage collector may orphan it', async ({
	rig,
	space,
}) => {
	await space.scaleSetRunners(['a']);
	await space.runJob('a');
	const owner = {
		apiVersion: 'actions.github.com/v1alpha1',
		kind: 'EphemeralRunner',
		name: 'evil',
		uid: 'u',
	};
	await refuses(space, 'a', [
		[{ metadata: { ownerReferences: null } }, 'its owner must remain its EphemeralRunner'],
		[{ metadata: { ownerReferences: [owner] } }, 'its owner must remain its EphemeralRunner'],
		[
			labels({ 'actions.github.com/organization': 'evil' }),
			'actions.github.com/organization must not be changed',
		],
		[
			labels({ 'actions.github.com/organization': 'evil' }),
			'actions.github.com/organization must not be changed',
			status,
		],
		[
			annotations({ 'actions-runner/github-api-creds-secret': 'mine' }),
			'github-api-creds-secret must not be changed',
		],
	]);
	await rig.ok(['-n', space.name, 'delete', 'ephemeralrunner', 'a', '--cascade=orphan', '--wait=false']);
	await eventually('the garbage collector has orphaned it', async () => {
		const pod = await space.pod('a');
		return pod && (pod.metadata.ownerReferences ?? []).length === 0;
	});
	assert.equal(space.killedJobs(), []);
});

test('a cancel may be made by whoever may patch the pod', async ({ space }) => {
	await space.runners(['a']);
	await space.runJob('a', { known: true });
	says(await space.refused('a'), 'is busy');
	const record = annotations({
		'actions-runner/unregistration-request-timestamp': null,
		'actions-runner/deletion-requested-by': null,
		'actions-runner/deletion-options': null,
		'actions-runner/unregistration-claim': null,
	});
	await space.bind('dev', 'edit');
	const cancelled = await patch(space, 'a', record, '--as=dev');
	assert.is(cancelled.code, 0, cancelled.stderr);
	assert.is((await space.annotations('a'))['actions-runner/deletion-requested-by'], undefined);
});

test.run();
