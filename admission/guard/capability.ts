import type { SetController } from '../api/controllers.ts';
import { jobPods as jobPodKeys } from '../api/keys.ts';
import type { Capability, LeaderPart } from '../capability.ts';
import type { WebhookConfigurations } from '../certificates/webhook-configurations.ts';
import { liveOwner } from '../cluster/pod-owner.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { Signer } from '../cluster/signer.ts';
import type { Term } from '../cluster/term.ts';
import type { Accounts } from '../github/accounts.ts';
import { FollowedLogs } from '../jobs/followed-logs.ts';
import { markOtherPods } from '../jobs/hooks/hook-other-pods.ts';
import { RunnerLogs } from '../jobs/runner-logs.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Events } from '../kube/events.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import { allowed } from '../webhook/review.ts';
import { type BreakGlassEdit, reportBreakGlassEdit } from './break-glass.ts';
import { keepBusyBudgets } from './busy-budget.ts';
import { BusyPolling } from './busy-polling.ts';
import { deletePods } from './delete-pods.ts';
import { DeletionLoop } from './deletion-loop.ts';
import { evictPods } from './evict-pods.ts';
import { LateStarts } from './late-starts.ts';
import { OneByOne } from './one-by-one.ts';
import { OpenSignals } from './open-signals.ts';
import type { ReviewDependencies } from './review-deletion.ts';
import { StaleRegistrations } from './stale-registrations.ts';
import { leaderSubjects, subjects } from './subjects/index.ts';
import { JobPods } from './subjects/job-pod/job-pods.ts';
import { markJobPods } from './subjects/job-pod/mark-job-pods.ts';
import { leavingOwner } from './subjects/runner/leaving-owner.ts';
import { QuietPeriods } from './subjects/runner/quiet-periods.ts';
import type { Ports as ReleasePorts } from './subjects/runner/release.ts';
import { createReleasePorts } from './subjects/runner/release-adapter.ts';
import { unauthenticated } from './unauthenticated-callers.ts';
import { UnguardedTime } from './unguarded-time.ts';
import { updateLargePods } from './update-large-pods.ts';
import { updatePods } from './update-pods.ts';
import { type WaitingDeletion, WaitingDeletions } from './waiting-deletions.ts';

interface GuardOptions {
	/** Whose sets are reconciled: a runner of theirs that has ended is deleted with its owner. */
	setControllers: readonly SetController[];
	client: KubeClient;
	pods: RunnerPods;
	/** The server's own user name. */
	user: string;
	/** This replica's name. */
	self: string;
	/** The server's own namespace. */
	namespace: string;
	signer: Signer;
	logs: RunnerLogs;
	accounts: Accounts;
	configurations: WebhookConfigurations;
	/** Is called with every exchange that must be finished before the process ends. */
	background: (work: Promise<unknown>) => void;
	events: Events;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

interface GuardLeaderPart extends LeaderPart {
	/** The recorded deletions that wait, by pod key: for the leader's report. */
	waiting: () => ReadonlyMap<string, WaitingDeletion>;
	/** Whether GitHub has shown the idle runner of this pod offline for minutes. */
	isOffline: (uid: string) => boolean;
}

/** `quiet`: shared by reviews, loops and sets, so that none of them waits once more for what another has waited for. */
type SharedOptions = GuardOptions & { quiet: QuietPeriods };

/** Keeps pods that run a job from being deleted, and carries out recorded deletions when it is safe. */
export function guardCapability(given: Omit<GuardOptions, 'logs'>) {
	const { client, clock } = given;
	const options = { ...given, logs: new RunnerLogs(client, clock), quiet: new QuietPeriods(clock) };
	const unguardedTime = new UnguardedTime(options);
	return {
		...reviews(options),
		loops: [(signal: AbortSignal) => unguardedTime.run(signal)],
		unguardedTime,
		/** All reads of runners' logs go through the same gates. */
		runnerLogs: options.logs,
		lead: (term: Term) => lead(options, term),
		/** For sets, which release runners as the guard does. */
		releasePorts: (term: Term) => releasePorts(options, term),
	};
}

const releasePorts = (options: SharedOptions, { exchangePods }: Term): ReleasePorts =>
	createReleasePorts({ ...options, pods: exchangePods });

function reviews(options: SharedOptions): Required<Pick<Capability, 'reviews' | 'unauthenticatedReviews'>> {
	const { setControllers, client, user, signer, logs, clock, log } = options;
	const guarded = subjects({
		...options,
		ports: createReleasePorts(options),
		leavingOwner: setControllers.includes('runnerset') ? leavingOwner(client, user, clock, log) : undefined,
		readLog: (runner) => logs.read(runner),
		sign: signer.signStatement,
		verify: signer.verifyStatement,
	});
	const review: ReviewDependencies = {
		...options,
		subjects: guarded,
		sign: signer.signStatement,
		oneByOne: new OneByOne(),
	};
	return {
		reviews: {
			'/pods/update': (request, arrival) => {
				const onBreakGlass = (edit: BreakGlassEdit) =>
					options.background(reportBreakGlassEdit({ ...edit, arrival }, review));
				return request.reduced
					? updateLargePods(request, user, review, onBreakGlass)
					: updatePods(request, user, guarded, onBreakGlass);
			},
			'/pods/mark': async (request) => markOtherPods(request),
			'/pods/delete': (request, arrival) => deletePods(request, arrival, review),
			'/pods/evict': (request, arrival) => evictPods(request, arrival, review),
		},
		unauthenticatedReviews: {
			...unauthenticated({ ...options, subjects: guarded }),
			'/pods/mark': async ({ uid }) => allowed(uid),
		},
	};
}

function lead(options: SharedOptions, term: Term): GuardLeaderPart {
	const { setControllers, accounts, signer, logs, events, metrics, clock, log } = options;
	const { client, cache, pods } = term;
	const shared = { client, cache, pods, accounts, events, metrics, clock, log };
	const busy = new BusyPolling({ ...shared, signer });
	const followedLogs = new FollowedLogs(shared);
	const jobPods = new JobPods(shared, jobPodKeys.label);
	const stepPods = new JobPods(shared, jobPodKeys.job);
	const waiting = new WaitingDeletions(metrics);
	const ports = releasePorts(options, term);
	const subjects = leaderSubjects({
		...shared,
		followedLogs,
		jobPods,
		stepPods,
		ports,
		liveOwner: (pod) => liveOwner(client, pod, setControllers),
		busyConfirmed: (pod) => busy.confirms(pod),
		idleLists: (pod) => busy.idleLists(pod),
		readLog: (runner) => logs.read(runner),
		verify: signer.verifyStatement,
	});
	const deletions = subjects.map((subject) => new DeletionLoop(subject, { ...shared, waiting }));
	const jobPodMarks = [
		markJobPods('job-pods', { ...shared, jobPods }),
		markJobPods('step-pods', { ...shared, jobPods: stepPods }),
	];
	const signals = new OpenSignals({
		...shared,
		sign: signer.signStatement,
		readLog: (pod) => logs.read(pod),
		sighting: (pod) => busy.sighting(pod),
	});
	const registrations = new StaleRegistrations({ ...shared, namespace: options.namespace });
	const lateStarts = new LateStarts({ ...shared, ports });
	const budgets = keepBusyBudgets(client, cache, metrics, clock, log);
	return {
		waiting: () => waiting.all,
		isOffline: (uid) => busy.isOffline(uid),
		loops: [
			(signal) => busy.run(signal),
			(signal) => registrations.run(signal),
			...subjects.map((subject) => async (signal: AbortSignal) => subject.run?.(signal)),
		],
		controllers: [followedLogs, ...deletions, ...jobPodMarks, signals, registrations, lateStarts, budgets],
		githubRecovered() {
			for (const loop of deletions) loop.retryGitHub();
		},
	};
}
