import { counted } from '../../api/printable.ts';
import { type WaitingReason, waitingReasons } from '../../api/reasons.ts';
import type { RunnersSet, SetCondition, SetConditionType, SetStatus } from '../../api/sets.ts';
import { dueMs, pastMs } from '../../api/written-time.ts';
import type { Outdated } from './outdated.ts';
import { type Accounting, isActive, type Owner, type Plan } from './plan.ts';
import { startBackoff } from './policy.ts';

/** What one reconcile has found out about a set: the status is made from it. */
export interface Found {
	/** spec.replicas, as last seen. */
	replicas: number;
	/** How many runners there are to be: `replicas`, unless an autoscaler says otherwise. */
	wanted: number;
	templateHash: string;
	owners: readonly Owner[];
	plan: Plan | undefined;
	/** Label selector of the set's pods. */
	selector: string;
	/** Why there are no usable credentials; undefined: there are. */
	credentialsMissing: string | undefined;
	/** What is wrong with the spec; undefined: nothing. */
	specInvalid: string | undefined;
	/** Which quota refuses runners; undefined: none does, as far as is known. */
	quotaExceeded: string | undefined;
	accounting: Accounting;
}

/** The accounting in the set's status; undefined if the set was never reconciled. Its times are no later than they can be. */
export function readAccounting(
	set: RunnersSet,
	nowMs: number,
): { accounting: Accounting; replicas: number } | undefined {
	const { accounting } = set.status ?? {};
	if (accounting?.replicas === undefined) return undefined;
	return {
		accounting: {
			effectiveMs: pastMs(accounting.effectiveTime, nowMs) ?? 0,
			completionsMs: (accounting.completions ?? []).map((time) => pastMs(time, nowMs) ?? 0),
			failedStarts: accounting.failedStarts ?? 0,
			briefEnds: accounting.briefEnds ?? 0,
			nextStartMs: dueMs(accounting.nextStartAt, nowMs, startBackoff.mostMs) ?? 0,
			...(accounting.outdated?.since
				? {
						outdated: {
							version: accounting.outdated.version,
							image: accounting.outdated.image ?? '',
							sinceMs: pastMs(accounting.outdated.since, nowMs) ?? nowMs,
							templateHash: accounting.outdated.templateHash ?? '',
						},
					}
				: {}),
		},
		replicas: accounting.replicas,
	};
}

/** UIDs of the completed runners that are in the accounting already. A runner's end is known to the second only. */
export function countedCompletions(owners: readonly Owner[], completionsMs: readonly number[]): string[] {
	const unmatched = [...completionsMs];
	return owners.flatMap(({ phase, sinceMs = 0, uid }) => {
		const index = unmatched.findIndex((atMs) => Math.abs(atMs - sinceMs) <= 1_000);
		if (phase !== 'completed' || index === -1) return [];
		unmatched.splice(index, 1);
		return [uid];
	});
}

/** The status as it should be, given what was found. */
export function statusOf(set: RunnersSet, found: Found, nowMs: number): SetStatus {
	const { owners, replicas, templateHash, accounting } = found;
	const phase = (...phases: Owner['phase'][]) =>
		owners.filter((owner) => phases.includes(owner.phase)).length;
	const active = owners.filter(isActive);
	const outdatedBusy = active.filter(
		(owner) => owner.phase === 'busy' && owner.templateHash !== templateHash,
	).length;
	const busy = phase('busy');
	const deleting = set.metadata.deletionTimestamp !== undefined;
	const wanted = deleting ? 0 : found.wanted;
	const at = (ms: number) => new Date(ms).toISOString();
	const before = set.status ?? {};
	const draining =
		Math.min(busy, Math.max(active.length - wanted, outdatedBusy)) + phase('leaving', 'stopping');
	return {
		...before,
		observedGeneration: set.metadata.generation ?? 0,
		desiredReplicas: found.wanted,
		replicas: active.length + phase('leaving', 'stopping'),
		// Of those that start, the ones whose containers run.
		readyReplicas:
			phase('idle', 'busy') +
			owners.filter(({ phase, sinceMs }) => phase === 'starting' && sinceMs !== undefined).length,
		availableReplicas: phase('idle', 'busy'),
		updatedReplicas: active.filter((owner) => owner.templateHash === templateHash).length,
		idleReplicas: phase('idle'),
		busyReplicas: busy,
		drainingReplicas: Math.max(0, draining),
		selector: found.selector,
		accounting: {
			effectiveTime: at(accounting.effectiveMs),
			replicas,
			...(accounting.completionsMs.length > 0 ? { completions: accounting.completionsMs.map(at) } : {}),
			...(accounting.failedStarts > 0 ? { failedStarts: accounting.failedStarts } : {}),
			...(accounting.briefEnds > 0 ? { briefEnds: accounting.briefEnds } : {}),
			...(accounting.outdated ? { outdated: storedOutdated(accounting.outdated) } : {}),
			...(accounting.outdated || accounting.failedStarts + accounting.briefEnds > 0
				? { nextStartAt: at(accounting.nextStartMs) }
				: {}),
		},
		conditions: conditionsOf(set, found, { active, wanted, outdatedBusy }, nowMs),
	};
}

function conditionsOf(
	set: RunnersSet,
	{ owners, plan, credentialsMissing, specInvalid, quotaExceeded, accounting, templateHash }: Found,
	{ active, wanted, outdatedBusy }: { active: Owner[]; wanted: number; outdatedBusy: number },
	nowMs: number,
): SetCondition[] {
	const deleting = set.metadata.deletionTimestamp !== undefined;
	const outdated = active.filter((owner) => owner.templateHash !== templateHash).length;
	const surplus = Math.max(0, active.length - wanted);
	const busyNames = active.filter(({ phase }) => phase === 'busy').map(({ name }) => name);
	const moving = plan ? plan.create + plan.release.length + plan.remove.length : 1;
	const settled =
		!deleting &&
		active.length === wanted &&
		outdated === 0 &&
		moving === 0 &&
		active.length === owners.length;
	const held = plan?.hold;
	const failing = accounting.failedStarts > 0;
	const waiting = waitingOf(active);
	const draining = !deleting && plan?.wait.includes('busy') === true;

	const states: [SetConditionType, boolean, string, string][] = [
		['Settled', settled, settled ? 'AsWanted' : 'Changing', settled ? runners(wanted) : changing(plan)],
		['CredentialsMissing', credentialsMissing !== undefined, 'NoCredentials', credentialsMissing ?? ''],
		['SpecInvalid', specInvalid !== undefined, 'FieldInvalid', specInvalid ?? ''],
		[
			'RunnerOutdated',
			accounting.outdated !== undefined,
			'VersionRefused',
			accounting.outdated ? outdatedText(accounting.outdated) : '',
		],
		[
			'StartsFailing',
			failing,
			'RunnersEndBeforeTheyRegister',
			failing
				? `${accounting.failedStarts} starts in a row failed: the runner ended before it registered, or within seconds without a job; the next start is at ${new Date(accounting.nextStartMs).toISOString()} or later`
				: '',
		],
		['RunnersWaiting', waiting !== undefined, waiting?.reason ?? '', waiting?.message ?? ''],
		['QuotaExceeded', quotaExceeded !== undefined, 'QuotaExceeded', quotaExceeded ?? ''],
		[
			'Holding',
			held !== undefined,
			'RunnersCompleted',
			held
				? `${runners(held.replicas)} completed since effectiveTime: replaced when effectiveTime advances, or at ${new Date(held.untilMs).toISOString()}`
				: '',
		],
		['RollingOut', outdated > 0, 'OlderTemplate', `${runners(outdated)} made from an older template`],
		[
			'Draining',
			draining,
			'JobsRunning',
			`${runners(Math.max(outdatedBusy, Math.min(surplus, busyNames.length)))} to be removed when no longer busy: ${list(busyNames)}`,
		],
		[
			'Deleting',
			deleting,
			busyNames.length > 0 ? 'JobsRunning' : 'RunnersLeaving',
			busyNames.length > 0
				? `waiting for the jobs of ${runners(busyNames.length)}: ${list(busyNames)}`
				: `${runners(owners.length)} being removed`,
		],
	];
	const before = new Map((set.status?.conditions ?? []).map((condition) => [condition.type, condition]));
	return states.flatMap(([type, yes, reason, message]): SetCondition[] => {
		const old = before.get(type);
		// A condition appears when it is true for the first time, and then stays with status False.
		if (!yes && type !== 'Settled' && !old) return [];
		const status = yes ? 'True' : 'False';
		const said = yes || type === 'Settled' ? { reason, message } : { reason: 'Resolved', message: '' };
		const lastTransitionTime =
			old?.status === status && old.lastTransitionTime
				? old.lastTransitionTime
				: new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
		return [{ type, status, ...said, lastTransitionTime }];
	});
}

/** The reason that most of the pods give, in the words of the first of them. */
function waitingOf(active: readonly Owner[]): { reason: WaitingReason; message: string } | undefined {
	const all = active.flatMap(({ waiting, departing }) => (waiting && !departing ? [waiting] : []));
	const of = (reason: WaitingReason) => all.filter((one) => one.reason === reason);
	const [most] = waitingReasons.map(of).sort((one, other) => other.length - one.length);
	const first = most?.sort((one, other) => (one.pod < other.pod ? -1 : 1))[0];
	if (!first) return undefined;
	const others = all.length > 1 ? ` (${runners(all.length)} have not started)` : '';
	return { reason: first.reason, message: `pod ${first.pod}: ${first.message}${others}` };
}

const storedOutdated = ({ version, image, sinceMs, templateHash }: Outdated) => ({
	...(version === undefined ? {} : { version }),
	image,
	since: new Date(sinceMs).toISOString(),
	templateHash,
});

function outdatedText({ version, image, sinceMs }: Outdated): string {
	const since = new Date(sinceMs).toISOString().replace(/\.\d+Z$/, 'Z');
	const what = version === undefined ? 'the runner version' : `runner version ${version}`;
	return `GitHub refuses ${what} of image ${image} since ${since}, so its runners get no jobs: use an image with a newer runner (github.com/actions/runner/releases); until then one runner starts every 5 minutes, to see whether GitHub takes it`;
}

const runners = (count: number) => counted(count, 'runner');

function changing(plan: Plan | undefined): string {
	if (!plan) return 'nothing can be done yet';
	const parts = [
		plan.create > 0 && 'creating runners',
		plan.release.length > 0 && 'unregistering runners',
		plan.remove.length > 0 && 'removing ended runners',
		...plan.wait.map((wait) => waits[wait]),
	].filter(Boolean);
	return parts.length > 0 ? parts.join('; ') : 'runners are starting or being removed';
}

const waits: Record<Plan['wait'][number], string> = {
	busy: 'waiting for jobs to end',
	registering: 'waiting for runners that cannot be unregistered yet',
	hold: 'completed runners are not replaced yet',
	'runner-outdated': 'GitHub refuses the version of its runners',
	'starts-failing': 'starts are failing',
	'credentials-missing': 'GitHub credentials are missing',
};

function list(names: string[]): string {
	const shown = names.sort().slice(0, 5).join(', ');
	return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

/** The surge in the annotation max-surge, `3` or `25%` of the wanted number, at least 1; undefined without a valid one. */
export function surgeOf(text: string | undefined, replicas: number): number | undefined {
	const found = /^(\d+)(%?)$/.exec(text ?? '');
	if (!found) return undefined;
	const number = Number(found[1]);
	return Math.max(1, found[2] ? Math.ceil((replicas * number) / 100) : number);
}
