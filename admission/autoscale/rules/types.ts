/** What the rules of the autoscaler know, as plain data. Times are ms since the epoch by our clock, unless they say GitHub's. */
import type { JobState } from '../../api/autoscale.ts';
import type { Scope } from '../../runner/scope.ts';
import type { Phase } from '../../sets/rules/plan.ts';
import type { SetKey } from './set-key.ts';

/** A job of GitHub's, from its record (WorkflowJob) and what the leader has found out. */
export interface Job {
	/** Name of its record. */
	key: string;
	host: string;
	id: number;
	/** OWNER/NAME, in GitHub's own case. */
	repository: string;
	enterprise: string | undefined;
	runId: number | undefined;
	runAttempt: number | undefined;
	name: string;
	labels: readonly string[];
	/** It asks for more labels than are read, or for longer ones: no set is certain to have them. */
	labelsTruncated: boolean;
	state: JobState;
	/** The runner that GitHub has named, once it is in progress. */
	runnerName: string | undefined;
	/** By GitHub's clock. */
	createdMs: number | undefined;
	/** When it was first known to be open. */
	openedMs: number;
	/** Since when it is known to be in this state. */
	stateMs: number;
	/** When GitHub last said, asked by us, that it is queued. */
	confirmedMs: number | undefined;
	/** When GitHub was last asked about it, whatever it answered. */
	checkedMs: number | undefined;
	/** The runner that has it by our own job signals (its hook, its log), though GitHub has not said so. */
	boundTo: string | undefined;
	/** When the runner that has it ended: it counts as over until GitHub says otherwise. */
	endedMs: number | undefined;
	/** Since when it is unassigned though a runner that could run it is idle; see Demand. Only the leader's memory. */
	unassignedMs: number | undefined;
}

/** A runner of the set, also one that has ended and still has an object. */
export interface Runner {
	uid: string;
	/** Its name at GitHub. */
	name: string;
	phase: Phase;
	/** Its deletion is recorded, or its owner is being deleted: it takes no further job. */
	departing: boolean;
	createdMs: number;
	/** In the phases pending, starting and idle: since when it could have had a job, or is meant to. */
	idleSinceMs: number | undefined;
	/** In phase busy: since when. */
	busySinceMs: number | undefined;
	/** Some source (log, hook, event, GitHub) has said that it works, or did. */
	worked: boolean;
	/** GitHub has shown it offline for minutes, though it is idle: it is given no job. */
	offline?: boolean;
	/** What its job signals say of the job that it runs or ran: each part where it is known. */
	job: Partial<RunOfJob> | undefined;
	/** The node of its pod; absent: it has none yet. */
	node?: string | undefined;
	/** It has no pod yet, or none that a watch has shown. */
	withoutPod?: boolean;
}

export interface RunOfJob {
	/** OWNER/NAME */
	repository: string;
	runId: number;
	runAttempt: number;
	/** GitHub's id of the job, where an event has reported it. */
	jobId: number;
	name: string;
}

/** What a HorizontalRunnerAutoscaler asks for now. */
export interface Desired {
	/** The minimum, with the schedule. */
	min: number;
	/** The maximum, or the safety ceiling. */
	max: number;
	/** Whether waiting jobs count: there is a workflowJob trigger. */
	countsJobs: boolean;
	/** Idle runners wanted on top of the waiting jobs. */
	spare: number;
	/** Runners on top of the minimum or the metrics, from spec.capacityReservations that have not expired. */
	reserved: number;
	/** What the metrics say; undefined: there are none, or they say nothing. */
	suggestion: number | undefined;
	/** A surplus runner is removed after it has been idle for this long. */
	delayMs: number;
	/** GitHub is asked about a job that has waited for longer. */
	checkAfterMs: number;
	/** Everything is known that has to be known before a runner may be removed. */
	ready: boolean;
}

/** How long runners of the set took from their creation until they could have a job, ms, the newest last. */
export type StartUps = readonly number[];

/** The runners that can take the next job, and those that should and, as far as is known, will not. */
export interface Supply {
	available: Runner[];
	/** They have been starting for too long. The oldest is first. */
	late: Runner[];
	/** They are idle, and a job that waited beside them for a moment was given to a newer one: it may be chance. */
	doubted: Runner[];
	/** They are idle, and GitHub has given jobs that they had passed by to others. The longest idle is first. */
	sick: Runner[];
}

/** Jobs of one repository with the same labels: GitHub gives all of them to a set's runners, or none. */
export type JobClass = string & { readonly _: unique symbol };

/** What a set's leader remembers of jobs that runners have passed by. The next leader finds it out anew. */
export interface PassingMemory {
	/** When it was found, ms since the epoch. */
	atMs: number;
	/** Of each class the job that waits longest, and since when it is that: ms since the epoch. */
	heads: ReadonlyMap<JobClass, Head>;
	/** By key: since when those jobs wait here that wait longest, ms since the epoch. */
	waiting: ReadonlyMap<string, number>;
	/** By UID: since when runners had been idle, ms since the epoch. */
	idle: ReadonlyMap<string, number>;
	/** UIDs of runners that had or have had a job. */
	worked: ReadonlySet<string>;
	/** UIDs of idle runners that have passed by a job which another one was then given. */
	sick: ReadonlySet<string>;
	/** UIDs of idle runners beside which a job waited for a moment that a newer one was then given. */
	doubted: ReadonlySet<string>;
	replacements: Replacements;
	/** Classes of jobs that GitHub does not give to the set's runners. */
	withheld: ReadonlyMap<JobClass, Withheld>;
	experiment: Experiment | undefined;
	/** Since when all available runners have passed by some job, ms since the epoch; undefined: they have not. */
	passedMs: number | undefined;
	/** When the experiments of the last hour began, ms since the epoch: those with classes that are not known to be given. */
	experimentsMs: readonly number[];
	/** Classes of which runners of the set were given jobs: the last ones. */
	given: ReadonlyMap<JobClass, Given>;
	/** The same of experiments with these classes. */
	givenExperimentsMs: readonly number[];
	/** When the newest runner that has started was created, ms since the epoch. */
	startedCreatedMs: number;
}

/** Sick runners that have been replaced. */
export interface Replacements {
	/** The one that is to go now. */
	uid: string | undefined;
	/** When those of the last minutes began, ms since the epoch. */
	beganMs: readonly number[];
}

export interface Head {
	job: string;
	sinceMs: number;
}

/** A class of which runners of the set were given jobs. */
export interface Given {
	/** When last, ms since the epoch. */
	atMs: number;
	/** The runner of an experiment has passed it by since then: it may hang as well, but not the next one too. */
	passed: boolean;
}

/** A class that is out at this set. */
export interface Withheld {
	/** It is tried again then, ms since the epoch. */
	againMs: number;
	tries: number;
	sinceMs: number;
	/** For people. */
	repository: string;
	labels: readonly string[];
}

/** One runner is there to find out whether GitHub gives jobs of a class to a runner that has not passed them by. */
export interface Experiment {
	of: JobClass;
	startedMs: number;
}

/** Whether GitHub gives out jobs at all, as all sets of its host see it; see giving-out.ts. */
export interface GivingOut {
	/** GitHub gives no job to any runner: nothing is concluded, and nothing is made. */
	stalled: boolean;
	/** When that was last so, ms since the epoch: what was passed by before proves nothing. */
	stalledMs: number;
}

/** What the set's idle runners have passed by, and what follows; see experiment.ts. */
export interface Passing {
	memory: PassingMemory;
	/** Keys of waiting jobs that do not count: GitHub does not give their class to the set's runners. */
	withheld: Set<string>;
	/** A runner more is needed: all that are there have passed by the job. */
	extra: boolean;
	/** UID of the idle runner that gives its place to that one; undefined: there is room, or nothing to find out. */
	makesRoom: string | undefined;
	/** Jobs that GitHub is to be asked about, and when: ms since the epoch. */
	ask: Map<string, number>;
	/** Jobs that all idle runners have passed by, the oldest of each of a few repositories, and since when. */
	passed: { repository: string; sinceMs: number }[];
	/** Idle runners that are available. */
	idle: number;
	/** A runner has been given a job since the last reconcile. */
	taken: boolean;
	/** When this changes by itself, ms since the epoch. */
	changesMs: number[];
}

/** What is known of the set's runners from its earlier reconciles, and of GitHub from other sets. */
export interface SupplyDoubts {
	memory: PassingMemory;
	startUpsMs: StartUps;
	giving: GivingOut;
}

/** How a job counts, and why not. */
export type JobStatus =
	/** It waits for a runner. */
	| 'waiting'
	/** A runner has it. */
	| 'running'
	/** Its runner has ended, and GitHub has not said anything since. */
	| 'ended'
	/** It has completed, or is too old to be true. */
	| 'over'
	/** It waits for an approval: no runner can get it yet. */
	| 'gated'
	/** An event that came long after GitHub had created it opened it, GitHub has not confirmed it, and no runner of the set has it. */
	| 'unconfirmed'
	/** No idle runner has taken it for minutes, and GitHub has not confirmed it. */
	| 'suspect'
	/** GitHub gives jobs of its class to none of the set's runners. */
	| 'withheld';

export interface Demand {
	/** How many runners are wanted: `min` to `max`. Surplus runners that can't be removed yet are not in it. */
	desired: number;
	/** UIDs of surplus runners that may be removed, the longest idle first. */
	mayGo: string[];
	/** UIDs of idle runners that are replaced though they are not too many: they are sick, or make room to find out who is. */
	replace: string[];
	/** Runners above `desired` that can't be removed yet: not idle for long enough, or busy. */
	held: number;
	/** Runners that have not ended. */
	living: number;
	/** Jobs of the set by what they count as. */
	waiting: number;
	running: number;
	suspect: number;
	/** Those that wait according to an old event: not counted before GitHub confirms them. */
	unconfirmed: number;
	/** What would be wanted if there were no maximum. */
	uncapped: number;
	/** Which runners can take the next job, and which do not though they should. */
	supply: Supply;
	/** What they have passed by, with what is to be remembered of it. */
	passing: Passing;
	/**
	 * Jobs that a runner has by its own job signals, though GitHub has not said so. All of them, to be remembered (boundTo,
	 * without endedMs). No runner has a job that is in neither list any longer (no boundTo, no endedMs), unless GitHub has named
	 * its runner: then what is remembered does not matter.
	 */
	bound: { job: string; runner: string }[];
	/** Jobs whose runner has ended. All of them, to be remembered (boundTo, and endedMs where there is none yet). */
	ended: { job: string; runner: string }[];
	/** Jobs that are unassigned though runners are idle, and since when. All of them, to be remembered (unassignedMs); of other jobs it is forgotten. */
	unassigned: { job: string; sinceMs: number }[];
	/** Jobs that GitHub is to be asked about, the most urgent first. */
	ask: string[];
	/** How each job counts, by its key. */
	statuses: Map<string, JobStatus>;
	/** When the set is to be reconciled again if nothing changes, ms from now. */
	requeueAfterMs: number | undefined;
}

/** What routing needs of a set and does not change from one reconcile to the next. */
export interface FixedPart {
	key: SetKey;
	scope: Scope;
	/** Host of its GitHub. */
	host: string;
	/** The runner group; undefined: the default group. */
	group: string | undefined;
	/** The labels that its spec names, folded. */
	labels: readonly string[];
	/** The labels that GitHub adds, folded: self-hosted, the operating system, the architecture as far as it is known. */
	implicit: readonly string[];
	/** The labels of architectures that its runners may have or not, folded. */
	possible: readonly string[];
}

/** What routing needs of a set as its last reconcile has found it. */
export interface Places {
	/** Idle runners. */
	idle: number;
	/**
	 * How many waiting jobs it can serve: its supply, and the runners that it may still get below its maximum (a set of a fixed
	 * number: its supply alone). Without that of jobs that are counted for it: route() takes one job, routeAll() counts down.
	 */
	room: number;
	/** Why it can't start runners; undefined: it can. */
	blocked:
		| 'RunnerOutdated'
		| 'StartsFailing'
		| 'ScopeUnconfirmed'
		| 'CredentialsMissing'
		| 'SpecInvalid'
		| 'Deleting'
		| undefined;
	/**
	 * Where its starts fail and it may have runners: one job that opened after this, ms since the epoch, may find out whether
	 * that is over. Absent: none may.
	 */
	probeAfterMs?: number | undefined;
}
