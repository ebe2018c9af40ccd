import * as assert from 'uvu/assert';
import { demand } from '../../../admission/autoscale/rules/demand.ts';
import type { Desired, Job, Runner } from '../../../admission/autoscale/rules/types.ts';
import { type Owner, plan } from '../../../admission/sets/rules/plan.ts';
import { noBackoff } from '../../../admission/sets/rules/start-backoff.ts';
import { suite } from '../../support/suite.ts';

const test = suite('histories');
const second = 1_000;
const minute = 60 * second;

/** A job as GitHub has it. */
interface RealJob {
	id: number;
	state: 'queued' | 'in_progress' | 'completed';
	runner: string | undefined;
}

/** A runner as it is: GitHub may have given it a job of which its pod does not show anything yet. */
interface RealRunner {
	owner: Owner;
	idleSinceMs: number;
	job: RealJob | undefined;
	/** The job that its own source has reported last. */
	signalled: RealJob | undefined;
	/** When its own source reports its job; undefined: it never does. */
	signalMs: number | undefined;
	worked: boolean;
}

interface Faults {
	/** Part of the events that are lost. */
	lost: number;
	/** How long an event takes at most, in ms: they overtake each other. */
	lateMs: number;
	/** Part of the runners whose own source reports nothing. */
	mute: number;
	/** How far the clock of a new leader is off at most, in ms. */
	clockMs: number;
	/** GitHub can be asked. */
	answers: boolean;
	/** Runners take one job after the other. */
	static?: boolean;
	/** For minutes GitHub gives out no jobs. */
	stalls?: boolean;
}

/** A set with its autoscaler, GitHub, and everything that may go wrong between them. */
class History {
	readonly jobs = new Map<number, RealJob>();
	readonly records = new Map<string, Job>();
	runners: RealRunner[] = [];
	nowMs = Date.parse('2026-11-27T12:00:00Z');
	desired: Desired;
	surge = 1;
	templateHash = 'first';
	made = 0;
	stalled = false;
	readonly #faults: Faults;
	readonly #random: () => number;
	#events: { atMs: number; job: RealJob; state: Job['state']; runner: string | undefined }[] = [];
	#accounting = { effectiveMs: 0, completionsMs: [] as number[], ...noBackoff };
	#skewMs = 0;

	constructor(seed: number, faults: Faults, desired: Partial<Desired>) {
		this.#faults = faults;
		this.#random = randomOf(seed);
		this.desired = {
			min: 0,
			max: 12,
			countsJobs: true,
			spare: 0,
			reserved: 0,
			suggestion: undefined,
			delayMs: minute,
			checkAfterMs: 10 * minute,
			ready: true,
			...desired,
		};
	}

	below(number: number): number {
		return Math.floor(this.#random() * number);
	}

	chance(part: number): boolean {
		return this.#random() < part;
	}

	queue(): void {
		const job: RealJob = { id: this.jobs.size + 1, state: 'queued', runner: undefined };
		this.jobs.set(job.id, job);
		this.#tell(job);
	}

	cancel(): void {
		const waiting = [...this.jobs.values()].filter(({ state }) => state === 'queued');
		const job = waiting[this.below(waiting.length)];
		if (!job) return;
		job.state = 'completed';
		this.#tell(job);
	}

	/** Somebody deletes a pod that has no job, or a node goes. */
	crash(): void {
		const idle = this.runners.filter(({ owner, job }) => owner.phase === 'idle' && !job);
		const runner = idle[this.below(idle.length)];
		if (runner) runner.owner.phase = this.chance(0.5) ? 'completed' : 'stopping';
	}

	/** GitHub gives out jobs, or does not, for a while. */
	stall(part: number): void {
		if (this.#faults.stalls) this.stalled = this.chance(part);
	}

	/** Another server leads, with its own clock. */
	changeLeader(): void {
		this.#skewMs = this.below(2 * this.#faults.clockMs + 1) - this.#faults.clockMs;
		for (const job of this.records.values()) job.unassignedMs = undefined;
	}

	/** Time passes; GitHub gives out jobs, runners start, work and end, events and job signals arrive. */
	pass(ms: number, ends = 0.15): void {
		this.nowMs += ms;
		const { runners } = this;
		for (const { owner } of runners)
			if ((owner.phase === 'unbound' || owner.phase === 'starting') && this.chance(0.5)) {
				owner.phase = owner.phase === 'unbound' ? 'starting' : 'idle';
				owner.sinceMs = this.nowMs;
			}
		const free = runners.filter(({ owner, job }) => owner.phase === 'idle' && !job);
		for (const job of this.jobs.values()) {
			if (job.state !== 'queued' || this.stalled || this.chance(0.2)) continue;
			const runner = free.splice(this.below(free.length), 1)[0];
			if (!runner) break;
			Object.assign(job, { state: 'in_progress', runner: runner.owner.name });
			runner.job = job;
			runner.signalMs = this.chance(this.#faults.mute) ? undefined : this.nowMs + this.below(3 * second);
			this.#tell(job);
		}
		for (const runner of runners) {
			const { owner, job, signalMs } = runner;
			if (
				job?.state === 'in_progress' &&
				signalMs !== undefined &&
				signalMs <= this.nowMs &&
				owner.phase === 'idle'
			) {
				Object.assign(owner, { phase: 'busy', sinceMs: signalMs });
				Object.assign(runner, { worked: true, signalled: job });
			}
			if (job?.state === 'in_progress' && this.chance(ends)) {
				job.state = 'completed';
				owner.phase = this.#faults.static ? 'idle' : 'completed';
				owner.sinceMs = this.nowMs;
				runner.job = undefined;
				this.#tell(job);
			}
		}
		const due = this.#events.filter(({ atMs }) => atMs <= this.nowMs);
		this.#events = this.#events.filter(({ atMs }) => atMs > this.nowMs);
		for (const { job, state, runner } of due) this.#receive(job, state, runner);
	}

	/** One pass of the leader. */
	look() {
		const nowMs = this.nowMs + this.#skewMs;
		const runners = this.runners.map((runner) => this.#seen(runner));
		const asked = demand([...this.records.values()], runners, this.desired, nowMs);
		for (const job of this.records.values()) {
			const bound = asked.bound.find((one) => one.job === job.key);
			const ended = asked.ended.find((one) => one.job === job.key);
			job.boundTo = (bound ?? ended)?.runner;
			job.endedMs = ended ? (job.endedMs ?? nowMs) : undefined;
			job.unassignedMs = asked.unassigned.find((one) => one.job === job.key)?.sinceMs;
		}
		const owners = this.runners.map(({ owner }) => owner);
		const planned = plan(
			owners,
			{
				replicas: 99,
				demanded: asked,
				templateHash: this.templateHash,
				surge: this.surge,
				deleting: false,
				credentialsMissing: false,
				recreationDelayMs: minute,
				accounting: this.#accounting,
			},
			nowMs,
		);
		const before = structuredClone(owners);
		this.#accounting = planned.accounting;
		// GitHub refuses to remove a runner that has a job, and knows it when nobody else does.
		const released = planned.release.filter(({ uid }) => this.#real(uid)?.job?.state !== 'in_progress');
		this.runners = this.runners.filter(
			({ owner }) => !planned.remove.includes(owner) && !released.includes(owner),
		);
		for (let made = 0; made < planned.create; made++) this.runners.push(this.#create());
		if (this.#faults.answers) for (const key of asked.ask) this.#answer(key, nowMs);
		this.#forget(nowMs);
		return { asked, planned, before, runners };
	}

	#real(uid: string): RealRunner | undefined {
		return this.runners.find(({ owner }) => owner.uid === uid);
	}

	#create(): RealRunner {
		const name = `r${++this.made}`;
		const owner: Owner = {
			name,
			uid: `uid-${name}`,
			createdMs: this.nowMs,
			templateHash: this.templateHash,
			phase: 'unbound',
			onCordonedNode: false,
			departing: false,
		};
		const nothing = { job: undefined, signalled: undefined, signalMs: undefined, worked: false };
		return { owner, idleSinceMs: this.nowMs, ...nothing };
	}

	#seen({ owner, worked, idleSinceMs, signalled }: RealRunner): Runner {
		const { uid, name, phase, departing, createdMs, sinceMs } = owner;
		return {
			uid,
			name,
			phase,
			departing,
			createdMs,
			idleSinceMs: ['unbound', 'starting', 'idle'].includes(phase) ? (sinceMs ?? idleSinceMs) : undefined,
			busySinceMs: phase === 'busy' ? sinceMs : undefined,
			worked,
			// Every third one tells the run, the others only that they work.
			job:
				signalled && signalled.id % 3 === 0
					? { repository: 'octo/app', runId: Math.ceil(signalled.id / 6) }
					: undefined,
		};
	}

	#tell(job: RealJob): void {
		if (this.chance(this.#faults.lost)) return;
		const atMs = this.nowMs + this.below(this.#faults.lateMs + 1);
		this.#events.push({ atMs, job, state: job.state, runner: job.runner });
	}

	#receive({ id }: RealJob, state: Job['state'], runnerName: string | undefined): void {
		const nowMs = this.nowMs + this.#skewMs;
		const key = `j${id}`;
		const rank = { waiting: 0, queued: 0, in_progress: 1, completed: 2 };
		const known = this.records.get(key);
		if (known && rank[known.state] >= rank[state]) return;
		this.records.set(key, {
			key,
			host: 'github.com',
			id,
			repository: 'octo/app',
			enterprise: undefined,
			// Six jobs are one run: its jobs look alike to a hook.
			runId: Math.ceil(id / 6),
			runAttempt: 1,
			name: 'build',
			labels: [],
			labelsTruncated: false,
			createdMs: undefined,
			openedMs: nowMs,
			confirmedMs: undefined,
			checkedMs: undefined,
			boundTo: undefined,
			endedMs: undefined,
			unassignedMs: undefined,
			...known,
			state,
			stateMs: nowMs,
			runnerName: runnerName ?? known?.runnerName,
		});
	}

	#answer(key: string, nowMs: number): void {
		const record = this.records.get(key);
		const job = this.jobs.get(record?.id ?? 0);
		if (!record || !job) return;
		record.checkedMs = nowMs;
		if (job.state === 'queued') record.confirmedMs = nowMs;
		else this.#receive(job, job.state, job.runner);
	}

	/** What has completed is forgotten after 5 minutes. */
	#forget(nowMs: number): void {
		for (const [key, { state, stateMs }] of this.records)
			if (state === 'completed' && nowMs - stateMs > 5 * minute) this.records.delete(key);
	}
}

/** xorshift32: a history that fails can be run again by its seed. */
function randomOf(seed: number): () => number {
	let state = (seed * 2_654_435_761) >>> 0 || 1;
	return () => {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		state >>>= 0;
		return state / 2 ** 32;
	};
}

type Look = ReturnType<History['look']>;

/** What holds at every moment, whatever has happened before. */
function check(history: History, { asked, planned, before, runners }: Look, seed: string): void {
	const { min, max } = history.desired;
	const { desired, mayGo, bound, ended, held, living, waiting } = asked;
	const active = before.filter(({ phase }) => ['unbound', 'starting', 'idle', 'busy'].includes(phase));
	assert.is(living, active.length, `${seed}: plan() and demand() count the same runners`);
	assert.ok(desired >= min && desired <= Math.max(min, max), `${seed}: ${min} <= ${desired} <= ${max}`);
	const most = desired + history.surge;
	if (planned.create > 0)
		assert.ok(
			active.length + planned.create <= most,
			`${seed}: ${active.length} + ${planned.create} > ${most}`,
		);
	assert.is(planned.hold, undefined, `${seed}: nothing is held back for a job`);

	for (const { uid, phase, templateHash, sinceMs = history.nowMs } of planned.release) {
		assert.is.not(phase, 'busy', `${seed}: a busy one is released`);
		// An outdated one goes for the rollout, and one that never registers because it is lost.
		const isLost = phase === 'starting' && history.nowMs - sinceMs >= 9 * minute;
		if (templateHash !== history.templateHash || isLost) continue;
		assert.ok(mayGo.includes(uid), `${seed}: one is released that may not go`);
	}
	const seen = new Map(runners.map((runner) => [runner.uid, runner]));
	for (const uid of mayGo) {
		const runner = seen.get(uid);
		assert.ok(runner && ['unbound', 'starting', 'idle'].includes(runner.phase) && !runner.departing, seed);
	}
	assert.ok(mayGo.length + held === Math.max(0, living - desired), `${seed}: surplus`);
	if (!history.desired.ready) assert.is(mayGo.length, 0, seed);

	const unique = (some: string[]) => new Set(some).size === some.length;
	assert.ok(unique([...bound, ...ended].map(({ job }) => job)), `${seed}: a job is bound once`);
	assert.ok(unique(bound.map(({ runner }) => runner)), `${seed}: a runner has one job`);
	assert.ok(waiting <= history.records.size, seed);
	assert.ok(asked.requeueAfterMs === undefined || asked.requeueAfterMs > 0, seed);
}

function storm(history: History, steps: number, seed: string): void {
	for (let step = 0; step < steps; step++) {
		if (history.chance(0.3)) for (let more = history.below(4); more > 0; more--) history.queue();
		if (history.chance(0.05)) history.cancel();
		if (history.chance(0.05)) history.crash();
		history.stall(history.stalled ? 0.98 : 0.03);
		if (history.chance(0.03)) history.changeLeader();
		if (history.chance(0.03)) history.templateHash = `hash-${step}`;
		if (history.chance(0.03)) history.surge = 1 + history.below(3);
		if (history.chance(0.02)) history.desired = { ...history.desired, max: 4 + history.below(12) };
		if (history.chance(0.02)) history.desired = { ...history.desired, min: history.below(3) };
		if (history.chance(0.05)) history.desired = { ...history.desired, ready: !history.desired.ready };
		history.pass(history.below(20 * second));
		check(history, history.look(), seed);
	}
}

/** Nothing new comes: after three hours all is served, and all runners have gone. */
function settle(history: History, seed: string): void {
	history.desired = { ...history.desired, min: 0, max: 12, spare: 0, ready: true };
	let suspect = 0;
	for (let more = 0; more < 3; more++) history.queue();
	for (let step = 0; step < 180; step++) {
		history.stall(step < 20 ? 1 : 0);
		history.pass(minute, 0.4);
		const look = history.look();
		check(history, look, seed);
		suspect = look.asked.suspect;
	}
	const queued = [...history.jobs.values()].filter(({ state }) => state === 'queued');
	// A job that no event ever reported is found by the poll alone.
	const known = queued.filter(({ id }) => history.records.has(`j${id}`));
	assert.equal(known, [], `${seed}: all jobs that are known are served`);
	// A static one whose job GitHub has never called over, and is not asked about, is kept: it may have it.
	const named = new Set([...history.records.values()].map(({ runnerName }) => runnerName));
	const left = history.runners.filter(({ owner }) => !named.has(owner.name));
	// Where GitHub can't be asked one runner finds out now and then whether a job is over whose end was not reported.
	if (suspect === 0) assert.equal(left, [], `${seed}: runners are left`);
	else assert.ok(left.length <= 1, `${seed}: ${left.length} runners for ${suspect} jobs that are doubted`);
}

function rollOut(history: History, seed: string): void {
	history.desired = { ...history.desired, min: 3 };
	for (const templateHash of ['before', 'last']) {
		history.templateHash = templateHash;
		for (let step = 0; step < 30; step++) {
			history.pass(minute, 0.4);
			check(history, history.look(), seed);
		}
	}
	const hashes = history.runners.map(({ owner }) => owner.templateHash);
	assert.ok(hashes.length >= 3 && hashes.every((hash) => hash === 'last'), `${seed}: the rollout has ended`);
}

const faults: Record<string, Faults> = {
	none: { lost: 0, lateMs: 0, mute: 0, clockMs: 0, answers: true },
	'lost events': { lost: 0.1, lateMs: 5 * second, mute: 0, clockMs: 0, answers: true },
	'lost events, mute runners, clocks that are off': {
		lost: 0.1,
		lateMs: 30 * second,
		mute: 0.3,
		clockMs: 20 * second,
		answers: true,
	},
	'lost events, and GitHub cannot be asked': {
		lost: 0.1,
		lateMs: 30 * second,
		mute: 0.2,
		clockMs: 20 * second,
		answers: false,
	},
	'GitHub gives out no jobs for minutes, and cannot be asked': {
		lost: 0,
		lateMs: 5 * second,
		mute: 0.2,
		clockMs: 0,
		answers: false,
		stalls: true,
	},
	'static runners, lost events': {
		lost: 0.1,
		lateMs: 30 * second,
		mute: 0.2,
		clockMs: 20 * second,
		answers: true,
		static: true,
	},
	'static runners, lost events, and GitHub cannot be asked': {
		lost: 0.1,
		lateMs: 30 * second,
		mute: 0.2,
		clockMs: 20 * second,
		answers: false,
		static: true,
	},
};

for (const [what, some] of Object.entries(faults)) {
	test(`50 random histories, ${what}: the number is never too high, no busy one is touched, all jobs are served`, () => {
		for (let seed = 1; seed <= 50; seed++) {
			const history = new History(seed, some, { spare: seed % 5 === 0 ? 2 : 0 });
			storm(history, 80, `${what}, seed ${seed}`);
			settle(history, `${what}, seed ${seed}`);
			rollOut(history, `${what}, seed ${seed}`);
		}
	});
}

test('without faults no runner is made that no job asked for, but for rollouts, cancellations and crashes', () => {
	for (let seed = 1; seed <= 30; seed++) {
		const history = new History(seed, faults.none as Faults, { max: 100 });
		for (let step = 0; step < 100; step++) {
			if (history.chance(0.4)) for (let more = history.below(4); more > 0; more--) history.queue();
			history.pass(history.below(5 * second));
			check(history, history.look(), `seed ${seed}`);
		}
		assert.ok(
			history.made <= history.jobs.size,
			`seed ${seed}: ${history.made} for ${history.jobs.size} jobs`,
		);
	}
});

test.run();
