/** Which set's runners have the architecture that a job asks for, and what comes of it. */
import * as assert from 'uvu/assert';
import { architecturesOf, type Run, withRuns } from '../../../admission/autoscale/rules/architectures.ts';
import { suite } from '../../support/suite.ts';
import { hour, minute, runner, second } from './given.ts';
import { RoutedWorld } from './routed-world.ts';

const test = suite('architectures');

const startUpMs = 40 * second;
type Node = 'amd64' | 'arm64';
/** Where a set's pods go, and its labels. */
type Manifest = (node: Node) => { labels: string[]; template: object };

const pool = (node: Node) => ({ spec: { nodeSelector: { 'example.com/pool': node } } });
const label = { amd64: 'x64', arm64: 'arm64' };
/** As ARC needs them: its router knows no labels but those of the spec. */
const ofArc: Manifest = (node) => ({ labels: [label[node]], template: pool(node) });
const unlabelled: Manifest = (node) => ({ labels: [], template: pool(node) });
/** Where nothing is left to find out. */
const perfect: Manifest = (node) => ({
	labels: [],
	template: { spec: { nodeSelector: { 'kubernetes.io/arch': node } } },
});

const random = (seed: number) => {
	let state = seed;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 2 ** 32;
	};
};

/** 4 hours of jobs for both, up to 8 at a time, now and then more than a set has room for. */
async function day(manifest: Manifest, seed: number) {
	const world = new RoutedWorld(
		(['amd64', 'arm64'] as const).map((node) => ({
			name: node,
			node,
			startUpMs,
			desired: { max: 10 },
			...manifest(node),
		})),
	);
	const chance = random(seed);
	let nextMs = world.clock.now();
	await world.pass(4 * hour, () => {
		if (world.clock.now() < nextMs) return;
		nextMs += chance() * 5 * minute;
		const architecture = chance() < 0.5 ? 'x64' : 'arm64';
		for (let count = Math.ceil(chance() * 8); count > 0; count--)
			world.queue(['self-hosted', 'linux', architecture], minute + chance() * 6 * minute);
	});
	await world.pass(hour);
	world.stop();
	const waits = world.jobs.map(({ queuedMs, startedMs = Number.POSITIVE_INFINITY }) => startedMs - queuedMs);
	waits.sort((one, other) => one - other);
	const made = [...world.made.values()].reduce((sum, count) => sum + count, 0);
	return { p50Ms: at(waits, 0.5), p95Ms: at(waits, 0.95), needless: made - world.jobs.length };
}
const at = (sorted: readonly number[], part: number) => sorted[Math.floor(part * sorted.length)] ?? 0;

for (const seed of [1, 2])
	test(`x64 and arm64 as in ARC's manifests, day ${seed}: as fast as the perfect router, and no runner too many`, async () => {
		const [ours, best] = [await day(ofArc, seed), await day(perfect, seed)];
		const written = JSON.stringify({ ours, best });
		assert.ok(ours.p95Ms <= best.p95Ms + startUpMs, written);
		assert.is(ours.needless, 0, written);
		assert.is(best.needless, 0, written);
	});

test('no label says it: the nodes on which the runners have run do, once the first have started', async () => {
	const [ours, best] = [await day(unlabelled, 3), await day(perfect, 3)];
	const written = JSON.stringify({ ours, best });
	assert.ok(ours.p95Ms <= best.p95Ms + startUpMs, written);
	// The jobs that came first at once.
	assert.ok(ours.needless <= 8, written);
});

const noNodes: ReadonlySet<string> = new Set();
const both: ReadonlySet<string> = new Set(['amd64', 'arm64']);
const inTerms = (...terms: object[][]) => ({
	affinity: {
		nodeAffinity: {
			requiredDuringSchedulingIgnoredDuringExecution: {
				nodeSelectorTerms: terms.map((matchExpressions) => ({ matchExpressions })),
			},
		},
	},
});
const expression = (operator: string, ...values: string[]) => ({
	key: 'kubernetes.io/arch',
	operator,
	values,
});
const onNodes = (...architectures: string[]): Run[] =>
	architectures.map((architecture, index) => ({ uid: `${index}`, createdMs: index, architecture }));
const elsewhere = { key: 'pool', operator: 'In', values: ['a'] };

const table: [string, Parameters<typeof architecturesOf>, string][] = [
	['a label decides', [['x64', 'gpu'], { nodeSelector: { pool: 'a' } }, onNodes('arm64'), both], 'x64'],
	["also one that is not GitHub's own", [['amd64'], {}, [], both], 'x64'],
	['several labels are all had', [['x64', 'arm64'], {}, [], both], 'x64 arm64'],
	['then the selector', [['gpu'], { nodeSelector: { 'kubernetes.io/arch': 'ARM64' } }, [], both], 'arm64'],
	['an affinity', [[], inTerms([expression('In', 'arm64'), elsewhere]), [], both], 'arm64'],
	[
		'all expressions count',
		[[], inTerms([expression('In', 'arm64', 'amd64'), expression('NotIn', 'amd64')]), [], both],
		'arm64',
	],
	[
		'any term',
		[[], inTerms([expression('In', 'arm64')], [expression('In', 'amd64')]), [], both],
		'? arm64 x64',
	],
	[
		'a term that asks for none',
		[[], inTerms([expression('In', 'arm64')], [elsewhere]), [], both],
		'? x64 arm64',
	],
	[
		'of several the one on which they have run',
		[[], inTerms([expression('In', 'arm64', 'amd64')]), onNodes('arm64'), both],
		'arm64 ? x64',
	],
	[
		'nodes of both: none is certain',
		[[], { nodeSelector: { pool: 'a' } }, onNodes('arm64', 'amd64'), both],
		'? x64 arm64',
	],
	[
		'a node of another kind',
		[[], { nodeSelector: { pool: 'a' } }, onNodes('riscv64'), both],
		'riscv64 ? x64 arm64',
	],
	['a cluster of one', [[], {}, [], new Set(['arm64'])], 'arm64'],
	[
		'whose nodes do not bind a set that is led elsewhere',
		[[], { tolerations: [{}] }, [], new Set(['arm64'])],
		'? x64 arm64',
	],
	['no node is known', [[], {}, [], noNodes], '? x64 arm64'],
	[
		'what is no affinity',
		[
			[],
			{
				affinity: {
					nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: 7 } },
				},
			},
			[],
			both,
		],
		'? x64 arm64',
	],
	[
		'an affinity of a thousand terms',
		[[], inTerms(...Array.from({ length: 1_000 }, () => [expression('In', 'arm64')])), [], both],
		'? x64 arm64',
	],
	[
		'one that names more architectures than there are',
		[[], inTerms([expression('In', ...Array.from({ length: 40 }, (_, index) => `a${index}`))]), [], both],
		'? x64 arm64',
	],
];
for (const [promise, given, expected] of table)
	test(`architectures of a set: ${promise}`, () => {
		const { known, possible } = architecturesOf(...given);
		assert.is([...known, ...(possible.length > 0 ? ['?', ...possible] : [])].join(' '), expected);
	});

test('where the ten newest runners have run is remembered, and a pool that has moved is followed', () => {
	const at = (index: number, node: string | undefined) =>
		runner(`r${index}`, 'busy', { createdMs: index, node });
	const architectureOf = (node: string) => (node === 'gone' ? undefined : node);
	let runs = withRuns([], [at(1, undefined), at(2, 'gone')], architectureOf);
	assert.equal(runs, []);
	for (let index = 1; index <= 30; index++)
		runs = withRuns(runs, [at(index, index <= 15 ? 'amd64' : 'arm64')], architectureOf);
	assert.is(runs.length, 10);
	assert.equal([...new Set(runs.map(({ architecture }) => architecture))], ['arm64']);
	assert.is(
		withRuns(runs, [at(1, 'amd64'), at(30, 'arm64')], architectureOf),
		runs,
		'an older one says nothing new',
	);
});

test.run();
