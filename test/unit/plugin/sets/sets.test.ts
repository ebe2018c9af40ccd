/** What the plugin makes of sets: arguments, states, rows, the tree and how it is redrawn. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { arc, busy, progress } from '../../../../admission/api/keys.ts';
import type { Pod } from '../../../../admission/api/kinds.ts';
import type { SetConditionType, SetStatus } from '../../../../admission/api/sets.ts';
import type { RunnersSet } from '../../../../plugin/sets/api.ts';
import { namesSetsByKind, resourceArgument, setArguments } from '../../../../plugin/sets/names.ts';
import { countsOf, reasonsOf, setStateOf } from '../../../../plugin/sets/state.ts';
import { scaled } from '../../../../plugin/sets/write-replicas.ts';
import { complete } from '../../../../plugin/verbs/completion/candidates.ts';
import { verbs } from '../../../../plugin/verbs/index.ts';
import { setHeader, setRow } from '../../../../plugin/verbs/list/set-columns.ts';
import { Frame } from '../../../../plugin/verbs/status/frame.ts';
import { statusTexts, treeLines } from '../../../../plugin/verbs/status/tree.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('plugin: sets');

const nowMs = Date.parse('2026-11-23T12:00:00Z');
const hourAgo = '2026-11-23T11:00:00Z';

interface SetFields {
	kind?: 'RunnerSet' | 'RunnerDeployment';
	replicas?: number;
	status?: Partial<SetStatus>;
	conditions?: [SetConditionType, 'True' | 'False', string?][];
	deleting?: boolean;
}

function set({
	kind = 'RunnerSet',
	replicas,
	status = {},
	conditions,
	deleting,
}: SetFields = {}): RunnersSet {
	const config = { organization: 'octo-org', labels: ['linux', 'big'] };
	return {
		apiVersion: 'actions.summerwind.dev/v1alpha1',
		kind,
		metadata: {
			name: 'example',
			namespace: 'ci',
			uid: 'u',
			generation: 3,
			creationTimestamp: hourAgo,
			...(deleting ? { deletionTimestamp: hourAgo } : {}),
		},
		spec:
			kind === 'RunnerSet' ? { replicas, ...config, template: {} } : { replicas, template: { spec: config } },
		status: {
			observedGeneration: 3,
			...status,
			conditions: conditions?.map(([type, value, message = '']) => ({ type, status: value, message })),
		},
	};
}

function runner(name: string, more: { busy?: string; labels?: Record<string, string> } = {}): Pod {
	return {
		metadata: {
			name,
			namespace: 'ci',
			creationTimestamp: hourAgo,
			labels: { [arc.runnerSet]: 'example', ...(more.busy ? { [busy.label]: 'true' } : {}), ...more.labels },
			annotations: {
				[progress.runnerId]: '7',
				...(more.busy ? { [busy.job]: more.busy, [busy.since]: '2026-11-23T11:59:00Z' } : {}),
			},
		},
		spec: { nodeName: 'node-1', containers: [{ name: 'runner' }] },
		status: { containerStatuses: [{ name: 'runner', state: { running: { startedAt: hourAgo } } }] },
	};
}

for (const [args, expected] of [
	[['example'], [{ name: 'example' }]],
	[['runnerset/example'], [{ kind: 'RunnerSet', name: 'example' }]],
	[
		['RunnerSets/example', 'b'],
		[{ kind: 'RunnerSet', name: 'example' }, { name: 'b' }],
	],
	[['runnerset.actions.summerwind.dev/a'], [{ kind: 'RunnerSet', name: 'a' }]],
	[['runnersets.v1alpha1.actions.summerwind.dev/a'], [{ kind: 'RunnerSet', name: 'a' }]],
	[['runnerdeployment', 'a', 'b'], ['a', 'b'].map((name) => ({ kind: 'RunnerDeployment', name }))],
	[['sets', 'a'], [{ name: 'a' }]],
	[['runnerset'], [{ name: 'runnerset' }]],
] as const) {
	test(`"${args.join(' ')}" names sets as kubectl would`, () => {
		assert.equal(setArguments(args), [...expected]);
	});
}

for (const [args, message] of [
	[
		['rs/example'],
		/^error: "rs" is not a kind of runner set: use runnerset\/NAME or runnerdeployment\/NAME$/,
	],
	[['runnerset/'], /is not the name of a set/],
	[['runnerset/a/b'], /is not the name of a set/],
	[['/a'], /is not the name of a set/],
	[[''], /is not the name of a set/],
	[['runnerset', 'runnerset/a'], /no need to specify a resource type as a separate argument/],
	[['runnersets.apps/a'], /not a kind of runner set/],
] as const) {
	test(`"${args.join(' ')}" is refused`, () => assert.throws(() => setArguments(args), message));
}

test('a drain of runnerset/NAME or runnerset NAME means a set, one of a bare name a node', () => {
	for (const args of [['runnerset/a'], ['runnersets', 'a'], ['RunnerDeployment/a']]) {
		assert.ok(namesSetsByKind(args), args.join(' '));
	}
	for (const args of [['a'], ['runnerset'], ['node/a'], ['a', 'b'], []]) {
		assert.not(namesSetsByKind(args), args.join(' '));
	}
	assert.is(resourceArgument('sets.actions.summerwind.dev'), undefined);
});

const settled = [['Settled', 'True', '2 runners']] as SetFields['conditions'];
for (const [fields, state] of [
	[{ replicas: 2, conditions: settled, status: { availableReplicas: 2 } }, 'settled'],
	[{ conditions: settled, status: { availableReplicas: 1 } }, 'settled'],
	[{ replicas: 2, conditions: settled, status: { availableReplicas: 1 } }, 'starting'],
	[{ replicas: 0, conditions: settled }, 'settled'],
	[{ replicas: 2, conditions: settled, status: { availableReplicas: 2, observedGeneration: 2 } }, 'unseen'],
	[{ replicas: 0 }, 'unseen'],
	[{ replicas: 0, conditions: settled, deleting: true }, 'deleting'],
	[{ conditions: [['Settled', 'False', 'runners are starting or being removed']] }, 'changing'],
	[
		{
			conditions: [
				['Settled', 'False'],
				['Draining', 'True'],
				['CredentialsMissing', 'True'],
			],
		},
		'credentials-missing',
	],
	[
		{
			conditions: [
				['Settled', 'False'],
				['Draining', 'True'],
				['CredentialsMissing', 'False'],
			],
		},
		'draining',
	],
] as [SetFields, string][]) {
	test(`a set with ${JSON.stringify(fields)} is ${state}`, () => assert.is(setStateOf(set(fields)), state));
}

test('why a set has not settled: its other conditions, and "Settled" only if there is no other', () => {
	const late = set({ conditions: settled, status: { observedGeneration: 2 } });
	assert.equal(reasonsOf(late), ['the server has not reported on the newest spec yet']);
	const draining = ['Draining', 'True', '1 runner to be removed when no longer busy: a'] as const;
	const changing = ['Settled', 'False', 'waiting for jobs to end'] as const;
	assert.equal(reasonsOf(set({ conditions: [[...changing], [...draining]] })), [draining[2]]);
	assert.equal(reasonsOf(set({ conditions: [[...changing]] })), [changing[2]]);
	assert.equal(reasonsOf(set()), ['the server has not reconciled it yet']);
	assert.equal(reasonsOf(set({ replicas: 0, conditions: settled })), []);
});

test('a row of the list; the wide one has state, scope and labels of both kinds', () => {
	const status = { replicas: 3, idleReplicas: 1, busyReplicas: 2, drainingReplicas: 1, availableReplicas: 3 };
	const plain = { namespace: false, wide: false };
	const cells = ['example', 'RunnerSet', '2', '3', '1', '2', '1', '60m'];
	assert.equal(setRow(set({ replicas: 2, status }), plain, nowMs), cells);
	assert.equal(setRow(set(), plain, nowMs), ['example', 'RunnerSet', '1', '0', '0', '0', '0', '60m']);
	for (const kind of ['RunnerSet', 'RunnerDeployment'] as const) {
		const choice = { namespace: true, wide: true };
		const row = setRow(set({ kind, replicas: 2, status, conditions: settled }), choice, nowMs);
		assert.is(row.length, setHeader(choice).length);
		assert.equal([row[0], ...row.slice(-4)], ['ci', 'settled', '0', 'octo-org', 'linux,big']);
	}
});

test('the tree: set, runner, job; what came from the cluster is printable', () => {
	const status = { replicas: 2, idleReplicas: 1, busyReplicas: 1, availableReplicas: 2 };
	const runners = [
		runner('example-a-0', { busy: 'build \u001b[31m(octo-org/app, run 42)' }),
		runner('example-b-0'),
	];
	const sets = [{ set: set({ replicas: 2, status, conditions: settled }), runners }];
	assert.equal(treeLines(sets, false, nowMs), [
		'NAME                                          STATE     AGE   DETAILS',
		'runnerset/example                             settled   60m   2 wanted: 1 idle, 1 busy',
		'├─ example-a-0                                busy      60m   on node-1',
		'│  └─ job build ?[31m(octo-org/app, run 42)   running   60s',
		'└─ example-b-0                                idle      60m   on node-1',
	]);
	assert.ok(treeLines(sets, true, nowMs)[1]?.startsWith('ci/runnerset/example '));
	const texts = statusTexts(sets, false, nowMs);
	assert.equal([...statusTexts(sets, false, nowMs + 3_600_000)], [...texts], 'time that passes is no news');
	assert.is(texts.get('runnerset/example example-b-0'), 'idle');
});

test('counts: a runner that is neither idle nor busy counts as on the way', () => {
	assert.is(countsOf(set({ replicas: 0 })), '0 wanted: none');
	assert.is(
		countsOf(set({ replicas: 3, status: { replicas: 3, idleReplicas: 1 } })),
		'3 wanted: 1 idle, 2 on the way',
	);
});

for (const [argv, message] of [
	[['scale', '--replicas=1'], 'error: name the set to scale'],
	[['scale', 'a'], 'error: required flag(s) "replicas" not set'],
	[
		['scale', 'a', '--replicas', '-1'],
		'error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0',
	],
	[
		['scale', 'a', '--replicas=1.5'],
		'error: invalid argument "1.5" for "--replicas" flag: strconv.ParseInt: parsing "1.5": invalid syntax',
	],
	[['scale', 'a', '--replicas=1', '--timeout=1s'], 'error: --timeout can only be used with --wait'],
	[
		['scale', 'a', 'b', '--replicas=1', '--resource-version=7'],
		'error: cannot use --resource-version with multiple resources',
	],
	[['drain', 'node-1', '--replicas=2'], 'error: --replicas can only be used with a set, not with a node'],
	[
		['drain', 'runnerset/a', '--grace-period=1'],
		'error: --grace-period can only be used with a node: for runners of a set, set it in their template',
	],
	[['status', 'a', '-A'], 'error: a resource cannot be retrieved by name across all namespaces'],
	[['list', 'sets', '-w', '-o', 'json'], 'error: --watch prints a table; it cannot be combined with -o json'],
	[['list', 'sets', 'a', '-A'], 'error: a resource cannot be retrieved by name across all namespaces'],
] as const) {
	test(`kubectl runners ${argv.join(' ')}: ${message}`, async () => {
		const [name, ...rest] = argv;
		try {
			await verbs.find((verb) => verb.name === name)?.run([...rest, '-s', 'http://127.0.0.1:1']);
		} catch (error) {
			assert.is((error as Error).message, message);
			return;
		}
		assert.unreachable();
	});
}

test('a dry run shows the set as it would be, and leaves the one it was given alone', () => {
	for (const replicas of [undefined, 5]) {
		const before = set({ replicas });
		const after = scaled(before, 0);
		assert.is(after.spec.replicas, 0);
		assert.is(before.spec.replicas, replicas);
		assert.equal({ ...after, spec: 0 }, { ...before, spec: 0 });
	}
});

test('a tree is redrawn at most five times a second, cut to the terminal, and its last drawing stays', async () => {
	const writes: string[] = [];
	let version = 0;
	const screen = {
		redraws: true,
		columns: () => 20,
		rows: () => 4,
		write: (text: string) => void writes.push(text),
	};
	const render = () => [`version ${version}`, 'x'.repeat(50), 'c', 'd', 'e'];
	const frame = new Frame(render, screen);
	assert.equal(writes, [`version 0\n${'x'.repeat(18)}…\n... and 3 more lin…\n`]);
	const startedMs = performance.now();
	while (performance.now() - startedMs < 700) {
		version++;
		frame.changed();
		await sleep(10);
	}
	frame.close();
	const redraws = writes.length - 1;
	assert.ok(redraws >= 2 && redraws <= 4, `${redraws} redraws in 0.7 s`);
	assert.ok(writes.slice(1).every((text) => text.startsWith('\u001b[3A\r\u001b[J')));
	await sleep(300);
	assert.is(writes.length - 1, redraws, 'nothing is drawn after the end');
});

const found = ['runnerset/example', 'runnerdeployment/fleet'];
for (const [argv, expected] of [
	[
		['scale', ''],
		['example', 'fleet'],
	],
	[['scale', 'runnerset/'], ['runnerset/example']],
	[['status', 'f'], ['fleet']],
	[['drain', 'runnerd'], ['runnerdeployment/fleet']],
	[['drain', 'w'], ['worker-1']],
	[['list', 's'], ['sets']],
	[['list', 'runnersets', 'e'], ['example']],
	[['scale', '--rep'], ['--replicas']],
	[
		['scale', 'example', '-o', ''],
		['name', 'json', 'yaml'],
	],
] as const) {
	test(`kubectl runners ${argv.join(' ')}<Tab>`, async () => {
		const { candidates } = await complete(verbs, argv, async (kind) =>
			(kind === 'set' ? found : kind === 'node' ? ['worker-1'] : ['example-0']).map((value) => ({ value })),
		);
		assert.equal(
			candidates.map(({ value }) => value),
			[...expected],
		);
	});
}

test.run();
