import { classOf } from './job-class.ts';
import { confirmedMs, unlessFuture } from './job-status.ts';
import { idleMs, Passers } from './passers.ts';
import {
	againFirstMs,
	againMostMs,
	comparedAfterMs,
	experimentsAnHour,
	experimentWithinMs,
	givenExperimentsAnHour,
	mostPassedAsked,
	mostWaitingKnown,
	mostWithheld,
	passedAfterMs,
} from './policy.ts';
import { afterTaking, hasWorked, idleOf, type TakingFacts, takers, withGiven } from './taking.ts';
import type {
	Experiment,
	Given,
	GivingOut,
	Head,
	Job,
	JobClass,
	Passing,
	PassingMemory,
	Runner,
	SupplyDoubts,
	Withheld,
} from './types.ts';

const hourMs = 60 * 60_000;

export const nothingPassed: PassingMemory = {
	atMs: 0,
	heads: new Map(),
	waiting: new Map(),
	idle: new Map(),
	worked: new Set(),
	sick: new Set(),
	doubted: new Set(),
	replacements: { uid: undefined, beganMs: [] },
	withheld: new Map(),
	experiment: undefined,
	passedMs: undefined,
	experimentsMs: [],
	given: new Map(),
	givenExperimentsMs: [],
	startedCreatedMs: 0,
};

const givesOut: GivingOut = { stalled: false, stalledMs: 0 };

export const noDoubts: SupplyDoubts = { memory: nothingPassed, startUpsMs: [], giving: givesOut };

interface PassingFacts extends TakingFacts {
	/** Jobs that wait for a runner, withheld ones too. */
	waiting: readonly Job[];
	max: number;
	/** Whether a runner more fits below the maximum, or will when one has gone that is leaving. */
	hasRoom: boolean;
}

/**
 * What the set's idle runners have passed by, and what follows. Pure.
 *
 * A job that all available runners have passed by is given one more runner, the experiment. If that one, or any that had not
 * passed it by, is given a job of the class, those that had are sick. If it passes it by as well, the class is not for this
 * set, and is tried again later and later. There is one experiment at a time, and few an hour, whatever waits.
 */
export function judgePassing(memory: PassingMemory, facts: PassingFacts, nowMs: number): Passing {
	const before = memory.atMs > nowMs ? withoutFuture(memory, nowMs) : memory;
	const { runners, giving } = facts;
	const taking = takers(before, facts);
	const heads = headsOf(before, facts.waiting, nowMs);
	const { withheld, experiment, sick, doubted } = afterTaking(before, facts, taking, nowMs);
	const given = withGiven(before.given, taking, nowMs);
	const passers = new Passers(facts, heads, before.idle, nowMs);
	// One that has found who is sick has cost nothing that was not needed.
	const paid = before.experiment && !experiment ? before.experiment.startedMs : undefined;
	const recent = (times: readonly number[]) => times.filter((ms) => ms > nowMs - hourMs && ms !== paid);
	const spent = { new: recent(before.experimentsMs), given: recent(before.givenExperimentsMs) };
	const inHand = afterExperiment(experiment, { withheld, given }, passers, giving, nowMs);
	const anyPassed = [...heads].some(
		([of, head]) => !withheld.has(of) && passers.havePassed(head, giving.stalledMs),
	);
	const passedMs = anyPassed ? (before.passedMs ?? nowMs) : undefined;
	// GitHub may give out nothing at all: other sets, and answers about other repositories, show that in a moment.
	const settledMs = passedMs === undefined ? Number.POSITIVE_INFINITY : passedMs + comparedAfterMs;
	const most = { new: Math.max(1, Math.floor(experimentsAnHour * facts.max)), given: givenExperimentsAnHour };
	const kindOf = (of: JobClass) => (given.has(of) ? 'given' : 'new');
	// Who is idle tries a class again at no cost.
	const isFree = (of: JobClass) => withheld.has(of) && passers.idle.length > 0;
	const mayTry = (of: JobClass) => isFree(of) || spent[kindOf(of)].length < most[kindOf(of)];
	const next =
		inHand || giving.stalled
			? undefined
			: passers.next({ withheld, given }, settledMs <= nowMs, giving, mayTry);
	const current = next === undefined ? inHand : { of: next, startedMs: nowMs };
	if (next !== undefined && !isFree(next)) spent[kindOf(next)].push(nowMs);

	const { ask, passed, dueMs } = questions(passers, withheld, current, giving, nowMs);
	const isTriedAnew = current !== undefined && withheld.has(current.of);
	const extra =
		current !== undefined && !isTriedAnew && !giving.stalled && !passers.hasNewcomer(current.startedMs);
	const tried = current && heads.get(current.of)?.job;
	const isOut = (job: Job) => withheld.has(classOf(job)) && job.key !== tried;
	return {
		memory: {
			atMs: nowMs,
			heads,
			waiting: new Map(
				facts.waiting.slice(0, mostWaitingKnown).map(({ key }) => [key, before.waiting.get(key) ?? nowMs]),
			),
			idle: new Map(idleOf(facts.supply).map((runner) => [runner.uid, idleMs(runner, before.idle, nowMs)])),
			worked: new Set(runners.filter((runner) => hasWorked(runner, facts)).map(({ uid }) => uid)),
			sick,
			doubted,
			replacements: before.replacements,
			withheld: bounded(withheld, heads, nowMs),
			experiment: current,
			passedMs,
			experimentsMs: spent.new,
			given,
			givenExperimentsMs: spent.given,
			startedCreatedMs: startedCreatedMs(before.startedCreatedMs, runners),
		},
		withheld: new Set(withheld.size === 0 ? [] : facts.waiting.filter(isOut).map(({ key }) => key)),
		extra,
		makesRoom: extra && !facts.hasRoom ? passers.longestIdle?.uid : undefined,
		ask,
		passed,
		idle: passers.idle.length,
		taken: taking.length > 0,
		changesMs: [
			settledMs,
			...dueMs,
			...(current ? [current.startedMs + experimentWithinMs] : []),
			...[...withheld.values()].map(({ againMs }) => againMs),
			...[spent.new, spent.given].flatMap(([ms]) => (ms === undefined ? [] : [ms + hourMs])),
		],
	};
}

/** The experiment that goes on; undefined: there is none, or it has ended, and `withheld` says what it has found. */
function afterExperiment(
	experiment: Experiment | undefined,
	{ withheld, given }: { withheld: Map<JobClass, Withheld>; given: Map<JobClass, Given> },
	passers: Passers,
	{ stalled, stalledMs }: GivingOut,
	nowMs: number,
): Experiment | undefined {
	const head = experiment && passers.heads.get(experiment.of);
	if (!experiment || !head) return undefined;
	const { of, startedMs } = experiment;
	const known = withheld.get(of);
	const hasTried = known !== undefined || passers.hasNewcomer(startedMs);
	if (!stalled && hasTried && passers.havePassed(head, Math.max(stalledMs, known ? startedMs : 0))) {
		// The runner of the experiment may hang as well, where the set's runners have been given jobs of the class.
		const before = given.get(of);
		if (before && !before.passed) given.set(of, { ...before, passed: true });
		else {
			given.delete(of);
			withheld.set(of, outOf(known, passers.jobOf(head), startedMs, nowMs));
		}
		return undefined;
	}
	if (nowMs - startedMs < experimentWithinMs) return experiment;
	// Nothing is known: a class that was out stays out for as long again.
	if (known) withheld.set(of, { ...known, againMs: nowMs + delayMs(known.tries) });
	return undefined;
}

/** What GitHub is to be asked, and what all have passed by; `dueMs`: when that may change. */
function questions(
	passers: Passers,
	withheld: ReadonlyMap<JobClass, Withheld>,
	current: Experiment | undefined,
	{ stalledMs }: GivingOut,
	nowMs: number,
): Pick<Passing, 'ask' | 'passed'> & { dueMs: number[] } {
	const found = { ask: new Map<string, number>(), passed: [] as Passing['passed'], dueMs: [] as number[] };
	for (const [of, head] of passers.mayHavePassed ? askable(passers, withheld, current?.of) : []) {
		const job = passers.jobOf(head);
		if (!job) continue;
		const fromMs = current && of === current.of && withheld.has(of) ? current.startedMs : stalledMs;
		const rawMs = passers.dueMs(head);
		if (passers.havePassed(head))
			found.passed.push({ repository: job.repository, sinceMs: rawMs - passedAfterMs });
		for (const ms of new Set([rawMs, passers.dueMs(head, fromMs)])) {
			found.dueMs.push(ms);
			if (confirmedMs(job, nowMs) < ms && unlessFuture(job.checkedMs, nowMs) < ms)
				found.ask.set(job.key, Math.min(ms, found.ask.get(job.key) ?? ms));
		}
	}
	return found;
}

/** The heads that GitHub is asked about: that of the experiment, and else the oldest of a few repositories. */
function askable(
	passers: Passers,
	withheld: ReadonlyMap<JobClass, Withheld>,
	experiment: JobClass | undefined,
): [JobClass, Head][] {
	const own = experiment === undefined ? undefined : passers.heads.get(experiment);
	const oldest = new Map<string, [JobClass, Head]>();
	for (const [of, head] of passers.heads) {
		if (withheld.has(of) || of === experiment) continue;
		const repository = passers.jobOf(head)?.repository.toLowerCase() ?? '';
		const known = oldest.get(repository);
		if (!known || passers.openedMs(head) < passers.openedMs(known[1])) oldest.set(repository, [of, head]);
	}
	const others = [...oldest.values()]
		.sort(([, one], [, other]) => passers.openedMs(one) - passers.openedMs(other))
		.slice(0, mostPassedAsked);
	return own && experiment !== undefined ? [[experiment, own], ...others] : others;
}

/** The clock was set back: what was remembered is no later than now. */
function withoutFuture(memory: PassingMemory, nowMs: number): PassingMemory {
	const past = (ms: number) => Math.min(ms, nowMs);
	const { experiment, passedMs } = memory;
	const heads = [...memory.heads].map(
		([of, head]) => [of, { ...head, sinceMs: past(head.sinceMs) }] as const,
	);
	const withheld = [...memory.withheld].map(([of, one]) => {
		const againMs = Math.min(one.againMs, nowMs + againMostMs);
		return [of, { ...one, againMs, sinceMs: past(one.sinceMs) }] as const;
	});
	return {
		...memory,
		heads: new Map(heads),
		waiting: new Map([...memory.waiting].map(([key, ms]) => [key, past(ms)] as const)),
		idle: new Map([...memory.idle].map(([uid, ms]) => [uid, past(ms)] as const)),
		withheld: new Map(withheld),
		experiment: experiment && { ...experiment, startedMs: past(experiment.startedMs) },
		passedMs: passedMs === undefined ? undefined : past(passedMs),
		experimentsMs: memory.experimentsMs.map(past),
		given: new Map([...memory.given].map(([of, one]) => [of, { ...one, atMs: past(one.atMs) }] as const)),
		givenExperimentsMs: memory.givenExperimentsMs.map(past),
	};
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
