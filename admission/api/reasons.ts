/**
 * Why a verdict was given. Written once here; the log line, the metric label, the Event, the pod condition, the
 * plugin, the tests and the runbook all use these words.
 */

/** The pod may be deleted. */
export type AllowReason =
	| 'not-a-runner'
	| 'already-terminating'
	| 'break-glass'
	| 'never-started'
	| 'runner-exited'
	| 'node-gone'
	| 'unregistered'
	| 'never-registered';

/** The pod may not be deleted now. */
export type DenyReason =
	| 'busy'
	| 'registering'
	| 'unregistering'
	| 'scope-unknown'
	/** Another pod of the cluster is the runner of this name. */
	| 'name-taken'
	| 'credentials-missing'
	| 'credentials-invalid'
	| 'forbidden'
	| 'rate-limited'
	| 'github-unavailable'
	| 'github-slow'
	| 'budget-spent'
	| 'internal-error'
	/** It has ended, and its StatefulSet, which would make it again, is not gone yet. */
	| 'owner-leaving';

export type Reason = AllowReason | DenyReason;

/** `credentials-invalid` -> `CredentialsInvalid`, the form Kubernetes wants in conditions and Events. */
export function camelCase(reason: Reason): string {
	return reason.replace(/(^|-)([a-z])/g, (_all, _dash, letter: string) => letter.toUpperCase());
}
