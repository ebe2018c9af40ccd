/**
 * Two organizations in one server, of which one is hostile in every way at once: what that costs the other one, in an hour of
 * simulated time, beside the same hour alone.
 */
import * as assert from 'uvu/assert';
import { eventBody } from '../../sim/job-bodies.ts';
import type { JobAction, WorkflowJob } from '../../sim/jobs.ts';
import { suite } from '../../support/suite.ts';
import { TenantsWorld } from './tenants-world.ts';

const test = suite('tenants');

const hourSeconds = 3_600;
const baseUrl = 'https://api.github.com';
/** A matrix with a mistyped label. */
const [mistypedRuns, matrixJobs] = [79, 256];

/** How many of `whole` are due in this second, spread over the hour. */
const dueNow = (whole: number, atSecond: number): number =>
	Math.floor((whole * (atSecond + 1)) / hourSeconds) - Math.floor((whole * atSecond) / hourSeconds);

class Attack {
	readonly #world: TenantsWorld;
	#id = 90_000_000_001;

	constructor(world: TenantsWorld) {
		this.#world = world;
	}

	/** Sets that name the other's scopes, with a credential that GitHub refuses for them, and metrics of too much. */
	async begin(): Promise<void> {
		const world = this.#world;
		const metric = (repositoryNames: string[]) => ({
			metrics: [{ type: 'TotalNumberOfQueuedAndInProgressWorkflowRuns', repositoryNames }],
		});
		const named = (count: number) => Array.from({ length: count }, (_, index) => `r${index}`);
		world.putHostile('own', { organization: 'evil-org' }, metric(named(1_500)));
		for (let nth = 0; nth < 6; nth++)
			world.putHostile(
				`own-${nth}`,
				{ organization: 'evil-org' },
				metric([...named(249).map((name) => `${name}-${nth}`), 'octo-org/app']),
			);
		await world.tick();
		world.forge({ kind: 'repository', owner: 'octo-org', name: 'app' });
		world.forge({ kind: 'organization', name: 'octo-org' });
		world.putHostile('app', { repository: 'octo-org/app' }, { minReplicas: 2 });
		world.putHostile('org', { organization: 'octo-org' });
		world.putHostile('enterprise', { enterprise: 'octo', labels: ['gpu', 'big'] });
		for (let nth = 0; nth < 8; nth++)
			world.putHostile(`app-${nth}`, {
				repository: 'octo-org/app',
				githubAPICredentialsFrom: { secretRef: { name: `c${nth}` } },
			});
	}

	each(atSecond: number): void {
		const world = this.#world;
		for (let nth = dueNow(mistypedRuns * matrixJobs, atSecond); nth > 0; nth--)
			this.#says('queued', { labels: ['self-hosted', 'gpuu'], name: `mistyped ${nth}` });
		if (atSecond % 20 === 0)
			this.#says('queued', { labels: ['self-hosted', 'gpu', 'big'], enterprise: 'octo' });
		// The other's job, that runs, that waits, and that comes next.
		if (atSecond % 10 === 0)
			for (let id = world.nextId; id > world.nextId - 5; id--) {
				this.#says('completed', { id });
				this.#says('completed', { id, repository: 'octo-org/app' });
			}
		if (atSecond % 10 === 5)
			for (const runnerName of world.idle) {
				this.#says('in_progress', { runnerName, labels: ['self-hosted', 'gpu'] });
				this.#says('in_progress', { runnerName, labels: ['self-hosted', 'gpu'], enterprise: 'octo' });
			}
	}

	#says(action: JobAction, more: Partial<WorkflowJob>): void {
		const nowMs = this.#world.world.clock.now();
		const job: WorkflowJob = {
			id: this.#id++,
			repository: 'evil-org/app',
			runId: this.#id,
			runAttempt: 1,
			workflow: 'CI',
			name: 'build',
			labels: ['self-hosted', 'gpu'],
			enterprise: null,
			status: action,
			conclusion: action === 'completed' ? 'success' : null,
			createdAtMs: nowMs,
			startedAtMs: action === 'queued' ? null : nowMs,
			completedAtMs: action === 'completed' ? nowMs : null,
			runnerId: more.runnerName ? 1 : null,
			runnerName: null,
			...more,
		};
		const target = this.#id % 7 === 0 ? 'integration' : 'organization';
		this.#world.deliver(eventBody(job, action, baseUrl), { by: 'evil', hook: this.#id % 1_000, target });
	}
}

/** An hour in which octo-org queues three jobs every 109 s; of every third of these no event says so. */
async function hour(hostile: boolean) {
	const world = new TenantsWorld();
	await world.start();
	const attack = hostile ? new Attack(world) : undefined;
	await attack?.begin();
	for (let atSecond = 0; atSecond < 120; atSecond++) await world.tick();
	world.calls.length = 0;
	const madeBefore = world.made;
	for (let atSecond = 0; atSecond < hourSeconds; atSecond++) {
		attack?.each(atSecond);
		const [lost, inTurn] = [atSecond % 327 < 3, atSecond % 109];
		if (inTurn < 3) world.queue({ lost });
		await world.tick();
	}
	const { waits, calls } = world;
	const made = world.made - madeBefore;
	await world.end();
	const waitMs = waits.reduce((sum, one) => sum + one, 0) / waits.length;
	return { started: waits.length, waitMs, made, calls: calls.length };
}

test('a first start while GitHub is away: events bring runners at once; jobs without events are found when it is back', async () => {
	const world = new TenantsWorld();
	const seconds = async (count: number) => {
		for (let second = 0; second < count; second++) await world.tick();
	};
	world.away = true;
	await world.start();
	world.queue();
	world.queue();
	await seconds(10);
	assert.is(world.waits.length, 2);
	for (let nth = 0; nth < 3; nth++) world.queue({ lost: true });
	await seconds(50);
	assert.equal(
		world.calls.filter((call) => call.startsWith('read')),
		[],
		'nothing says yet that the sets are of octo-org',
	);
	world.away = false;
	await seconds(150);
	assert.is(world.waits.length, 5);
	await world.end();
});

test('an hour beside a hostile organization is as the same hour alone, within 2 %: waits, runners and calls of GitHub', async () => {
	const [alone, beside] = [await hour(false), await hour(true)];
	for (const figure of ['started', 'waitMs', 'made', 'calls'] as const) {
		const difference = Math.abs(beside[figure] - alone[figure]) / alone[figure];
		assert.ok(difference <= 0.02, `${figure}: ${beside[figure]} beside, ${alone[figure]} alone`);
	}
});

test.run();
