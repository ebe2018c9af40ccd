import * as assert from 'uvu/assert';
import * as routing from '../../../admission/autoscale/rules/routing.ts';
import { SetIndex } from '../../../admission/autoscale/rules/set-index.ts';
import type { FixedPart, Job, Places } from '../../../admission/autoscale/rules/types.ts';
import { type WaitedFor, whyWaits } from '../../../admission/autoscale/rules/waits.ts';
import { labelsIn } from '../../../admission/jobs/records/rules/labels.ts';
import { ownMs } from '../../support/own-time.ts';
import { suite } from '../../support/suite.ts';

const test = suite('routing');

const job = (labels: readonly string[], more: Partial<Job> = {}): Job => ({
	key: 'j1',
	host: 'github.com',
	id: 1,
	repository: 'Octo/App',
	enterprise: 'corp',
	runId: 1,
	runAttempt: 1,
	name: 'build',
	labels,
	labelsTruncated: false,
	state: 'queued',
	runnerName: undefined,
	createdMs: 0,
	openedMs: 0,
	stateMs: 0,
	confirmedMs: undefined,
	checkedMs: undefined,
	boundTo: undefined,
	endedMs: undefined,
	unassignedMs: undefined,
	...more,
});

const keyOf = (name: string) => `RunnerSet ci/${name}` as const;
interface Candidate extends FixedPart, Places {
	visible: (repository: string) => boolean;
	gives: (one: Job) => boolean;
}
const set = (name: string, { labels = [], ...more }: Partial<Candidate> = {}): Candidate => ({
	key: keyOf(name),
	scope: { kind: 'organization', name: 'octo' },
	host: 'github.com',
	group: undefined,
	labels: labelsIn(labels),
	implicit: ['self-hosted', 'linux', 'x64'],
	idle: 0,
	room: 10,
	possible: [],
	blocked: undefined,
	visible: () => true,
	gives: () => true,
	...more,
});

const repository = (owner: string, name: string) => ({ scope: { kind: 'repository', owner, name } }) as const;
const enterprise = (name: string) => ({ scope: { kind: 'enterprise', name } }) as const;

const among = (candidates: readonly Candidate[]): routing.Sets => {
	const byKey = new Map(candidates.map((candidate) => [candidate.key, candidate]));
	const index = new SetIndex();
	for (const candidate of candidates) index.set(candidate);
	return {
		index,
		placesOf: (key) => byKey.get(key) as Candidate,
		visible: (repository, { key }) => byKey.get(key)?.visible(repository) === true,
		gives: (key, one) => byKey.get(key)?.gives(one) === true,
	};
};

/** The sets that the job would have, one when there is none of those before, by their names; or why there is none. */
function route(one: Job, candidates: readonly Candidate[], current?: Candidate['key']): string {
	const names: string[] = [];
	for (let left = candidates; ; ) {
		const found = routing.route(one, among(left), current);
		if ('none' in found) return names.join(' ') || found.why;
		names.push(nameOf(found.set));
		left = left.filter(({ key }) => key !== found.set);
	}
}
const nameOf = (key: string) => key.replace('RunnerSet ci/', '');
/** The set of each job, by its key. */
const routeAll = (
	jobs: readonly Job[],
	candidates: readonly Candidate[],
	currentOf: (one: Job) => Candidate['key'] | undefined,
): Map<string, string> =>
	new Map(
		Array.from(routing.routeAll(jobs, among(candidates), currentOf), ({ job: { key }, routed }) => [
			key,
			'set' in routed ? nameOf(routed.set) : '',
		]),
	);

const mixed = { implicit: ['self-hosted', 'linux'], possible: ['x64', 'arm64'] };

const table: [string, Job, Candidate[], string][] = [
	['a set of the repository', job(['self-hosted']), [set('a', repository('octo', 'app'))], 'a'],
	['of its organization', job(['self-hosted']), [set('a')], 'a'],
	['of its enterprise', job(['self-hosted']), [set('a', enterprise('Corp'))], 'a'],
	[
		'an enterprise that nobody has named is that of the server',
		job(['self-hosted'], { enterprise: undefined }),
		[set('a', enterprise('corp'))],
		'a',
	],
	[
		'the narrowest scope first',
		job(['self-hosted']),
		[set('a', enterprise('corp')), set('b'), set('c', repository('octo', 'app'))],
		'c b a',
	],
	[
		'the fewest labels that the job does not ask for',
		job(['self-hosted', 'gpu']),
		[
			set('a', { labels: ['gpu', 'big', 'fast'] }),
			set('b', { labels: ['gpu'] }),
			set('c', { labels: ['gpu', 'big'] }),
		],
		'b c a',
	],
	[
		'labels that GitHub gives anyway are no surplus',
		job(['self-hosted', 'gpu']),
		[set('a', { labels: ['gpu', 'x'] }), set('b', { labels: ['self-hosted', 'Linux', 'X64', 'GPU'] })],
		'b a',
	],
	[
		'a narrower scope before fewer labels',
		job(['self-hosted']),
		[set('a'), set('b', { ...repository('octo', 'app'), labels: ['gpu'] })],
		'b a',
	],
	[
		'the implicit labels match (ARC #951), whatever their case',
		job(['Self-Hosted', 'Linux', 'X64']),
		[set('a')],
		'a',
	],
	[
		'another architecture does not',
		job(['self-hosted', 'arm64']),
		[set('a'), set('b', { implicit: ['self-hosted', 'linux', 'arm64'] })],
		'b',
	],
	[
		'a set that is certain to have the architecture before one that may have it',
		job(['self-hosted', 'arm64']),
		[set('a', { ...mixed, idle: 5 }), set('b', { implicit: ['linux', 'arm64'] })],
		'b a',
	],
	[
		'also where that is full, or its starts fail',
		job(['arm64']),
		[
			set('a', mixed),
			set('b', { implicit: ['linux', 'arm64'], room: 0 }),
			set('c', { implicit: ['linux', 'arm64'], blocked: 'StartsFailing' }),
		],
		'c b a',
	],
	['and if there is no other it is taken', job(['arm64']), [set('a', mixed), set('b')], 'a'],
	[
		'where the job asks for none it does not matter',
		job(['self-hosted']),
		[set('a'), set('b', { ...mixed, idle: 1 })],
		'b a',
	],
	['the most idle runners', job(['self-hosted']), [set('a', { idle: 1 }), set('b', { idle: 3 })], 'b a'],
	['then the most room', job(['self-hosted']), [set('a', { room: 1 }), set('b', { room: 3 })], 'b a'],
	['then the name', job(['self-hosted']), [set('b'), set('a')], 'a b'],
	[
		'one without room only if there is no other',
		job(['self-hosted']),
		[set('a', { room: 0, ...repository('octo', 'app') }), set('b')],
		'b a',
	],
	['and then it is taken', job(['self-hosted']), [set('a', { room: 0 })], 'a'],
	[
		'one whose version GitHub refuses comes after one that can run it',
		job(['self-hosted']),
		[set('a', { blocked: 'RunnerOutdated', ...repository('octo', 'app') }), set('b', { room: 1 })],
		'b a',
	],
	[
		'one whose starts fail before one that is full: it may start the next one',
		job(['self-hosted']),
		[set('b', { blocked: 'StartsFailing' }), set('a', { room: 0, ...repository('octo', 'app') })],
		'b a',
	],
	[
		'and after one that has room',
		job(['self-hosted']),
		[set('a', { blocked: 'StartsFailing', ...repository('octo', 'app') }), set('b', { room: 1 })],
		'b a',
	],
	[
		'one whose starts fail, and that is full, is like any that is full',
		job(['self-hosted']),
		[
			set('b', { blocked: 'StartsFailing', room: 0, ...repository('octo', 'app') }),
			set('a', { room: 0, idle: 1 }),
		],
		'b a',
	],
	[
		'one that can start none before somebody mends it comes last',
		job(['self-hosted']),
		[
			set('a', { blocked: 'CredentialsMissing', ...repository('octo', 'app') }),
			set('b', { blocked: 'SpecInvalid' }),
			set('c', { room: 0 }),
			set('d', { blocked: 'StartsFailing', room: 0 }),
		],
		'c d a b',
	],
	[
		'one of whose scope GitHub has not said that its runners may register there comes after all that have the scope',
		job(['self-hosted']),
		[
			set('a', { blocked: 'ScopeUnconfirmed', ...repository('octo', 'app') }),
			set('b', { blocked: 'CredentialsMissing', ...repository('octo', 'app') }),
			set('c', { blocked: 'StartsFailing', room: 0 }),
			set('d', { possible: ['x64'], room: 0 }),
		],
		'c d a b',
	],
	[
		'a job without labels: first sets without labels of their own (#1370), then those of a group, then as usual',
		job([]),
		[
			set('a', { labels: ['gpu'], ...repository('octo', 'app') }),
			set('b', { labels: ['gpu'], group: 'big' }),
			set('c', { labels: ['self-hosted', 'linux', '', ' '] }),
			set('d', { group: 'small' }),
			set('e', { labels: ['gpu'] }),
		],
		'd c b a e',
	],
	[
		'also where every set has labels, but for those whose group the repository may not use',
		job([]),
		[
			set('a', { labels: ['gpu'], group: 'secret', visible: () => false }),
			set('b', { labels: ['gpu'], group: 'big' }),
		],
		'b',
	],
	[
		'and a set that is full is no better for it',
		job([]),
		[set('a', { group: 'big', room: 0 }), set('b', { labels: ['gpu'] })],
		'b a',
	],
	[
		'no set at this GitHub',
		job(['self-hosted'], { host: 'ghes.example' }),
		[set('a')],
		'no set has runners at ghes.example',
	],
	[
		'no set of this scope',
		job(['self-hosted']),
		[
			set('a', repository('octo', 'other')),
			set('b', enterprise('other')),
			set('c', repository('other', 'app')),
		],
		'no set has runners for Octo/App, its organization or its enterprise',
	],
	[
		'the label that is missing, of the nearest set',
		job(['self-hosted', 'linux', 'gpu', 'huge']),
		[set('a'), set('b', { labels: ['gpu'] })],
		'no set has all of its labels: RunnerSet ci/b lacks huge',
	],
	[
		'of several that are as near the first by name',
		job(['gpu']),
		[set('b'), set('a'), set('c')],
		'no set has all of its labels: RunnerSet ci/a lacks gpu',
	],
	[
		'two groups that the repository may not use',
		job(['self-hosted']),
		[set('b', { group: 'two', visible: () => false }), set('a', { group: 'one', visible: () => false })],
		'Octo/App may not use the runner group of RunnerSet ci/a (group one), RunnerSet ci/b (group two)',
	],
	[
		'a group that the repository may not use',
		job(['self-hosted']),
		[set('a', { group: 'secret', visible: () => false })],
		'Octo/App may not use the runner group of RunnerSet ci/a (group secret)',
	],
	[
		'a set that is being deleted takes no job',
		job(['self-hosted']),
		[set('a', { blocked: 'Deleting' })],
		'RunnerSet ci/a could run it, but is being deleted',
	],
	['no set at all', job(['self-hosted']), [], 'no set has runners at github.com'],
];

for (const [promise, one, candidates, expected] of table) {
	test(promise, () => {
		assert.is(route(one, candidates), expected);
		assert.is(route(one, candidates.toReversed()), expected, 'in whatever order the sets are');
	});
}

const never = { gives: () => false };
const narrow = repository('octo', 'app');
const notGiven: [string, Candidate[], string][] = [
	['after one that has room', [set('a', { ...never, ...narrow, idle: 5 }), set('b')], 'b a'],
	['after one whose starts fail', [set('a', never), set('b', { blocked: 'StartsFailing' })], 'b a'],
	['after one that is full', [set('a', { ...never, ...narrow }), set('b', { room: 0 })], 'b a'],
	['before one that can start none', [set('a', { blocked: 'SpecInvalid' }), set('b', never)], 'b a'],
	['and if there is no other it keeps the job', [set('a', never)], 'a'],
];
for (const [promise, candidates, expected] of notGiven)
	test(`a set that GitHub does not give such jobs to: ${promise}`, () => {
		assert.is(route(job(['linux']), candidates), expected);
		assert.is(route(job(['linux']), candidates.toReversed()), expected, 'in whatever order the sets are');
		assert.is(route(job(['linux']), candidates, keyOf('a')), expected, 'also if it has the job');
	});

test('a set that is not given the jobs of one repository, or of some labels, still gets the others', () => {
	const gives = ({ repository, labels }: Job) => repository !== 'octo/outside' || !labels.includes('linux');
	const sets = [set('a', { ...enterprise('corp'), idle: 5, gives }), set('b', enterprise('corp'))];
	const at = (key: string, name: string, label: string) => job([label], { key, repository: `octo/${name}` });
	const list = [at('j0', 'outside', 'linux'), at('j1', 'app', 'linux'), at('j2', 'outside', 'x64')];
	for (const order of [list, list.toReversed()]) {
		const routed = routeAll(order, sets, () => keyOf('a'));
		assert.equal([...routed].map(([key, to]) => `${key} ${to}`).sort(), ['j0 b', 'j1 a', 'j2 a']);
	}
});

test('jobs that a set is not given take no place of those that it is', () => {
	const sets = [set('a', { room: 2, idle: 2, gives: (one) => one.repository === 'octo/app' })];
	const outside = jobsAt(50).map((one) => ({ ...one, key: `o${one.key}`, repository: 'octo/outside' }));
	const list = [...outside, ...jobsAt(2).map((one) => ({ ...one, repository: 'octo/app' }))];
	const both = [...sets, set('b', { ...enterprise('corp'), room: 0, gives: sets[0]?.gives ?? (() => true) })];
	const routed = routeAll(list, both, () => keyOf('a'));
	assert.equal([routed.get('j0'), routed.get('j1')], ['a', 'a']);
	assert.equal(counts(routed), { a: 52 });
	assert.equal(counts(routeAll(list.toReversed(), both, () => undefined)), { a: 52 });
});

test('20 jobs without labels are not 20 for each set: all count for one, and go to the next when it is full', () => {
	const sets = [set('a', { labels: ['gpu'], group: 'big', room: 15 }), set('b', { labels: ['x'], room: 15 })];
	const list = jobsAt(20, []);
	assert.equal(counts(routeAll(list, sets, () => undefined)), { a: 15, b: 5 });
});

test('names of many sets are cut for people', () => {
	const some = ['a', 'b', 'c', 'd', 'e'].map((key) => set(key, { visible: () => false }));
	const expected =
		'Octo/App may not use the runner group of RunnerSet ci/a, RunnerSet ci/b, RunnerSet ci/c and 2 more';
	assert.is(route(job(['self-hosted']), some), expected);
});

test('which group is asked for, and for which repository', () => {
	const asked: string[] = [];
	const visible = (name: string) => asked.push(name) > 0;
	route(job(['gpu']), [set('a', { visible }), set('b', { labels: ['gpu'], visible })]);
	assert.equal(asked, ['Octo/App'], 'only where scope and labels match');
});

test('a job stays with its set as long as that has room and matches', () => {
	const better = set('a', { ...repository('octo', 'app'), idle: 5 });
	assert.is(route(job(['self-hosted']), [better, set('b')], keyOf('b')), 'b a');
	assert.is(route(job(['self-hosted']), [better, set('b', { room: 0 })], keyOf('b')), 'a b');
	assert.is(route(job(['self-hosted']), [better, set('b', { blocked: 'StartsFailing' })], keyOf('b')), 'a b');
	assert.is(route(job(['self-hosted']), [better, set('b', { blocked: 'Deleting' })], keyOf('b')), 'a');
	assert.is(route(job(['self-hosted']), [better], keyOf('b')), 'a');
	const other = set('b', { implicit: ['linux', 'arm64'] });
	assert.is(route(job(['x64']), [better, other], keyOf('b')), 'a', 'its labels have changed');
	const full = [set('a', { room: 0 }), set('b', { room: 0 })];
	assert.is(route(job(['self-hosted']), full, keyOf('b')), 'b a', 'nobody has room');
});

const jobsAt = (count: number, labels = ['self-hosted']) =>
	Array.from({ length: count }, (_, index) =>
		job(labels, { key: `j${index}`, id: index + 1, openedMs: index }),
	);
const counts = (routed: Map<string, string>) => {
	const found: Record<string, number> = {};
	for (const one of routed.values()) found[one] = (found[one] ?? 0) + 1;
	return found;
};

test('many jobs: each takes a place of its set, and what is beyond the room of one goes to the next', () => {
	const sets = [set('a', { ...repository('octo', 'app'), room: 3 }), set('b', { room: 4 })];
	assert.equal(counts(routeAll(jobsAt(5), sets, () => undefined)), { a: 3, b: 2 });
	const both = counts(routeAll(jobsAt(20), sets, () => undefined));
	assert.equal(both, { a: 16, b: 4 }, 'beyond the room of all they stay with the best');
});

test('a set whose starts fail gets back what the others have no room for, and so finds out that the failure is over', () => {
	const failing = set('a', { ...repository('octo', 'app'), blocked: 'StartsFailing' });
	const sets = [failing, set('b', { room: 2 })];
	const moved = routeAll(jobsAt(6), sets, () => keyOf('b'));
	assert.equal(counts(moved), { a: 4, b: 2 });
	const setOf = ({ key }: Job) => keyOf(moved.get(key) ?? '');
	assert.equal([...routeAll(jobsAt(6), sets, setOf)], [...moved], 'and they stay');
	const more = [failing, set('b', { room: 3 })];
	assert.equal(counts(routeAll(jobsAt(6), more, setOf)), { a: 3, b: 3 }, 'one that works is better still');
});

test('a set that has started none for long keeps its oldest young job as a probe, and the others move on', () => {
	const failing = set('a', { ...narrow, blocked: 'StartsFailing', probeAfterMs: 1 });
	const probed = routeAll(jobsAt(6), [failing, set('b')], () => keyOf('a'));
	assert.equal([...probed].map(([key, to]) => `${key} ${to}`).sort(), [
		...['j0 b', 'j1 b', 'j2 a', 'j3 b', 'j4 b', 'j5 b'],
	]);
	assert.is(route(job(['linux'], { openedMs: 2 }), [failing, set('b')]), 'a b', 'a new one may be the probe');
	assert.is(
		route(job(['linux'], { openedMs: 1 }), [failing, set('b')], keyOf('a')),
		'b a',
		'it was for long',
	);
});

test('a job takes no place of another one since its own set fails', () => {
	const sets = [set('a', { blocked: 'StartsFailing' }), set('b', { room: 1 })];
	const routed = routeAll(jobsAt(2), sets, ({ key }) => keyOf(key === 'j0' ? 'a' : 'b'));
	assert.equal([...routed].map(([key, to]) => `${key} ${to}`).sort(), ['j0 a', 'j1 b']);
});

test('the older job has the better set; of the same age the one that GitHub made first', () => {
	const sets = [set('a', { ...repository('octo', 'app'), room: 1 }), set('b')];
	const at = (id: number, openedMs: number) => job(['self-hosted'], { key: `j${id}`, id, openedMs });
	const first = (...list: Job[]) =>
		[...routeAll(list, sets, () => undefined)].find(([, to]) => to === 'a')?.[0];
	for (const [one, other] of [
		[at(1, 7), at(2, 5)],
		[at(3, 5), at(2, 5)],
	] as const)
		assert.equal([first(one, other), first(other, one)], ['j2', 'j2']);
});

test('idle runners of two sets are used before either gets more', () => {
	const sets = [set('a', { idle: 5, room: 50 }), set('b', { idle: 3, room: 50 })];
	assert.equal(counts(routeAll(jobsAt(8), sets, () => undefined)), { a: 5, b: 3 });
});

test('a second look changes nothing: jobs do not flap, whichever sets they have', () => {
	const random = (below: number) => Math.floor(Math.random() * below);
	for (let round = 0; round < 1_000; round++) {
		const sets = ['a', 'b', 'c'].map((key) =>
			set(key, {
				room: random(6),
				idle: random(3),
				labels: random(3) === 0 ? ['gpu'] : [],
				...(random(3) === 0 ? repository('octo', 'app') : {}),
				blocked: random(5) === 0 ? 'StartsFailing' : undefined,
				probeAfterMs: random(2) === 0 ? random(12) : undefined,
				...(random(3) === 0 ? mixed : {}),
				group: random(3) === 0 ? 'big' : undefined,
				gives: random(4) === 0 ? ({ id }) => id % 3 > 0 : () => true,
			}),
		);
		const wanted = [['gpu'], ['linux'], ['x64'], []];
		const list = jobsAt(random(12)).map((one) => ({ ...one, labels: wanted[random(4)] ?? [] }));
		const of = (routed: Map<string, string>) => (one: Job) => keyOf(routed.get(one.key) ?? '');
		const first = of(routeAll(list, sets, () => undefined));
		const second = of(routeAll(list, sets, first));
		for (const one of list) assert.is(second(one), first(one));
	}
});

test('a job that comes later takes no place of one that has it', () => {
	const sets = [set('a', { room: 1 }), set('b', { room: 1 })];
	const [old, young] = jobsAt(2);
	const routed = routeAll([old, young] as Job[], sets, (one) => (one === young ? keyOf('a') : undefined));
	assert.equal([...routed].map(([key, to]) => `${key} ${to}`).sort(), ['j0 b', 'j1 a']);
	const full = [set('a', { room: 0 }), set('b', { room: 1 })];
	const both = routeAll([old, young] as Job[], full, (one) => keyOf(one === young ? 'b' : 'a'));
	const where = [...both].map(([key, to]) => `${key} ${to}`).sort();
	assert.equal(where, ['j0 a', 'j1 b'], 'nor an older one whose own set has no room');
});

test('20,000 jobs and 200 sets take well below a second', () => {
	const sets = Array.from({ length: 200 }, (_, index) => set(`s${index}`, { labels: [`l${index % 50}`] }));
	const list = jobsAt(20_000).map((one, index) => ({ ...one, labels: ['self-hosted', `l${index % 60}`] }));
	const tookMs = ownMs(() => assert.is(routeAll(list, sets, () => undefined).size, 20_000));
	assert.ok(tookMs < 2_000, `${tookMs} ms`);
});

test('a job whose labels are not certain matches no set, and its reason says why', () => {
	const one = job(['gpu'], { labelsTruncated: true });
	assert.is(
		route(one, [set('a', { labels: ['gpu'] })]),
		'its labels are not certain: at most 50 of at most 256 characters are read, 2048 in all, without control characters',
	);
});

/** What a job may cost is counted by look-ups of a set's labels. */
class CountedSet extends Set<string> {
	static looks = 0;
	override has(label: string): boolean {
		CountedSet.looks += 1;
		return super.has(label);
	}
}
function counting(sets: routing.Sets): { sets: routing.Sets; asked: { visible: number; places: number } } {
	const asked = { visible: 0, places: 0 };
	const { index, placesOf, visible, gives } = sets;
	CountedSet.looks = 0;
	const { within } = index;
	index.within = (scopes) =>
		within.call(index, scopes).map((one) => ({ ...one, has: new CountedSet(one.has) }));
	return {
		asked,
		sets: {
			index,
			placesOf: (key) => {
				asked.places += 1;
				return placesOf(key);
			},
			visible: (repository, one) => {
				asked.visible += 1;
				return visible(repository, one);
			},
			gives,
		},
	};
}

test('5,000 jobs of as many repositories, which 200 sets could run: sets are compared once, not for each job', () => {
	const { sets, asked } = counting(among(Array.from({ length: 200 }, (_, index) => set(`s${index}`))));
	const list = jobsAt(5_000).map((one, index) => ({ ...one, repository: `Octo/r${index}` }));
	const routed = [...routing.routeAll(list, sets, () => undefined)];
	assert.is(routed.length, 5_000);
	assert.equal([asked.visible, asked.places, CountedSet.looks], [200, 200, 200]);
});

test('600 jobs that are not alike, which 200 sets could run: more is not remembered than fits, and each takes its place', () => {
	const labels = Array.from({ length: 10 }, (_, index) => `l${index}`);
	const sets = Array.from({ length: 200 }, (_, index) => set(`s${index}`, { labels, room: 3 }));
	const list = jobsAt(600).map((one, index) => ({
		...one,
		labels: labels.filter((_, at) => ((index + 1) >> at) & 1),
	}));
	assert.equal([...new Set(Object.values(counts(routeAll(list, sets, () => undefined))))], [3]);
});

test('whether a group is visible is asked for each repository', () => {
	const { sets, asked } = counting(among([set('a', { group: 'secret' }), set('b')]));
	const list = jobsAt(10).map((one, index) => ({ ...one, repository: `octo/r${index % 5}` }));
	assert.is([...routing.routeAll(list, sets, () => undefined)].length, 10);
	assert.is(asked.visible, 2 * 5);
});

test('jobs are only compared with sets that could be given jobs of their repository', () => {
	const others = Array.from({ length: 1_000 }, (_, index) =>
		set(`s${index}`, { scope: { kind: 'organization', name: `other${index}` } }),
	);
	const { sets } = counting(among([...others, set('own', { labels: ['gpu'] })]));
	const [first] = routing.routeAll([job(['GPU', 'linux'])], sets, () => undefined);
	assert.equal(first?.routed, { set: keyOf('own') });
	assert.is(CountedSet.looks, 2);
});

test('10 sets with 100,000 labels each and 40 jobs: a set has as many labels as a runner may have', () => {
	const labels = Array.from({ length: 100_000 }, (_, index) => `l${index}`);
	const sets = among(Array.from({ length: 10 }, (_, index) => set(`s${index}`, { labels })));
	for (const { has } of sets.index.within(sets.index.scopesOf(job([])))) assert.is(has.size, 100 + 3);
	const list = jobsAt(40).map((one, index) => ({ ...one, labels: [`l${index}`] }));
	const runs = Array.from({ length: 5 }, () =>
		ownMs(() => assert.is([...routing.routeAll(list, sets, () => undefined)].length, 40)),
	);
	assert.ok(Math.min(...runs) < 50, `${runs} ms`);
});

test('a set that has changed is found by what it is now, and one that is gone no more', () => {
	const index = new SetIndex();
	const of = (one: Job) => index.within(index.scopesOf(one)).map(({ key }) => nameOf(key));
	index.set(set('a', repository('octo', 'app')));
	index.set(set('a', enterprise('corp')));
	index.set(set('b', { host: 'ghes.example' }));
	assert.equal(of(job([], { enterprise: 'other' })), []);
	assert.equal([of(job([])), of(job([], { enterprise: undefined }))], [['a'], ['a']]);
	assert.equal(of(job([], { host: 'GHES.example' })), ['b']);
	for (const name of ['a', 'b', 'c']) index.delete(keyOf(name));
	assert.equal(
		[of(job([])), index.isServed('github.com'), index.isServed('ghes.example')],
		[[], false, false],
	);
});

const at: WaitedFor = {
	key: 'RunnerSet ci/a',
	blocked: undefined,
	blockedMessage: undefined,
	autoscaled: true,
	max: 3,
	living: 2,
	idle: 0,
	startingSinceMs: undefined,
};
const reason = (more: Partial<WaitedFor>, labels = ['self-hosted']) => {
	const { reason, message } = whyWaits('waiting', { set: at.key }, { ...at, ...more }, labels) ?? {};
	return `${reason}: ${message}`;
};

test('why a job waits, for people', () => {
	assert.is(
		reason({ idle: 1 }),
		'RunnerIdle: RunnerSet ci/a has idle runners, but GitHub has not assigned the job to one yet',
	);
	assert.is(
		reason({ startingSinceMs: Date.parse('2026-11-27T12:00:00.123Z') }),
		'RunnerStarting: a runner of RunnerSet ci/a has been starting since 2026-11-27T12:00:00Z',
	);
	assert.is(reason({}), 'RunnerStarting: a runner of RunnerSet ci/a is being created');
	assert.is(reason({ living: 3 }), 'AtMaximum: RunnerSet ci/a is at its maximum of 3 runners');
	assert.is(
		reason({ autoscaled: false }),
		'NotAutoscaled: no autoscaler counts jobs for RunnerSet ci/a, which has 2 runners, none of them idle',
	);
	assert.is(
		reason({ autoscaled: false, living: 0 }),
		'NotAutoscaled: no autoscaler counts jobs for RunnerSet ci/a, which has no runners',
	);
	assert.is(
		reason({ blocked: 'StartsFailing', blockedMessage: '3 times in a row' }),
		'StartsFailing: RunnerSet ci/a cannot start runners: 3 times in a row',
	);
	assert.match(
		reason({ blocked: 'RunnerOutdated' }) ?? '',
		/^RunnerOutdated: RunnerSet ci\/a cannot start runners: GitHub refuses the version of its runners/,
	);
	assert.is(
		reason({ blocked: 'CredentialsMissing', startingSinceMs: 0 }),
		'CredentialsMissing: RunnerSet ci/a cannot start runners: it has no GitHub credentials',
	);
	assert.match(
		reason({ blocked: 'ScopeUnconfirmed' }) ?? '',
		/^RunnerStarting/,
		'it is only a matter of which set comes first',
	);
	assert.is(
		reason({ blocked: 'QuotaExceeded' }),
		'QuotaExceeded: RunnerSet ci/a gets no further runners: a ResourceQuota of its namespace refuses them; see its condition QuotaExceeded',
	);
	assert.match(reason({ blocked: 'QuotaExceeded', startingSinceMs: 0 }), /^RunnerStarting: /);
	assert.is(
		reason({ blocked: 'SpecInvalid' }),
		'StartsFailing: RunnerSet ci/a cannot start runners: its spec is invalid',
	);
	assert.is(
		reason({ blocked: 'Deleting' }),
		'StartsFailing: RunnerSet ci/a cannot start runners: it is being deleted',
	);
	assert.is(
		reason({}, []),
		'RunnerStarting: a runner of RunnerSet ci/a is being created; the job asks for a runner group and no labels, and GitHub does not say which: it counts for RunnerSet ci/a, which fits best',
	);
});

test('why a job that is not counted waits, and that one which runs does not', () => {
	const none: routing.Routed = { none: 'no-scope', why: 'no set has runners at github.com' };
	const said = (status: Parameters<typeof whyWaits>[0]) => whyWaits(status, none, undefined, [])?.reason;
	assert.equal(said('waiting'), 'NoMatchingSet');
	assert.equal(whyWaits('waiting', none, undefined, [])?.message, 'no set has runners at github.com');
	assert.equal([said('gated'), said('unconfirmed'), said('suspect')], ['Approval', 'Unconfirmed', 'Suspect']);
	assert.equal([said('running'), said('ended'), said('over')], [undefined, undefined, undefined]);
	assert.is(whyWaits('waiting', { set: keyOf('gone') }, undefined, []), undefined);
});

test.run();
