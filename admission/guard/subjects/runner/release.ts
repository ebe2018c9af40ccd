import { busy } from '../../../api/keys.ts';
import type { CredentialsMissing, GitHubFailure, Priority } from '../../../github/types.ts';
import type { UnregisterOutcome } from '../../../github/unregistrations.ts';
import { afterLog, believed, openSignal, worksBy } from '../../../jobs/rules/job-signals.ts';
import type { LogReading } from '../../../jobs/rules/runner-log.ts';
import {
	type Annotations,
	absentOf,
	attemptOf,
	busyAnswerOf,
	type DeletionRequest,
	idleOf,
	notIdle,
	recordOf,
	registeredAs,
	signalsOf,
	unregisteredOf,
	withoutAttempt,
	withoutProof,
} from '../../../runner/record.ts';
import type { RunnerPod } from '../../../runner/runner-pod.ts';
import type { Clock } from '../../../time/clock.ts';
import { waitFor } from '../../../time/deadline.ts';
import { denyAndRecord, type RecordPorts } from '../../record-denial.ts';
import type { RunnerReason } from '../../rules/denials.ts';
import { agoMs } from '../../rules/elapsed.ts';
import { admissionBudgetMs, afterQuietMs, backgroundBudgetMs, readingLastsMs } from '../../rules/policy.ts';
import { type Allow, allow, type Deny, deny, type Verdict } from '../../rules/verdict.ts';
import type { Judged } from '../../subject.ts';
import type { QuietPeriods } from './quiet-periods.ts';
import { type Ask, confirmIdle, decide, decideAbsent, denyAbsent } from './rules/decide.ts';

/** What GitHub's list says about a runner. Only a hint: only an `UnregisterOutcome` proves that no job can arrive. */
export type LookupOutcome =
	| { kind: 'present'; busy: boolean; online: boolean }
	| { kind: 'absent'; begunMs: number }
	| GitHubFailure;

/** The GitHub credentials that one runner pod uses. */
export interface RunnerAccount {
	/** Why a call would fail now, as far as is known without one (rate limit, outage, bad credentials); undefined: no reason is known. */
	failure(): GitHubFailure | undefined;
	/** Until when the rate limit lets no DELETE through, ms since the epoch; undefined: one can be sent now. */
	removalsSpentUntilMs(): number | undefined;
	/** Has GitHub remove the registration. Nothing else does. Concurrent calls for one runner share one exchange. */
	unregister(
		pod: RunnerPod,
		options: {
			timeoutMs: number;
			/** How long the rate limit may delay the DELETE, in ms; default: `timeoutMs` less one second. */
			rateLimitWaitMs?: number | undefined;
			priority: Priority;
			/** Called with an id that was looked up, before GitHub is asked to remove it. */
			found: (runnerId: number) => Promise<void>;
			/** Asked right before a DELETE is sent; false: it is not. */
			stillIdle: () => Promise<boolean>;
		},
	): Promise<UnregisterOutcome>;
	/**
	 * Looks the runner up in a list of GitHub's that is begun now; with `recent`, it may be found in one that is a moment old.
	 * That it is absent is only ever said of a list that is begun now.
	 */
	lookup(pod: RunnerPod, options: { timeoutMs: number; recent: boolean }): Promise<LookupOutcome>;
}

/** What `release` needs from outside: GitHub, Kubernetes and time. release-adapter.ts connects the real ones. */
export interface Ports extends RecordPorts<RunnerPod>, Pick<Clock, 'now' | 'after'> {
	/** Names this replica. */
	self: string;
	/** What this replica has seen of GitHub's answers, and when. */
	quiet: QuietPeriods;
	account(pod: RunnerPod): Promise<RunnerAccount | GitHubFailure | CredentialsMissing>;
	/** Whether another pod in the cluster is the runner of this name; see runner/name-owner.ts. */
	nameTaken(pod: RunnerPod): Promise<boolean>;
	/** What the runner's log says now. Never rejects: a log that cannot be read says nothing. */
	readLog(pod: RunnerPod): Promise<LogReading>;
	/** Counts and reports that the runner has this job, although GitHub had answered 204. */
	reportRefuted(pod: RunnerPod, job: string): void;
	/** Deletes the EphemeralRunner of a scale-set pod. If only the pod were deleted, ARC would create it again with a used JIT config. */
	deleteEphemeralRunner(pod: RunnerPod): Promise<void>;
	/** Work that must be finished before the process ends. */
	background(work: Promise<unknown>): void;
}

export type Released = Judged<RunnerPod, RunnerReason>;

/** How long to wait. */
export interface ReleaseLimits {
	/** Until when the caller waits, ms since the epoch; what GitHub answers later is still written on the pod. */
	answerByMs: number;
	priority: Priority;
	/** How long the rate limit may delay the DELETE, in ms; default: as long as one exchange may take, less one second. */
	rateLimitWaitMs?: number;
	/** The caller deletes the pod with gracePeriodSeconds 1 where it is allowed as `cannot-start`. */
	brief?: boolean;
	/** false: the caller does not wait for the end of the quiet period, but tries again then. */
	waitsQuiet?: boolean;
}

/** With how many seconds of grace whoever was allowed it deletes the pod; undefined: with as many as were asked for. */
export const graceOf = ({ reason }: Allow, { process, kind }: RunnerPod): number | undefined =>
	reason === 'cannot-start' || (process.state === 'starting' && kind === 'legacy') ? 1 : undefined;

/** What one release was asked with. */
interface Asked {
	request: DeletionRequest | undefined;
	ports: Ports;
	limits: ReleaseLimits;
}

/**
 * Decides whether the pod may be deleted now, and has GitHub unregister the runner first if that is needed. The webhook,
 * the deletion loop and the sets all use it. A denied request is recorded before it is answered; GitHub's 204 is written
 * on the pod before it counts. A 204, and a list that lacks the runner, count only if no source reports a job after the quiet
 * period.
 *
 * @param pod as the API server has it now, or as a cache has it: whatever leads to a write is checked against the pod
 *   itself then, by its resourceVersion
 * @param request whose deletion to record if it is denied; undefined: nothing is recorded
 * @throws KubeError if the pod can't be read or written: then nothing is recorded. GitHub's failures deny, and never throw
 */
export async function release(
	pod: RunnerPod,
	request: DeletionRequest | undefined,
	ports: Ports,
	limits: ReleaseLimits,
): Promise<Released> {
	const asked = { request, ports, limits };
	let current = pod;
	for (let attempt = 0; attempt < 6; attempt++) {
		const decision = decide(current, ports.now(), ports.self, limits.brief);
		if (decision.kind === 'allow') return { verdict: decision, recorded: false, pod: current };
		if (decision.kind === 'deny') {
			// A hook or an event had reported the job before GitHub's 204 was written on the pod.
			const signal = current.unregistered && openSignal(current.signals);
			return signal?.state === 'working'
				? refute(current, undefined, signal.job.name, asked)
				: denyAndRecord(current, decision, request, ports);
		}
		const outcome = await carryOut(current, decision, asked);
		if ('verdict' in outcome) return outcome;
		current = outcome.again;
	}
	return denyAndRecord(
		current,
		deny('internal-error', 'the pod changed at every try to decide about it'),
		request,
		ports,
	);
}

/** The answer, or the pod as it is now, about which to decide anew. */
type Outcome = Released | { again: RunnerPod };

function carryOut(
	pod: RunnerPod,
	decision: Exclude<ReturnType<typeof decide>, { reason: string }>,
	asked: Asked,
): Promise<Outcome> {
	switch (decision.kind) {
		case 'settle':
			return settle(pod, asked);
		case 'list':
			return list(pod, asked);
		case 'ask':
			return ask(pod, decision, asked);
	}
}

/**
 * Reads GitHub's list for a runner that seems unable to start, where its pod's status may be late. One that is listed and
 * offline was registered by an earlier pod of its name.
 */
async function list(pod: RunnerPod, asked: Asked): Promise<Outcome> {
	const { request, ports, limits } = asked;
	const refuse = (verdict: Deny<RunnerReason>) => denyAndRecord(pod, verdict, request, ports);
	if (!pod.scope) return refuse(deny('scope-unknown'));
	const account = await ports.account(pod);
	if ('kind' in account) return refuse(deny(account.kind, account.detail));
	const timeoutMs = Math.max(100, limits.answerByMs - ports.now());
	const found = await account.lookup(pod, { timeoutMs, recent: false });
	switch (found.kind) {
		case 'absent':
			return confirmVain(pod, asked);
		case 'present':
			return found.online || found.busy
				? refuse(deny('starting', 'GitHub lists it as online'))
				: confirmVain(pod, asked);
		default:
			return refuse(deny(found.kind, found.detail));
	}
}

/** As after any list: it may have been read before the runner registered. */
async function confirmVain(pod: RunnerPod, asked: Asked): Promise<Outcome> {
	const { request, ports, limits } = asked;
	ports.quiet.absent(pod);
	const early = await quiet(pod, denyAbsent(pod), asked);
	if (early) return early;
	const [fresh, reading] = await Promise.all([ports.reread(pod), ports.readLog(pod)]);
	if (fresh === 'gone') return gone(pod);
	if (worksBy(withReading(fresh, reading, ports).signals) === 'working')
		return denyByLog(fresh, reading, request, ports);
	if (decide(fresh, ports.now(), ports.self, limits.brief).kind !== 'list') return { again: fresh };
	return { verdict: allow('cannot-start'), recorded: request?.dryRun ? 'dry-run' : false, pod: fresh };
}

/** Reads the runner's log, then asks GitHub: its list where that is enough, and then by a DELETE. */
async function ask(pod: RunnerPod, { listFirst }: Ask, asked: Asked): Promise<Outcome> {
	const { request, ports, limits } = asked;
	const reading = believed(pod.signals, await ports.readLog(pod));
	const readMs = ports.now();
	const known = withReading(pod, reading, ports);
	if (worksBy(known.signals) === 'working') return denyByLog(pod, reading, request, ports);
	const refuse = (verdict: Deny<RunnerReason>) => denyAndRecord(pod, verdict, request, ports);

	const account = await ports.account(pod);
	if ('kind' in account) return refuse(deny(account.kind, account.detail));
	const failure = account.failure();
	if (failure) return refuse(deny(failure.kind, failure.detail));
	if (await ports.nameTaken(pod)) return refuse(deny('name-taken'));

	// The log of a scale set's runner that is starting has nothing to say yet.
	const unread = reading.says === 'unknown' && pod.process.state !== 'starting';
	// The API server has one DELETE reviewed two or three times: not each of them needs a list.
	const letGoBy = listFirst && reading.says === 'idle' ? ports.quiet.letGoBy(pod) : undefined;
	if (letGoBy !== undefined) return confirmAbsent({ pod: known, begunMs: letGoBy }, asked);
	if (request?.dryRun || listFirst || unread) {
		const timeoutMs = Math.max(100, limits.answerByMs - ports.now());
		const begunMs = ports.now();
		// Where it can't be confirmed yet that it is idle, the many whose logs cannot be read share one recent list.
		const recent = !request?.dryRun && !listFirst && !confirmIdle(pod, begunMs, begunMs).confirmed;
		const found = await account.lookup(pod, { timeoutMs, recent });
		if (found.kind === 'absent') return settleAbsent(known, reading, found.begunMs, asked);
		if (found.kind === 'present') ports.quiet.listed(pod);
		// A dry run ends here (invariant 8): GitHub would be asked now, and would unregister a runner that it lists as idle.
		if (request?.dryRun)
			return {
				verdict: readLookup(pod, reading, found, ports.now()),
				recorded: 'dry-run',
				pod,
			};
		if (found.kind !== 'present') return refuse(deny(found.kind, found.detail));
		if (found.busy) return denyAndRecord(pod, deny('busy'), request, ports, notIdle);
		const { confirmed, sinceMs } = confirmIdle(pod, begunMs, ports.now());
		if (unread && !confirmed) return denyUnconfirmed(pod, reading.why, sinceMs, request, ports);
	}

	const annotations = {
		...recordOf(pod, request, ports.sign, ports.now()),
		...attemptOf(pod, ports.self, ports.now()),
		...signalAnnotations(pod, reading, ports),
	};
	const attempted = await ports.write(pod, { annotations }, true);
	if (attempted === 'conflict') return again(pod, ports);
	if (attempted === 'gone') return gone(pod);
	const untilMs = answerByMs(pod, ports, limits);
	const outcome = await unregister(attempted, { reading, readMs }, account, ports, limits, untilMs);
	if ('begunMs' in outcome) return confirmAbsent(outcome, asked);
	return outcome.pod.unregistered ? { again: outcome.pod } : outcome;
}

/**
 * Its log says that it works, or said so before it could no longer be read: that is written on the pod with the record. Not
 * where ARC removes the pod: ARC asks GitHub at each of its changes.
 */
async function denyByLog(
	pod: RunnerPod,
	reading: LogReading,
	request: DeletionRequest | undefined,
	ports: Ports,
): Promise<Released> {
	const denied = await denyAndRecord(pod, deny('busy'), request, ports, (current) => ({
		...(current.leavingByArc ? {} : signalAnnotations(current, reading, ports)),
		...notIdle(current),
	}));
	return { ...denied, pod: withReading(denied.pod, reading, ports) };
}

/** The pod with what its log has just said. */
const withReading = (pod: RunnerPod, reading: LogReading, { now }: Ports): RunnerPod => ({
	...pod,
	signals: afterLog(pod.signals, reading, pod.ephemeral, now()),
});

/** What its log has said, to be written on the pod as it is now: hooks and events write there as well. */
function signalAnnotations(pod: RunnerPod, reading: LogReading, ports: Ports): Annotations {
	const known = withReading(pod, reading, ports);
	return known.signals === pod.signals ? {} : signalsOf(known, ports.sign);
}

/** Its log cannot be read, and GitHub has not shown it idle for long enough. */
function denyUnconfirmed(
	pod: RunnerPod,
	why: string,
	sinceMs: number | undefined,
	request: DeletionRequest | undefined,
	ports: Ports,
): Promise<Released> {
	return denyAndRecord(pod, deny('unconfirmed', why), request, ports, (current) =>
		sinceMs === undefined ? {} : idleOf(current, sinceMs, ports.sign),
	);
}

/**
 * GitHub has answered 204: the other sources are read once more after the quiet period. If one says that the runner works,
 * GitHub was wrong: the proof no longer counts, and the pod stays until the container stops.
 */
async function settle(pod: RunnerPod, asked: Asked): Promise<Outcome> {
	const { request, ports, limits } = asked;
	const early = await quiet(pod, deny('unregistering', 'GitHub has just removed it'), asked);
	if (early) return early;
	const [fresh, reading] = await Promise.all([ports.reread(pod), ports.readLog(pod)]);
	if (fresh === 'gone') return gone(pod);
	// Something has changed that the decision depends on.
	if (decide(fresh, ports.now(), ports.self, limits.brief).kind !== 'settle') return { again: fresh };
	// A scale set's listener has named a job. A busy label is no such signal: it may be from a list from before the 204.
	const assigned = fresh.kind === 'scale-set' ? fresh.busyHint : undefined;
	const signal = openSignal(withReading(fresh, reading, ports).signals);
	if (signal?.state === 'working' || assigned)
		return refute(fresh, reading, signal?.job.name ?? assigned?.job, asked);
	if (fresh.owner?.found && !request?.dryRun) await ports.deleteEphemeralRunner(fresh);
	return { verdict: allow('unregistered'), recorded: false, pod: fresh };
}

/** GitHub was wrong: its proof is removed from the pod. @param reading of its log, where that was read */
async function refute(
	pod: RunnerPod,
	reading: LogReading | undefined,
	job: string | undefined,
	{ request, ports }: Asked,
): Promise<Released> {
	const denied = await denyAndRecord(pod, deny('busy'), request, ports, (current) => ({
		...(reading ? signalAnnotations(current, reading, ports) : {}),
		...withoutProof,
	}));
	if (!request?.dryRun) ports.reportRefuted(pod, job ?? 'a job');
	return reading ? { ...denied, pod: withReading(denied.pod, reading, ports) } : denied;
}

/** Waits for the end of the quiet period, except in a dry run. Returns the denial where the caller can't wait that long. */
async function quiet(
	pod: RunnerPod,
	verdict: Deny<RunnerReason>,
	{ request, ports, limits }: Asked,
): Promise<Released | undefined> {
	const leftMs = ports.quiet.leftMs(pod) ?? 0;
	if (leftMs === 0 || request?.dryRun) return undefined;
	const late = ports.now() + leftMs + afterQuietMs > limits.answerByMs;
	if (late || limits.waitsQuiet === false) return denyAndRecord(pod, verdict, request, ports);
	await new Promise<void>((resolve) => void ports.after(leftMs, resolve));
	return undefined;
}

async function again(pod: RunnerPod, ports: Ports): Promise<Outcome> {
	const fresh = await ports.reread(pod);
	return fresh === 'gone' ? gone(pod) : { again: fresh };
}

const gone = (pod: RunnerPod): Released => ({
	verdict: allow('already-terminating'),
	recorded: false,
	pod,
});

/**
 * Until when this caller waits for GitHub, ms since the epoch. If the pod changes during a DELETE, as it does by our own
 * attempt, the API server sends a second review of it. That one waits only for what is left of the first one's time (F8).
 */
function answerByMs({ attempt }: RunnerPod, ports: Ports, limits: ReleaseLimits): number {
	const nowMs = ports.now();
	const begun = attempt?.by === ports.self && agoMs(attempt.atMs, nowMs) < admissionBudgetMs + 1_000;
	return begun
		? Math.max(nowMs + 100, Math.min(limits.answerByMs, attempt.atMs + admissionBudgetMs))
		: limits.answerByMs;
}

/** The verdict of a dry run, from the log and GitHub's list. */
function readLookup(
	pod: RunnerPod,
	reading: LogReading,
	found: Exclude<LookupOutcome, { kind: 'absent' }>,
	nowMs: number,
): Verdict<RunnerReason> {
	if (found.kind !== 'present') return deny(found.kind, found.detail);
	if (found.busy) return deny('busy');
	const unread = reading.says === 'unknown' && pod.process.state !== 'starting';
	return unread && !confirmIdle(pod, nowMs, nowMs).confirmed
		? deny('unconfirmed', reading.why)
		: allow('unregistered');
}

/** Asks GitHub. If the caller can't wait as long as GitHub takes, the exchange goes on and its outcome is still written. */
async function unregister(
	pod: RunnerPod,
	{ reading, readMs }: { reading: LogReading; readMs: number },
	account: RunnerAccount,
	ports: Ports,
	{ priority, rateLimitWaitMs, brief }: ReleaseLimits,
	deadlineMs: number,
): Promise<Released | Absent> {
	let latest = pod;
	let isTurn = false;
	const exchange = account
		.unregister(pod, {
			timeoutMs: backgroundBudgetMs,
			rateLimitWaitMs,
			priority,
			// The id is written first. Without it, if the server crashed after GitHub removed the runner, the runner would seem
			// to be still registering.
			found: async (runnerId) => {
				const written = await ports.write(pod, { annotations: registeredAs(pod, runnerId, ports.sign) });
				if (typeof written !== 'string') latest = written;
			},
			stillIdle: () => {
				isTurn = true;
				return stillIdle(pod, readMs, ports, brief);
			},
		})
		.then((outcome) => writeOutcome(pod, latest, reading, outcome, ports, brief));
	ports.background(exchange);
	return waitFor(ports, exchange, { ms: deadlineMs - ports.now() }, () => {
		const untilMs = isTurn ? undefined : account.removalsSpentUntilMs();
		const verdict =
			untilMs === undefined
				? deny('github-slow', 'GitHub has been asked and has not answered yet')
				: deny('budget-spent', `its DELETE may be sent at ${new Date(untilMs).toISOString()}`);
		return { verdict, recorded: true, pod };
	});
}

/** Whether nothing says that the runner works, where its log was read long ago: the DELETE may have waited for its turn. */
async function stillIdle(
	pod: RunnerPod,
	readMs: number,
	ports: Ports,
	brief: boolean | undefined,
): Promise<boolean> {
	if (Math.abs(ports.now() - readMs) < readingLastsMs) return true;
	// A pod that cannot be read now is one of which nothing is known (invariant 3): it is tried again.
	const read = ports.reread(pod).catch(() => 'gone' as const);
	const [fresh, reading] = await Promise.all([read, ports.readLog(pod)]);
	if (fresh === 'gone' || decide(fresh, ports.now(), ports.self, brief).kind !== 'ask') return false;
	return worksBy(withReading(fresh, reading, ports).signals) !== 'working';
}

/** Writes the outcome on the pod and turns it into a verdict. @param latest the same pod, as it was last written */
async function writeOutcome(
	pod: RunnerPod,
	latest: RunnerPod,
	reading: LogReading,
	outcome: UnregisterOutcome,
	ports: Ports,
	brief: boolean | undefined,
): Promise<Released | Absent> {
	switch (outcome.kind) {
		case 'unregistered':
			return finish(pod, latest, outcome.runnerId, ports);
		case 'absent':
			return noteAbsent(pod, reading, outcome.begunMs, { request: undefined, ports, brief });
		case 'busy': {
			const written = await ports.write(pod, { annotations: busyAnswerOf(outcome.message, ports.now()) });
			return { verdict: deny('busy'), recorded: true, pod: typeof written === 'string' ? pod : written };
		}
		case 'withheld':
			await ports.write(pod, { annotations: withoutAttempt });
			// The next try tells why, by its log or by what was written on the pod.
			return {
				verdict: deny('unregistering', 'it may have been given a job in the meantime'),
				recorded: true,
				pod,
			};
		default:
			// There is no answer. The attempt is removed, so that the next review, at any replica, need not wait for it to expire.
			await ports.write(pod, { annotations: withoutAttempt });
			return { verdict: deny(outcome.kind, outcome.detail), recorded: true, pod };
	}
}

/** GitHub's list lacks the runner, and its pod may go after the quiet period, if the other sources agree then. */
interface Absent {
	pod: RunnerPod;
	/** When the reading of the list began, ms since the epoch. */
	begunMs: number;
}

/** GitHub's list lacks the runner: what is known now decides, and once more after the quiet period. */
async function settleAbsent(
	pod: RunnerPod,
	reading: LogReading,
	begunMs: number,
	asked: Asked,
): Promise<Outcome> {
	const { request, ports } = asked;
	const outcome = await noteAbsent(pod, reading, begunMs, { request, ports, brief: asked.limits.brief });
	return 'begunMs' in outcome ? confirmAbsent(outcome, asked) : outcome;
}

/**
 * Notes that GitHub's list lacks the runner. Nothing is signed that lets the pod go: whoever deletes it has GitHub asked again.
 *
 * @param request to be recorded if it is denied; undefined: it is recorded already, or nobody asked
 */
async function noteAbsent(
	pod: RunnerPod,
	reading: LogReading,
	begunMs: number,
	{ request, ports, brief }: Pick<Asked, 'request' | 'ports'> & Pick<ReleaseLimits, 'brief'>,
): Promise<Released | Absent> {
	const { verdict, sinceMs } = decideAbsent(pod, reading, begunMs, ports.now(), brief);
	if (verdict.kind === 'allow') ports.quiet.absent(pod);
	const outcome = (current: RunnerPod): Released | Absent =>
		verdict.kind === 'allow' ? { pod: current, begunMs } : { verdict, recorded: true, pod: current };
	if (request?.dryRun)
		return verdict.kind === 'allow' ? outcome(pod) : denyAndRecord(pod, verdict, request, ports);
	const annotations = {
		...(verdict.kind === 'deny' ? recordOf(pod, request, ports.sign, ports.now()) : {}),
		...(sinceMs === undefined ? {} : absentOf(pod, sinceMs, ports.sign)),
		// Whoever deletes it next need not wait for the attempt to expire; a runner that is still registering waits anyway.
		...(pod.attempt && (verdict.kind === 'allow' || sinceMs !== undefined) ? withoutAttempt : {}),
	};
	if (Object.keys(annotations).length === 0) return outcome(pod);
	const written = await ports.write(pod, { annotations }, request !== undefined);
	if (written === 'gone') return gone(pod);
	// Somebody else has written meanwhile, perhaps a record of theirs (invariant 4): the absence is noted at the next try.
	if (written === 'conflict' && verdict.kind === 'deny') return denyAndRecord(pod, verdict, request, ports);
	return outcome(typeof written === 'string' ? pod : written);
}

/**
 * The same that follows GitHub's 204: the list may have lacked the runner because it has just been given a job, and what its
 * log said before the list was read says nothing of that. Whoever says that the runner was unregistered before takes nothing
 * of it away.
 */
async function confirmAbsent({ pod, begunMs }: Absent, asked: Asked): Promise<Outcome> {
	const { request, ports, limits } = asked;
	const early = await quiet(pod, denyAbsent(pod), asked);
	if (early) return early;
	const [fresh, log] = await Promise.all([ports.reread(pod), ports.readLog(pod)]);
	if (fresh === 'gone') return gone(pod);
	const reading = believed(fresh.signals, log);
	if (worksBy(withReading(fresh, reading, ports).signals) === 'working')
		return denyByLog(fresh, reading, request, ports);
	// Something has changed that the decision depends on.
	if (decide(fresh, ports.now(), ports.self, limits.brief).kind !== 'ask') return { again: fresh };
	const { verdict } = decideAbsent(fresh, reading, begunMs, ports.now(), limits.brief);
	if (verdict.kind === 'deny') return denyAndRecord(fresh, verdict, request, ports);
	if (request?.dryRun) return { verdict, recorded: 'dry-run', pod: fresh };
	ports.quiet.letGo(fresh, begunMs);
	return { verdict, recorded: false, pod: fresh };
}

/** How often and after how many ms GitHub's 204 is written once more, where the API server gives no answer: it is said only once. */
const finishTries = 20;
const finishAgainMs = 1_000;

/** How often the label is taken away with the proof; where others write on the pod each time meanwhile, it stays. */
const labelTries = 3;

/**
 * Writes the proof on the pod; `settle` looks at it then. The label that holds up evictions goes with it: the API
 * server reads the pod again after it has asked the guard (measured on Kubernetes 1.36). It goes from the version that was
 * read only, and not where a source says that the runner works, which has just set it. The proof has to be written in any
 * case, even if nobody may write on a version any longer because another replica leads.
 *
 * @param latest the same pod, as it was last read or written
 */
async function finish(pod: RunnerPod, latest: RunnerPod, runnerId: number, ports: Ports): Promise<Released> {
	const nowMs = ports.now();
	ports.quiet.removed(pod, new Date(nowMs).toISOString());
	const annotations = unregisteredOf(pod, runnerId, ports.sign, nowMs);
	let current = latest;
	let labelTriesLeft = labelTries;
	for (let tries = 1; ; tries++) {
		try {
			const takesLabel = labelTriesLeft > 0 && worksBy(current.signals) !== 'working';
			const written = takesLabel
				? await ports.write(current, { annotations, labels: { [busy.label]: null } }, true)
				: await ports.write(current, { annotations });
			if (written === 'gone') return gone(pod);
			if (written !== 'conflict') return { verdict: allow('unregistered'), recorded: false, pod: written };
			labelTriesLeft -= 1;
			const fresh = await ports.reread(current);
			if (fresh === 'gone') return gone(pod);
			current = fresh;
		} catch (error) {
			if (tries === finishTries) throw error;
			labelTriesLeft = 0;
			await new Promise<void>((resolve) => void ports.after(finishAgainMs, resolve));
		}
	}
}
