import type { DenyReason } from '../../api/reasons.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';
import { jobPodRetryMs, unlistedRetryMs } from './policy.ts';
import {
	about,
	every,
	onlyAfterAChange,
	type Retry,
	whenGitHubConfirms,
	whenItCannotStart,
	whenItRegisters,
	whenItsJobEnds,
	whenLogOrListTells,
} from './retry.ts';

/** What a denial says, and what happens after it. */
export interface Denial<Pod> {
	/** What is the case: a clause that follows the name of the runner. */
	summary: string;
	/** When the deletion is carried out: a clause that follows "the pod is deleted". */
	next: string;
	/**
	 * What follows the summary: the runner's job, why it is uncertain which runner it is, what whoever denied has added, or
	 * always the same.
	 */
	detail: 'job' | 'uncertain' | 'added' | { always: string };
	/** Said in place of "could not be recorded", where nobody meant to record anything. */
	unrecorded?: string;
	/** The command that shows more, in place of `kubectl runners why POD`. */
	command?: string;
	/** When the deletion is tried again. */
	retry: Retry<Pod>;
	/** Also as soon as GitHub can be asked again. */
	waitsForGitHub: boolean;
	/** There is a Warning Event: it may take somebody's help. */
	warns: boolean;
	/** It passes within seconds: a set tries such a runner again soon. */
	brief: boolean;
}

const noAccess = { detail: 'added', waitsForGitHub: true, warns: true, brief: false } as const;
const gitHubFails = { ...noAccess, retry: about(10_000) } as const;
const ofJobPod = {
	unrecorded: 'Nothing is recorded: ask again.',
	retry: every(jobPodRetryMs),
	waitsForGitHub: false,
	warns: false,
	brief: false,
} as const;

/**
 * One row for each reason: what it says and what follows, for a runner's pod and for the pod of its job; null: such a pod is
 * never denied for it. What depends on a reason reads its row, so a new reason is a row here and the rule that gives it.
 */
export const denials = {
	busy: {
		runner: {
			summary: 'is busy',
			next: 'when the job ends',
			detail: 'job',
			retry: whenItsJobEnds,
			waitsForGitHub: false,
			warns: false,
			brief: false,
		},
		jobPod: { summary: 'is busy', next: 'when the job ends', detail: 'job', ...ofJobPod },
	},
	starting: {
		runner: {
			summary: 'is starting',
			next: 'when it is idle, or cannot start',
			detail: 'added',
			retry: whenItCannotStart,
			waitsForGitHub: false,
			warns: false,
			brief: true,
		},
		jobPod: null,
	},
	registering: {
		runner: {
			summary: 'is still registering at GitHub',
			next: 'after it has registered',
			detail: { always: 'it may get a job at any moment' },
			retry: whenItRegisters,
			waitsForGitHub: false,
			warns: false,
			brief: true,
		},
		jobPod: null,
	},
	unregistering: {
		runner: {
			summary: 'is being unregistered at GitHub',
			next: 'when GitHub confirms',
			detail: 'added',
			retry: whenGitHubConfirms,
			waitsForGitHub: true,
			warns: false,
			brief: false,
		},
		jobPod: null,
	},
	'scope-unknown': {
		runner: {
			summary: 'may be busy: its scope is unknown',
			next: 'when its container stops',
			detail: 'uncertain',
			retry: onlyAfterAChange,
			waitsForGitHub: true,
			warns: true,
			brief: false,
		},
		jobPod: null,
	},
	'name-taken': {
		runner: {
			summary: 'may be busy: its name is taken',
			next: 'when its container stops',
			detail: { always: 'another pod owns that runner name' },
			retry: about(10_000),
			waitsForGitHub: true,
			warns: true,
			brief: false,
		},
		jobPod: null,
	},
	unconfirmed: {
		runner: {
			summary: 'may be busy: its log is unreadable',
			next: 'after it has been idle for a minute',
			detail: 'added',
			retry: whenLogOrListTells,
			waitsForGitHub: true,
			warns: true,
			brief: false,
		},
		jobPod: null,
	},
	unlisted: {
		runner: {
			summary: 'may be busy: GitHub no longer lists it',
			next: 'when its container stops',
			detail: 'added',
			retry: about(unlistedRetryMs),
			waitsForGitHub: true,
			warns: true,
			brief: false,
		},
		jobPod: null,
	},
	'credentials-missing': {
		runner: {
			...gitHubFails,
			summary: 'may be busy: no GitHub credentials',
			next: 'once there are credentials',
		},
		jobPod: null,
	},
	'credentials-invalid': {
		runner: {
			...noAccess,
			summary: 'may be busy: GitHub rejects the credentials',
			next: 'once they are replaced',
			retry: about(30_000),
		},
		jobPod: null,
	},
	forbidden: {
		runner: {
			...noAccess,
			summary: 'may be busy: GitHub denies access to it',
			next: 'once access is granted',
			retry: about(30_000),
		},
		jobPod: null,
	},
	'rate-limited': {
		runner: {
			...gitHubFails,
			summary: "may be busy: GitHub's rate limit is reached",
			next: 'when the limit resets',
		},
		jobPod: null,
	},
	'budget-spent': {
		runner: {
			...gitHubFails,
			summary: "may be busy: this minute's GitHub calls are spent",
			next: 'in a moment',
		},
		jobPod: null,
	},
	'github-unavailable': {
		runner: { ...gitHubFails, summary: 'may be busy: GitHub is unavailable', next: 'when GitHub is back' },
		jobPod: null,
	},
	'github-slow': {
		runner: {
			...gitHubFails,
			summary: 'may be busy: GitHub has not answered yet',
			next: 'when GitHub answers',
		},
		jobPod: null,
	},
	'job-unknown': {
		runner: null,
		jobPod: {
			summary: 'may run a job',
			next: 'when the runner is known to be idle',
			detail: 'added',
			...ofJobPod,
		},
	},
	'internal-error': {
		runner: {
			summary: 'may be busy: the guard failed',
			next: 'at the next try',
			detail: 'added',
			retry: about(10_000),
			waitsForGitHub: true,
			warns: true,
			brief: false,
		},
		jobPod: {
			summary: 'may run a job: the guard failed',
			next: 'at the next try',
			detail: 'added',
			...ofJobPod,
		},
	},
	'owner-leaving': {
		runner: {
			summary: 'has ended and its StatefulSet is being deleted',
			next: 'with its StatefulSet',
			detail: 'added',
			unrecorded: 'No need to ask again.',
			retry: about(10_000),
			waitsForGitHub: true,
			warns: true,
			brief: false,
		},
		jobPod: null,
	},
	'unknown-caller': {
		runner: {
			summary: 'may be busy, and the guard does not recognise the caller',
			next: 'when the API server uses the path in the webhook configuration',
			detail: 'added',
			unrecorded: 'Nothing is recorded: try again.',
			command: 'kubectl runners doctor',
			retry: about(10_000),
			waitsForGitHub: true,
			warns: true,
			brief: false,
		},
		jobPod: {
			summary: 'may run a job, and the guard does not recognise the caller',
			next: 'at the next try',
			detail: 'added',
			...ofJobPod,
		},
	},
} as const satisfies Record<DenyReason, { runner: Denial<RunnerPod> | null; jobPod: Denial<unknown> | null }>;

type ReasonFor<Column extends 'runner' | 'jobPod'> = {
	[Reason in DenyReason]: (typeof denials)[Reason][Column] extends null ? never : Reason;
}[DenyReason];

/** Why the deletion of a runner's pod may be denied. */
export type RunnerReason = ReasonFor<'runner'>;
/** Why the deletion of the pod of a runner's job may be denied. */
export type JobPodReason = ReasonFor<'jobPod'>;

export const runnerDenial = (reason: RunnerReason): Denial<RunnerPod> => denials[reason].runner;
export const jobPodDenial = (reason: JobPodReason): Denial<unknown> => denials[reason].jobPod;
