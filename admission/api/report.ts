/**
 * What the server tells about itself: JSON under the key `status` of the ConfigMap `runners-admission-status` in its
 * namespace, written by the leader. No secrets, so that whoever may read ConfigMaps there may read it. Times are RFC
 * 3339; what may be absent is not known.
 */

/** Key in the ConfigMap's data. */
export const reportKey = 'status';

/** The leader writes at least this often: a report that is older than three of these has no living author. */
export const heartbeatSeconds = 60;

export type CredentialState =
	| 'ok'
	/** No call has been answered yet: no runner pod has needed it. */
	| 'not-used-yet'
	| 'credentials-missing'
	| 'credentials-invalid'
	/** Works, but not for the scopes under `forbidden`. */
	| 'forbidden'
	| 'rate-limited'
	| 'budget-spent'
	| 'github-unavailable'
	| 'github-slow';

export interface CredentialReport {
	/** Where it comes from: 'environment', or 'namespace/secret-name'. */
	account: string;
	state: CredentialState;
	/** GitHub's words, what is missing, when calls go on. */
	detail?: string;
	/** Scopes ("octo-org/app") that it may not manage, and which permission is missing. */
	forbidden?: { scope: string; detail: string }[];
	/** GitHub's primary rate limit as its last answer told it. */
	budget?: { left: number; limit?: number; resetAt: string };
}

export interface WebhookReport {
	kind: 'validating' | 'mutating';
	name: string;
	failurePolicy: string;
}

export interface Report {
	version: string;
	/** Identity of the leader, which is its Lease's holder. */
	replica: string;
	leadingSince: string;
	/** The heartbeat. */
	updatedAt: string;
	certificates: { name: 'serving' | 'ca'; notAfter: string; daysLeft: number }[];
	credentials: CredentialReport[];
	runners: { pods: number; busy: number };
	recordedDeletions: {
		count: number;
		byReason: Record<string, number>;
		oldest?: { pod: string; requestedAt: string; requestedBy?: string; reason: string };
	};
	guard: {
		/** Is every deletion of a runner pod stopped when no replica answers? `unknown` until it has been looked up. */
		state: 'guarded' | 'unguarded' | 'unknown';
		/** As found in the cluster. */
		webhooks: WebhookReport[];
		/** How long, all leaders together, runner pods could be deleted without the guard's word. */
		unguardedSeconds: number;
	};
}
