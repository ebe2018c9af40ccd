import type { Holders } from './holders.ts';
import { classOf } from './job-class.ts';
import {
	againFirstMs,
	againMostMs,
	comparedAfterMs,
	experimentsAnHour,
	experimentWithinMs,
	mostPassedAsked,
	mostWithheld,
	passedAfterMs,
} from './policy.ts';
import type {
	Experiment,
	GivingOut,
	Head,
	Job,
	JobClass,
	Passing,
	PassingMemory,
	Runner,
	Supply,
	SupplyDoubts,
	Withheld,
} from './types.ts';

export const nothingPassed: PassingMemory = {
	heads: new Map(),
	idle: new Map(),
	worked: new Set(),
	sick: new Set(),
	withheld: new Map(),
	experiment: undefined,
	passedMs: undefined,
	experimentsMs: [],
	startedCreatedMs: 0,
};

const givesOut: GivingOut = { stalled: false, stalledMs: 0 };

export const noDoubts: SupplyDoubts = { memory: nothingPassed, startUpsMs: [], giving: givesOut };

interface PassingFacts {
	/** Jobs that wait for a runner, withheld ones too. */
	waiting: readonly Job[];
	jobs: readonly Job[];
	runners: readonly Runner[];
	holders: Holders['holders'];
	/** UIDs of runners that GitHub has given a job, though their own pods do not show it yet. */
	taken: Holders['taken'];
	supply: Supply;
	max: number;
	/** Whether a runner more fits below the maximum, or will when one has gone that is leaving. */
	hasRoom: boolean;
	giving: GivingOut;
}

/**
 * What the set's idle runners have passed by, and what follows. Pure.
 *
 * A job that all available runners have passed by is given one more runner, the experiment. If that one, or any that had not
 * passed it by, is given a job of the class, those that had are sick. If it passes it by as well, the class is not for this
 * set, and is tried again later and later. There is one experiment at a time, and few an hour, whatever waits.
 */
export function judgePassing(before: PassingMemory, facts: PassingFacts, nowMs: number): Passing {
	const { runners, supply, giving } = facts;
	const byKey = new Map(facts.waiting.map((job) => [job.key, job]));
	const taking = takers(before, facts);
	const heads = headsOf(before, facts.waiting, nowMs);
	const { withheld, experiment, sick } = afterTaking(before, facts, taking, nowMs);
	const experimentsMs = before.experimentsMs.filter((ms) => ms > nowMs - 60 * 60_000);
	const idle = supply.available.filter(({ phase }) => phase === 'idle');
	const onTheWay = idle.length < supply.available.length;
	const lastIdleMs = Math.max(Number.NEGATIVE_INFINITY, ...idle.map((runner) => idleMs(runner, nowMs)));
	const dueMs = ({ sinceMs }: Head, fromMs = 0) => Math.max(sinceMs, lastIdleMs, fromMs) + passedAfterMs;
	const isPassed = (head: Head, fromMs = 0) =>
		idle.length > 0 && !onTheWay && (byKey.get(head.job)?.confirmedMs ?? 0) >= dueMs(head, fromMs);
	const found: Passing = {
		memory: before,
		withheld: new Set(),
		extra: false,
		makesRoom: undefined,
		ask: new Map(),
		passed: [],
		idle: idle.length,
		taken: taking.length > 0,
		changesMs: [],
	};

	let current = experiment && heads.has(experiment.of) ? experiment : undefined;
	const tried = current && heads.get(current.of);
	if (current && tried && !giving.stalled) {
		const { of, startedMs } = current;
		const known = withheld.get(of);
		const hasTried = idle.some((runner) => known !== undefined || idleMs(runner, nowMs) > startedMs);
		if (hasTried && isPassed(tried, Math.max(giving.stalledMs, known ? startedMs : 0))) {
			withheld.set(of, outOf(known, byKey.get(tried.job), startedMs, nowMs));
			current = undefined;
		}
	}
	if (current && nowMs - current.startedMs >= experimentWithinMs) {
		// Nothing is known: a class that was out stays out for as long again.
		const known = withheld.get(current.of);
		if (known) withheld.set(current.of, { ...known, againMs: nowMs + delayMs(known.tries) });
		current = undefined;
	}
	const mostAnHour = Math.max(1, Math.floor(experimentsAnHour * facts.max));
	const isOut = (of: JobClass) => withheld.has(of);
	const passedMs = [...heads].some(([of, head]) => !isOut(of) && isPassed(head, giving.stalledMs))
		? (before.passedMs ?? nowMs)
		: undefined;
	// GitHub may give out nothing at all: other sets, and answers about other repositories, show that in a moment.
	const settledMs = passedMs === undefined ? Number.POSITIVE_INFINITY : passedMs + comparedAfterMs;
	found.changesMs.push(settledMs);
	if (!current && !giving.stalled) {
		const mayBe = (head: Head) => settledMs <= nowMs && isPassed(head, giving.stalledMs);
		const next = nextExperiment(heads, withheld, mayBe, byKey, nowMs);
		// Who is idle tries a class again at no cost.
		const isFree = next !== undefined && withheld.has(next) && idle.length > 0;
		if (next !== undefined && (isFree || experimentsMs.length < mostAnHour)) {
			current = { of: next, startedMs: nowMs };
			if (!isFree) experimentsMs.push(nowMs);
		}
	}

	for (const job of withheld.size > 0 ? facts.waiting : []) {
		const of = classOf(job);
		if (withheld.has(of) && !(current?.of === of && heads.get(of)?.job === job.key))
			found.withheld.add(job.key);
	}
	if (current && !withheld.has(current.of) && !giving.stalled) {
		const { startedMs } = current;
		const fresh = supply.available.some(
			(runner) => runner.phase !== 'idle' || idleMs(runner, nowMs) > startedMs,
		);
		found.extra = !fresh;
		if (found.extra && !facts.hasRoom) found.makesRoom = longestIdle(idle, nowMs)?.uid;
	}
	const asked = askable(heads, withheld, current?.of, byKey, idle.length > 0 && !onTheWay);
	for (const [of, head] of asked) {
		const job = byKey.get(head.job);
		if (!job) continue;
		const ms = dueMs(head, of === current?.of && withheld.has(of) ? current.startedMs : giving.stalledMs);
		const rawMs = dueMs(head);
		if (isPassed(head)) found.passed.push({ repository: job.repository, sinceMs: rawMs - passedAfterMs });
		for (const each of new Set([rawMs, ms])) {
			if ((job.confirmedMs ?? 0) < each && (job.checkedMs ?? 0) < each)
				found.ask.set(job.key, Math.min(each, found.ask.get(job.key) ?? each));
			found.changesMs.push(each);
		}
	}
	if (current) found.changesMs.push(current.startedMs + experimentWithinMs);
	for (const { againMs } of withheld.values()) found.changesMs.push(againMs);
	const [firstMs] = experimentsMs;
	if (firstMs !== undefined) found.changesMs.push(firstMs + 60 * 60_000);
	found.memory = {
		heads,
		idle: new Map(idle.map((runner) => [runner.uid, idleMs(runner, nowMs)])),
		worked: new Set(runners.filter((runner) => hasWorked(runner, facts)).map(({ uid }) => uid)),
		sick,
		withheld: bounded(withheld, heads, nowMs),
		experiment: current,
		passedMs,
		experimentsMs,
		startedCreatedMs: startedCreatedMs(before.startedCreatedMs, runners),
	};
	return found;
}

/** Classes of jobs that other sets get if they can, and the key of the one job that tries whether that is still so. */
export interface NotGiven {
	classes: ReadonlySet<JobClass>;
	tries: string | undefined;
}

export const allGiven: NotGiven = { classes: new Set(), tries: undefined };

export function notGiven({ withheld, experiment, heads }: PassingMemory, nowMs: number): NotGiven {
	if (withheld.size === 0) return allGiven;
	const out = [...withheld].filter(([of, { againMs }]) => againMs > nowMs || of === experiment?.of);
	const tries = experiment && heads.get(experiment.of)?.job;
	return { classes: new Set(out.map(([of]) => of)), tries };
}

const idleMs = ({ idleSinceMs }: Runner, nowMs: number): number => Math.min(idleSinceMs ?? nowMs, nowMs);

const longestIdle = (idle: readonly Runner[], nowMs: number): Runner | undefined =>
	idle.toSorted((one, other) => idleMs(one, nowMs) - idleMs(other, nowMs))[0];

/** The longest waiting job of each class; one that was not that before is so since now. */
function headsOf(before: PassingMemory, waiting: readonly Job[], nowMs: number): Map<JobClass, Head> {
	const oldest = new Map<JobClass, Job>();
	for (const job of waiting) {
		const of = classOf(job);
		const other = oldest.get(of);
		if (!other || job.openedMs < other.openedMs || (job.openedMs === other.openedMs && job.id < other.id))
			oldest.set(of, job);
	}
	const heads = new Map<JobClass, Head>();
	for (const [of, { key }] of oldest) {
		const known = before.heads.get(of);
		heads.set(of, known?.job === key ? known : { job: key, sinceMs: nowMs });
	}
	return heads;
}

interface Taking {
	of: JobClass;
	uid: string;
}

/** Which runners have been given a job since the last reconcile, and of which class. */
function takers(before: PassingMemory, facts: PassingFacts): Taking[] {
	const given = facts.runners.filter((runner) => hasWorked(runner, facts) && !before.worked.has(runner.uid));
	if (given.length === 0) return [];
	const uids = new Map(given.map(({ name, uid }) => [name.toLowerCase(), uid]));
	return facts.jobs.flatMap((job) => {
		const holder = facts.holders.get(job.key);
		const uid = holder && uids.get(holder.runner.toLowerCase());
		return uid === undefined ? [] : [{ of: classOf(job), uid }];
	});
}

/** Whether it has a job, or had its only one. */
const hasWorked = ({ uid, phase, worked }: Runner, { taken }: Pick<PassingFacts, 'taken'>): boolean =>
	phase === 'busy' || (phase === 'completed' && worked) || taken.has(uid);

/** What is known after runners have been given jobs: who is sick, and that a class is not out. */
function afterTaking(
	before: PassingMemory,
	{ jobs, supply, giving }: PassingFacts,
	taking: readonly Taking[],
	nowMs: number,
): { sick: Set<string>; withheld: Map<JobClass, Withheld>; experiment: Experiment | undefined } {
	const sick = new Set(supply.sick.map(({ uid }) => uid));
	const withheld = new Map(before.withheld);
	let { experiment } = before;
	const confirmed = new Map(
		taking.length > 0 ? jobs.map(({ key, confirmedMs = 0 }) => [key, confirmedMs]) : [],
	);
	for (const { of, uid } of taking) {
		withheld.delete(of);
		if (experiment?.of === of) experiment = undefined;
		const head = before.heads.get(of);
		if (!head || giving.stalled) continue;
		const confirmedMs = confirmed.get(head.job) ?? 0;
		const hasPassed = (sinceMs: number | undefined) =>
			sinceMs !== undefined &&
			Math.max(head.sinceMs, sinceMs, giving.stalledMs) + passedAfterMs <= confirmedMs;
		if (hasPassed(before.idle.get(uid))) continue;
		for (const runner of supply.available)
			if (runner.phase === 'idle' && hasPassed(idleMs(runner, nowMs))) sick.add(runner.uid);
	}
	return { sick, withheld, experiment };
}

/** The class that is tried next: one that is out and due, the longest due first, or else the oldest that all have passed by. */
function nextExperiment(
	heads: ReadonlyMap<JobClass, Head>,
	withheld: ReadonlyMap<JobClass, Withheld>,
	isPassed: (head: Head) => boolean,
	byKey: ReadonlyMap<string, Job>,
	nowMs: number,
): JobClass | undefined {
	const due = [...withheld]
		.filter(([of, { againMs }]) => againMs <= nowMs && heads.has(of))
		.sort(([, one], [, other]) => one.againMs - other.againMs);
	if (due[0]) return due[0][0];
	const openedMs = ({ job }: Head) => byKey.get(job)?.openedMs ?? nowMs;
	return [...heads]
		.filter(([of, head]) => !withheld.has(of) && isPassed(head))
		.sort(([, one], [, other]) => openedMs(one) - openedMs(other))[0]?.[0];
}

/** The heads that GitHub is asked about: that of the experiment, and else the oldest of a few repositories. */
function askable(
	heads: ReadonlyMap<JobClass, Head>,
	withheld: ReadonlyMap<JobClass, Withheld>,
	experiment: JobClass | undefined,
	byKey: ReadonlyMap<string, Job>,
	someoneIdle: boolean,
): [JobClass, Head][] {
	if (!someoneIdle) return [];
	const own = experiment === undefined ? undefined : heads.get(experiment);
	const oldest = new Map<string, [JobClass, Head]>();
	const openedMs = ({ job }: Head) => byKey.get(job)?.openedMs ?? 0;
	for (const [of, head] of heads) {
		if (withheld.has(of)) continue;
		const repository = byKey.get(head.job)?.repository.toLowerCase() ?? '';
		const known = oldest.get(repository);
		if (!known || openedMs(head) < openedMs(known[1])) oldest.set(repository, [of, head]);
	}
	const others = [...oldest.values()]
		.filter(([of]) => of !== experiment)
		.sort(([, one], [, other]) => openedMs(one) - openedMs(other))
		.slice(0, mostPassedAsked);
	return own && experiment !== undefined ? [[experiment, own], ...others] : others;
}

const delayMs = (tries: number): number => Math.min(againMostMs, againFirstMs * 2 ** tries);

/** Counted from the beginning of the try, so that its runner is still there for the first one after it. */
function outOf(
	known: Withheld | undefined,
	job: Job | undefined,
	startedMs: number,
	nowMs: number,
): Withheld {
	const tries = known ? known.tries + 1 : 0;
	return {
		againMs: Math.max(nowMs, startedMs + delayMs(tries)),
		tries,
		sinceMs: known?.sinceMs ?? nowMs,
		repository: known?.repository ?? job?.repository ?? '',
		labels: known?.labels ?? job?.labels ?? [],
	};
}

/** Without those of which no job waits here for as long as the longest delay, and at most mostWithheld. */
function bounded(
	withheld: ReadonlyMap<JobClass, Withheld>,
	heads: ReadonlyMap<JobClass, Head>,
	nowMs: number,
): ReadonlyMap<JobClass, Withheld> {
	const kept = [...withheld].filter(([of, { againMs }]) => heads.has(of) || againMs + againMostMs > nowMs);
	if (kept.length <= mostWithheld) return new Map(kept);
	return new Map(kept.sort(([, one], [, other]) => other.againMs - one.againMs).slice(0, mostWithheld));
}

function startedCreatedMs(beforeMs: number, runners: readonly Runner[]): number {
	let newestMs = beforeMs;
	for (const { phase, createdMs } of runners)
		if (phase === 'idle' || phase === 'busy') newestMs = Math.max(newestMs, createdMs);
	return newestMs;
}
