/**
 * The reasons for verdicts. They are defined only here: log lines, metric labels, Events, pod conditions, the plugin,
 * the tests and the runbook all use these words.
 */

/** The pod may be deleted. */
export const allowReasons = [
	'not-a-runner',
	'already-terminating',
	'break-glass',
	/** It is not bound to a node: nothing else proves that it has not started. */
	'never-started',
	/** It is on a node, cannot start, and GitHub does not list it; it is deleted with gracePeriodSeconds 1. A bound, no proof. */
	'cannot-start',
	'runner-exited',
	'node-gone',
	'unregistered',
	'never-registered',
	/** A job pod: the runner whose job it is asks itself, to clean up. */
	'own-runner',
	/** A job pod: there is no runner pod of the name that its label gives, or only a younger one. */
	'runner-gone',
	/** A job pod: its runner runs no job, so the pod is left over. */
	'job-over',
	/** A job pod: all its containers have stopped. */
	'job-pod-ended',
] as const;
export type AllowReason = (typeof allowReasons)[number];

/** GitHub was not asked, or gave no answer that proves anything. */
export const githubFailureReasons = [
	'credentials-invalid',
	'forbidden',
	'rate-limited',
	'github-unavailable',
	'github-slow',
	'budget-spent',
] as const;
export type GitHubFailureReason = (typeof githubFailureReasons)[number];

/** The pod may not be deleted now. */
export const denyReasons = [
	'busy',
	/** It is on a node and has not been seen to run: a kubelet finishes what it has begun. */
	'starting',
	'registering',
	'unregistering',
	'scope-unknown',
	/** Another pod in the cluster is the runner of this name. */
	'name-taken',
	/** Its log cannot be read, so GitHub's lists must show it idle for a while before it is unregistered. */
	'unconfirmed',
	/** GitHub no longer lists it, and its log does not say that it is idle: it may have been given a job. */
	'unlisted',
	'credentials-missing',
	...githubFailureReasons,
	/** A job pod: nobody says that its runner runs a job, and its log does not say that it is idle. */
	'job-unknown',
	'internal-error',
	/** The runner has exited, but its StatefulSet is not deleted yet and would create the pod again. */
	'owner-leaving',
	/** The review did not come by the path in the webhook configurations: nothing is recorded, asked or read for it. */
	'unknown-caller',
] as const;
export type DenyReason = (typeof denyReasons)[number];

/** Why a runner's pod has not started it, as scheduler and kubelet say: the reasons of the set's condition RunnersWaiting. */
export const waitingReasons = [
	/** No node has room for the pod, or fits it. */
	'Unschedulable',
	/** Somebody holds it back by scheduling gates. */
	'SchedulingGated',
	'ImageNotPulled',
	/** A Secret or ConfigMap that it refers to is missing, or the container runtime refuses it. */
	'ContainerNotCreated',
	'ContainerCrashes',
] as const;
export type WaitingReason = (typeof waitingReasons)[number];

export type Reason = AllowReason | DenyReason;

/** `credentials-invalid` -> `CredentialsInvalid`, the form Kubernetes wants in conditions and Events. */
export function camelCase(reason: string): string {
	return reason.replace(/(^|-)([a-z])/g, (_all, _dash, letter: string) => letter.toUpperCase());
}
