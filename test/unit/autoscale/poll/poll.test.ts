/** What the poll asks GitHub, when, and what it makes of the answers. */
import * as assert from 'uvu/assert';
import {
	driftAgainMs,
	hiddenMs,
	initialReadWithinMs,
	perMinute,
} from '../../../../admission/autoscale/poll/rules/policy.ts';
import type { ReadOutcome } from '../../../../admission/github/types.ts';
import type { Scope } from '../../../../admission/runner/scope.ts';
import type { WorkflowJob } from '../../../sim/jobs.ts';
import { suite } from '../../../support/suite.ts';
import { PollWorld } from './poll-world.ts';

const test = suite<{ world: PollWorld }>('poll');
test.before.each((context) => {
	context.world = new PollWorld();
});
test.after.each(({ world }) => world.stop());

const minuteMs = 60_000;
const app = 'octo-org/app';
const repository: Scope = { kind: 'repository', owner: 'octo-org', name: 'app' };
const organization: Scope = { kind: 'organization', name: 'octo-org' };

/** The initial read of the sets' repositories is over, and has cost what it costs. */
async function started(world: PollWorld, ...scopes: Scope[]): Promise<void> {
	world.start(...scopes);
	await world.clock.until(
		'the initial read',
		() => world.known.length === scopes.length,
		initialReadWithinMs,
	);
	world.calls.length = 0;
}

const paths = ({ calls }: PollWorld) =>
	calls.map(({ path }) => path.replace('/repos/octo-org/app/actions/', ''));

test('a job that GitHub is to be asked about: the answer is written, then reported', async ({ world }) => {
	world.delivers = () => false;
	const [waits, runs, over] = ['w', 'r', 'o'].map((name) => world.queue(app, { name }));
	world.begin(runs!);
	world.begin(over!);
	world.complete(over!);
	await started(world, repository);
	assert.equal(
		[waits, runs].map((job) => world.stateOf(job!)),
		['queued', 'in_progress'],
	);
	world.complete(runs!);
	world.asks = [world.keyOf(waits!), world.keyOf(runs!)];
	await world.clock.pass(5_000);
	assert.equal(world.answered, [`${world.keyOf(waits!)} queued`, `${world.keyOf(runs!)} completed`]);
	assert.is(world.stateOf(runs!), 'completed');
	assert.is(world.stateOf(over!), undefined, 'one that was over before it was known');
});

test('where a webhook delivers it is one call for a job, and one for several of a run', async ({ world }) => {
	await started(world, repository);
	const one = world.queue(app, { runId: 1 });
	const [first, second] = [world.queue(app, { runId: 2 }), world.queue(app, { runId: 2 })];
	world.asks = [one, first, second].map(world.keyOf);
	await world.clock.pass(5_000);
	assert.equal(paths(world), [`jobs/${one.id}`, 'runs/2/jobs']);
	assert.equal(
		world.answered.toSorted(),
		[one, first, second].map((job) => `${world.keyOf(job)} queued`).toSorted(),
	);
});

test('an event that comes after GitHub has said that its job is over does not leave it open', async ({
	world,
}) => {
	world.delivers = () => false;
	await started(world, repository);
	const [over, goesOn] = [world.queue(app, { runId: 8 }), world.queue(app, { runId: 8 })];
	world.begin(over);
	world.complete(over);
	await world.clock.until('the run is read', () => world.stateOf(goesOn) === 'queued', 5 * minuteMs);
	assert.is(world.stateOf(over), undefined);
	world.late(over, 'queued');
	assert.is(world.stateOf(over), 'queued');
	world.asks = [world.keyOf(over), world.keyOf(goesOn)];
	await world.clock.pass(5_000);
	assert.is(world.stateOf(over), 'completed');
	assert.equal(world.answered.toSorted(), [
		`${world.keyOf(over)} completed`,
		`${world.keyOf(goesOn)} queued`,
	]);
});

test('a job of an earlier attempt is in no list of its run: it is asked about by its id', async ({
	world,
}) => {
	world.delivers = () => false;
	const old = world.queue(app, { runId: 8 });
	await started(world, repository);
	world.complete(old);
	const again = world.queue(app, { runId: 8, runAttempt: 2 });
	world.asks = [world.keyOf(old)];
	await world.clock.pass(5_000);
	assert.equal(
		paths(world).filter((path) => /\d$|\d\/jobs$/.test(path)),
		['runs/8/jobs', `jobs/${old.id}`],
	);
	assert.equal(
		[old, again].map((job) => world.stateOf(job)),
		['completed', 'queued'],
	);
	assert.equal(world.answered, [`${world.keyOf(old)} completed`]);
});

test('what is asked about again at once is asked once', async ({ world }) => {
	await started(world, repository);
	const job = world.queue(app);
	world.asks = [world.keyOf(job), world.keyOf(job)];
	await world.clock.pass(2_000);
	world.asks = [world.keyOf(job)];
	await world.clock.pass(10_000);
	assert.is(world.calls.length, 1);
});

test('a job that GitHub does not show, or that nobody may ask about, is answered as unknown', async ({
	world,
}) => {
	const seen = world.queue(app);
	await started(world, repository);
	const elsewhere = world.queue('other/app');
	world.hidden.add(app);
	world.asks = [world.keyOf(seen), world.keyOf(elsewhere)];
	await world.clock.pass(3_000);
	assert.equal(
		world.answered.toSorted(),
		[seen, elsewhere].map((job) => `${world.keyOf(job)} unknown`).toSorted(),
	);
	assert.ok(
		paths(world).every((path) => path.startsWith('runs')),
		String(paths(world)),
	);
	assert.is(world.stateOf(seen), 'queued', 'it proves nothing');
});

test('a hidden repository is remembered, and asked about ever more seldom', async ({ world }) => {
	world.hidden.add(app);
	world.start(repository);
	await world.clock.pass(minuteMs);
	assert.equal([world.calls.length, world.known.length], [1, 1], 'nothing is known of it, and never will be');
	await world.clock.pass(hiddenMs.first);
	assert.is(world.calls.length, 2);
	await world.clock.pass(hiddenMs.first);
	assert.is(world.calls.length, 2);
	world.hidden.clear();
	await world.clock.pass(hiddenMs.first);
	assert.ok(world.calls.length > 3, 'and as ever when it is shown');
});

test('without a webhook jobs are found when they queue, start and end, also those of a later stage', async ({
	world,
}) => {
	world.delivers = () => false;
	await started(world, organization, repository);
	const job = world.queue(app, { runId: 5 });
	const foreign = world.queue(app, { labels: ['ubuntu-latest'] });
	await world.clock.until('queued', () => world.stateOf(job) === 'queued', 2 * minuteMs);
	world.begin(job);
	await world.clock.until('in progress', () => world.stateOf(job) === 'in_progress', 4 * minuteMs);
	assert.is(world.records.get(job.id)!.runnerName, `r-${job.id}`);
	const next = world.queue(app, { runId: 5 });
	await world.clock.until('the next stage', () => world.stateOf(next) === 'queued', 4 * minuteMs);
	world.complete(job);
	world.jobs.cancel(next.id, world.clock.now());
	await world.clock.until('over', () => world.stateOf(job) === 'completed', 4 * minuteMs);
	assert.is(world.stateOf(next), 'completed');
	assert.is(world.stateOf(foreign), undefined, "a job of GitHub's own runners");
	assert.equal(world.drift, ['queued', 'in_progress', 'queued', 'completed', 'completed']);
});

test('of a job that waits for an approval, and then for a runner', async ({ world }) => {
	world.delivers = () => false;
	const job = world.queue(app, { status: 'waiting' });
	await started(world, repository);
	await world.clock.until('waiting', () => world.stateOf(job) === 'waiting', 15 * minuteMs);
	world.jobs.release(job.id);
	await world.clock.until('queued', () => world.stateOf(job) === 'queued', 5 * minuteMs);
});

test('a queued event that was lost is found within one round', async ({ world }) => {
	await started(world, repository);
	world.complete(world.queue(app)); // the webhook delivers
	world.delivers = () => false;
	const job = world.queue(app);
	world.delivers = () => true;
	await world.clock.until('found', () => world.stateOf(job) === 'queued', 15 * minuteMs);
	assert.equal(world.drift, ['queued']);
});

test('one of a matrix whose others were reported is found within minutes', async ({ world }) => {
	await started(world, repository);
	const [reported, lost] = ['a', 'b'].map((name) => {
		world.delivers = () => name === 'a';
		return world.queue(app, { runId: 3, name });
	});
	world.delivers = () => true;
	world.begin(reported!);
	await world.clock.until('found', () => world.stateOf(lost!) === 'queued', 3 * minuteMs);
	assert.is(world.calls.filter(({ path }) => path.includes('runs/3')).length, 1);
});

test('a completed event that was lost: the job is closed', async ({ world }) => {
	await started(world, repository);
	const job = world.queue(app);
	world.begin(job);
	world.delivers = () => false;
	world.complete(job);
	await world.clock.until('closed', () => world.stateOf(job) === 'completed', 30 * minuteMs);
	assert.equal(world.drift, ['completed']);
});

test('what events have reported costs one read of the run', async ({ world }) => {
	await started(world, repository);
	world.begin(world.queue(app, { runId: 9 }));
	await world.clock.pass(9 * minuteMs);
	assert.equal(paths(world), ['runs/9/jobs']);
	assert.equal(world.drift, []);
});

test('a webhook that has stopped to deliver: the first job is found late, the next ones as if there were none', async ({
	world,
}) => {
	await started(world, repository);
	world.complete(world.queue(app));
	world.delivers = () => false;
	const first = world.queue(app);
	await world.clock.until('found', () => world.stateOf(first) === 'queued', 15 * minuteMs);
	for (let count = 0; count < 3; count++) {
		const next = world.queue(app);
		await world.clock.until('found', () => world.stateOf(next) === 'queued', 2 * minuteMs);
	}
	world.delivers = () => true;
	world.complete(world.queue(app));
	world.calls.length = 0;
	await world.clock.pass(5 * minuteMs);
	assert.not.ok(paths(world).includes('runs queued'), 'it delivers again');
});

test('each event puts the round off, but not for ever', async ({ world }) => {
	await started(world, repository);
	for (let minute = 0; minute < 45; minute++) {
		world.complete(world.queue(app));
		await world.clock.pass(minuteMs);
	}
	const lists = world.calls.filter(({ path }) => path.endsWith('/runs queued'));
	assert.ok(lists.length >= 2 && lists.length <= 3, String(lists.length));
});

test('nothing is known before all repositories of the organization have been read', async ({ world }) => {
	const jobs = ['a', 'b', 'c'].map((name) => world.queue(`octo-org/${name}`));
	world.records.clear();
	world.hidden.add('octo-org/b');
	world.start(organization);
	await world.clock.pass(2_000);
	assert.not.ok(world.poll.isKnown('RunnerSet ci/octo-org'));
	await world.clock.until('known', () => world.poll.isKnown('RunnerSet ci/octo-org'), minuteMs);
	assert.equal(world.known, ['RunnerSet ci/octo-org']);
	assert.equal(
		jobs.map((job) => world.stateOf(job)),
		['queued', undefined, 'queued'],
	);
});

test('a set that comes later has an initial read of its own', async ({ world }) => {
	await started(world, repository);
	const other: Scope = { kind: 'repository', owner: 'octo-org', name: 'web' };
	world.delivers = () => false;
	const job = world.queue('octo-org/web');
	world.targets = [...world.targets, world.target(other, { key: 'RunnerDeployment ci/web' })];
	await world.clock.until('known', () => world.poll.isKnown('RunnerDeployment ci/web'), minuteMs);
	assert.is(world.stateOf(job), 'queued');
	world.targets = [];
	await world.clock.pass(15_000);
	assert.not.ok(world.poll.isKnown('RunnerDeployment ci/web'), 'it is gone');
});

for (const [age, afterMs, lists] of [
	['old', 20 * minuteMs, 1],
	['fresh', minuteMs / 2, 0],
] as const)
	test(`a set that is created again in a known organization is read at once: its ${age} list of repositories`, async ({
		world,
	}) => {
		world.queue(app);
		await started(world, organization);
		await world.clock.pass(afterMs);
		world.calls.length = 0;
		world.delivers = () => false;
		const job = world.queue(lists === 1 ? 'octo-org/new' : app);
		world.targets = [...world.targets, world.target(organization, { key: 'RunnerSet ci/again' })];
		await world.clock.until('known', () => world.poll.isKnown('RunnerSet ci/again'), minuteMs);
		assert.is(world.stateOf(job), 'queued');
		assert.is(paths(world).filter((path) => path.endsWith('/repos')).length, lists);
	});

test('where GitHub cannot be asked, the initial read ends all the same', async ({ world }) => {
	world.answer = () => ({ kind: 'github-unavailable', detail: 'down' });
	world.start(organization);
	await world.clock.pass(initialReadWithinMs - minuteMs);
	assert.equal(world.known, []);
	await world.clock.pass(2 * minuteMs);
	assert.is(world.known.length, 1);
	assert.ok(world.calls.length < 20, `${world.calls.length} calls in ten minutes of failures`);
});

for (const account of [
	async () => ({ kind: 'credentials-missing', detail: 'no Secret' }) as const,
	() => Promise.reject(new Error('no API server')),
])
	test('without a credential nothing is asked, and others are not held up', async ({ world }) => {
		world.start(repository);
		const web: Scope = { kind: 'repository', owner: 'octo-org', name: 'web' };
		world.accounts.set('RunnerSet ci/web', account);
		world.targets = [world.target(web), ...world.targets];
		await world.clock.until('known', () => world.poll.isKnown('RunnerSet ci/app'), minuteMs);
		assert.not.ok(world.calls.some(({ path }) => path.includes('web')));
	});

test('while a rate limit lasts nothing is asked', async ({ world }) => {
	await started(world, repository);
	world.answer = () => ({
		kind: 'rate-limited',
		detail: 'until later',
		retryAtMs: world.clock.now() + 30 * minuteMs,
	});
	world.asks = [world.keyOf(world.queue(app))];
	await world.clock.pass(29 * minuteMs);
	assert.is(world.calls.length, 1);
	world.answer = () => undefined;
	await world.clock.pass(3 * minuteMs);
	assert.ok(world.calls.length > 1);
});

test('the guard comes first: while it uses half of the calls, only jobs that somebody waits for are asked about', async ({
	world,
}) => {
	await started(world, repository);
	world.used = 0.5;
	await world.clock.pass(30 * minuteMs);
	assert.is(world.calls.length, 0);
	world.asks = [world.keyOf(world.queue(app))];
	await world.clock.pass(5_000);
	assert.is(world.calls.length, 1);
});

test('an answer that could not be written is read again, and is not lost', async ({ world }) => {
	world.delivers = () => false;
	await started(world, repository);
	let failures = 0;
	world.write = async () => {
		if (++failures <= 3) throw new Error('no API server');
	};
	const job = world.queue(app);
	await world.clock.until('written', () => world.stateOf(job) === 'queued', 5 * minuteMs);
	assert.is(world.lines.filter((line) => line.includes('not written, retrying')).length, 3);
});

test('busy runners and running jobs that differ twice: the runs are listed, then ever more seldom', async ({
	world,
}) => {
	await started(world, repository);
	world.complete(world.queue(app)); // a webhook delivers
	const seldom = async (ms: number) => {
		world.calls.length = 0;
		await world.clock.pass(ms);
		return world.calls.filter(({ path }) => path.endsWith('/runs in_progress')).length;
	};
	world.delivers = () => false;
	const job = world.queue(app);
	world.begin(job);
	world.delivers = () => true;
	world.targets = [world.target(repository, { working: { busy: 1, jobs: 0 } })];
	await world.clock.until('found', () => world.stateOf(job) === 'in_progress', 2 * minuteMs);
	assert.is(await seldom(driftAgainMs.first - minuteMs), 0);
	assert.is(await seldom(2 * minuteMs), 1, 'what it did not explain');
	assert.is(await seldom(driftAgainMs.first), 0);
	world.targets = [world.target(repository, { working: { busy: 1, jobs: 1 } })];
});

test('a metric has its repositories listed once a minute, with the jobs of their runs', async ({ world }) => {
	world.start(organization);
	world.targets = [world.target(organization, { countsRunsOf: [app] })];
	const listed = (name: string) => world.poll.listed(name, 'RunnerSet ci/octo-org', organization);
	assert.equal(listed(app), { jobs: undefined });
	const job = world.queue(app, { labels: ['gpu'] });
	await world.clock.until('known', () => world.known.length > 0, minuteMs);
	await world.clock.pass(5_000);
	assert.equal(
		listed('Octo-Org/App').jobs?.map(({ labels, status }) => [labels, status]),
		[[['gpu'], 'queued']],
	);
	world.begin(job);
	world.queue(app, { labels: ['ubuntu-latest'] });
	await world.clock.pass(90_000);
	assert.equal(
		listed(app)
			.jobs?.map(({ status }) => status)
			.toSorted(),
		['in_progress', 'queued'],
	);
	world.hidden.add(app);
	await world.clock.pass(90_000);
	assert.match(listed(app).problem ?? '', /does not show its runs/);
	assert.equal(listed('octo-org/never'), { jobs: undefined });
});

test('whether a repository may use a runner group is asked once, and again when that is old', async ({
	world,
}) => {
	world.registry.groups.add('orgs/octo-org', { name: 'few', selected: ['web'] });
	world.registry.groups.add('orgs/octo-org', { name: 'big', inherited: true });
	await started(world, organization);
	const enterprise: Scope = { kind: 'enterprise', name: 'octo' };
	const may = (group?: string, scope: Scope = organization, name = app) =>
		world.visibility.may(name, scope, group, world.clock.monotonic());
	assert.ok(may('few'), 'until GitHub has said otherwise');
	assert.ok(may() && may('few', repository), 'without a group, or of a repository, nobody has to be asked');
	await world.clock.pass(3_000);
	assert.equal([may('few'), may('Big', enterprise), may('big'), may('never')], [false, true, false, false]);
	assert.equal(world.visible, [app]);
	await world.clock.pass(minuteMs);
	const asked = () => world.calls.filter(({ endpoint }) => endpoint === 'list-runner-groups');
	assert.is(asked().length, 1);
	await world.clock.pass(5 * minuteMs);
	may('few');
	await world.clock.pass(3_000);
	assert.equal(
		asked().map(({ charged }) => charged),
		[true, false],
	);
	world.hidden.add('octo-org');
	may('few', organization, 'octo-org/web');
	await world.clock.pass(10 * minuteMs);
	assert.ok(may('few', organization, 'octo-org/web'), 'what GitHub does not show proves nothing');
	assert.not.ok(may('few'), 'what it has said before counts');
	await world.clock.pass(3_000);
	assert.equal(world.visible, [app]);
});

test('runner groups are asked for with the credential of the organization, and after a refusal with the next one', async ({
	world,
}) => {
	world.registry.groups.add('orgs/octo-org', { name: 'few', selected: ['web'] });
	const asked: string[] = [];
	const useless = (name: string) => async () => ({
		read: async (_what: string, { endpoint }: { endpoint: string }) => {
			if (endpoint === 'list-runner-groups') asked.push(name);
			return { kind: 'not-visible' } as const;
		},
		connection: connections[name]!,
	});
	const connections: Record<string, { used(): number }> = {};
	for (const [name, scope] of [
		['own', repository],
		['first', organization],
		['second', organization],
	] as const) {
		const key = `RunnerSet ci/${name}` as const;
		connections[name] = { used: () => 0 };
		world.targets.push({ ...world.target(scope), key });
		if (name !== 'second') world.accounts.set(key, useless(name));
	}
	const { targets } = world;
	world.start();
	world.targets = targets;
	const may = () => world.visibility.may(app, organization, 'few', world.clock.monotonic());
	may();
	await world.clock.pass(30_000);
	assert.equal([may(), asked], [false, ['first']]);
	for (let minutes = 0; minutes < 30; minutes++) {
		may();
		await world.clock.pass(minuteMs);
	}
	assert.equal(asked, ['first'], 'once an hour');
	assert.ok(world.calls.filter(({ endpoint }) => endpoint === 'list-runner-groups').length >= 5);
});

test('thousands of repositories and jobs: calls are bounded', async ({ world }) => {
	world.delivers = () => false;
	for (let index = 0; index < 1_500; index++) world.queue(`octo-org/repo-${index}`);
	world.start(organization);
	await world.clock.pass(15 * minuteMs);
	assert.is(world.known.length, 1);
	assert.ok(world.mostChargedInAMinute() <= perMinute.most + 5, String(world.mostChargedInAMinute()));
});

test('what there is at the start is no sign of a webhook', async ({ world }) => {
	const job = world.queue(app);
	world.delivers = () => false;
	world.late(job, 'queued');
	world.delivers = () => false;
	await started(world, repository);
	const next = world.queue(app);
	await world.clock.until('found', () => world.stateOf(next) === 'queued', 2 * minuteMs);
});

test('jobs of another GitHub are never asked about here', async ({ world }) => {
	await started(world, organization);
	const job = world.queue(app);
	Object.assign(world.records.get(job.id)!, { host: 'ghes.example' });
	world.asks = [world.keyOf(job)];
	await world.clock.pass(minuteMs);
	assert.equal([world.calls.length, world.answered], [0, []]);
});

test('1,500 repositories of another owner push none out of the memory, nor do jobs of owners without a set', async ({
	world,
}) => {
	const evil: Scope = { kind: 'organization', name: 'evil-org' };
	world.delivers = () => false;
	const first = world.queue(app);
	await started(world, organization);
	const names = Array.from({ length: 1_500 }, (_, index) => `evil-org/r${index}`);
	world.targets = [world.target(organization), world.target(evil, { countsRunsOf: names })];
	world.accounts.set('RunnerSet ci/evil-org', async () => ({
		read: async () => ({ kind: 'not-visible' }),
		connection: { used: () => 0 },
	}));
	assert.is(world.stateOf(first), 'queued');
	world.complete(first);
	await world.clock.pass(2 * minuteMs);
	world.delivers = ({ repository: name }) => !name.startsWith('octo-org/');
	for (let nth = 0; nth < 300; nth++) world.queue(`other-${nth}/app`);
	await world.clock.pass(30_000);
	const fromMs = world.clock.monotonic();
	const next = world.queue(app);
	await world.clock.until('the next is found', () => world.stateOf(next) === 'queued', 60 * minuteMs);
	assert.ok(world.clock.monotonic() - fromMs <= 6 * minuteMs, `${world.clock.monotonic() - fromMs} ms`);
});

test("a set that names another's repository and has a useless credential does not decide how it is polled", async ({
	world,
}) => {
	world.delivers = () => false;
	const useless: Record<string, () => ReadOutcome> = {
		'not shown': () => ({ kind: 'not-visible' }),
		refused: () => ({ kind: 'credentials-invalid', detail: 'Bad credentials' }),
	};
	const jobs: WorkflowJob[] = [world.queue(app)];
	await started(world, organization);
	for (const [name, answer] of Object.entries(useless)) {
		const named: Scope[] = [repository, organization];
		for (const scope of named) {
			const key = `RunnerSet evil/${name}-${scope.kind}` as const;
			world.targets.push({ ...world.target(scope), key });
			world.accounts.set(key, async () => ({ read: async () => answer(), connection: { used: () => 0 } }));
		}
		await world.clock.pass(30_000);
		jobs.push(world.queue(app));
		const fromMs = world.clock.monotonic();
		await world.clock.until('it is found', () => world.stateOf(jobs.at(-1)!) === 'queued', 30 * minuteMs);
		assert.ok(
			world.clock.monotonic() - fromMs <= 2 * minuteMs,
			`${name}: ${world.clock.monotonic() - fromMs} ms`,
		);
	}
});

test("an enterprise's credential is asked neither about owners of another enterprise, nor about those with a set of their own", async ({
	world,
}) => {
	const asked: string[] = [];
	world.targets = [world.target({ kind: 'enterprise', name: 'octo' })];
	world.accounts.set('RunnerSet ci/octo', async () => ({
		read: async (_what, { parameters: { owner, repo } }) => {
			asked.push(`${owner}/${repo}`);
			return { kind: 'not-visible' };
		},
		connection: { used: () => 0 },
	}));
	const names = Array.from({ length: 50 }, (_, index) => `evil-org/r${index}`);
	const evil = world.target({ kind: 'organization', name: 'evil-org' }, { countsRunsOf: names });
	world.targets.push(evil);
	world.accounts.set(evil.key, async () => ({
		read: async () => ({ kind: 'not-visible' }),
		connection: { used: () => 0 },
	}));
	const { targets } = world;
	world.start();
	world.targets = targets;
	await world.clock.pass(minuteMs);
	world.queue('octo-org/app', { enterprise: 'octo' });
	world.queue('foreign/app', { enterprise: '?' });
	world.queue('somebody/app');
	await world.clock.pass(20 * minuteMs);
	assert.equal([...new Set(asked)].toSorted(), ['octo-org/app', 'somebody/app']);
});

test('a job that is found by asking is of the enterprise that other jobs of its owner name', async ({
	world,
}) => {
	await started(world, repository);
	const found = async () => {
		world.delivers = () => false;
		const job = world.queue(app);
		await world.clock.until('it is found', () => world.stateOf(job) === 'queued', 30 * minuteMs);
		world.delivers = () => true;
		return world.records.get(job.id)?.enterprise;
	};
	assert.is(await found(), undefined);
	world.queue(app, { enterprise: 'octo' });
	assert.is(await found(), 'octo');
});

test('a metric of an enterprise is shown only what its own credential is asked about', async ({ world }) => {
	const enterprise: Scope = { kind: 'enterprise', name: 'evil' };
	const job = world.queue(app, { labels: ['gpu'] });
	await started(world, organization);
	const evil = { ...world.target(enterprise, { countsRunsOf: [app] }), key: 'RunnerSet evil/e' as const };
	world.targets.push(evil);
	world.accounts.set(evil.key, async () => ({
		read: async () => ({ kind: 'not-visible' }),
		connection: { used: () => 0 },
	}));
	await world.clock.pass(2 * minuteMs);
	assert.is(world.stateOf(job), 'queued');
	assert.is(world.poll.listed(app, evil.key, enterprise).jobs, undefined);
	assert.match(world.poll.listed(app, evil.key, enterprise).problem ?? '', /another set's credential/);
	assert.is(world.poll.listed(app, 'RunnerSet ci/octo-org', organization).jobs?.length, 1);
});

test.run();
