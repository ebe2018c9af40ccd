/**
 * The server's report on itself: JSON under the key `status` of the ConfigMap `runners-admission-status` in the server's
 * namespace, written by the leader. It holds no secrets. Times are RFC 3339; a field that is absent is not known.
 */
import type { GitHubFailureReason } from './reasons.ts';

/** Key in the ConfigMap's data. */
export const reportKey = 'status';

/** The leader writes at least this often, so a report older than three of these periods means that no leader runs. */
export const heartbeatSeconds = 60;

/** `forbidden`: it works, but not for the scopes under `forbidden`. */
type CredentialState =
	| 'ok'
	/** No call has been answered yet: no runner pod has needed it. */
	| 'not-used-yet'
	| 'credentials-missing'
	| GitHubFailureReason;

export interface CredentialReport {
	/** Where the credential comes from: 'environment', or 'namespace/secret-name'. */
	account: string;
	state: CredentialState;
	/** For people: GitHub's message, what is missing, when calls resume. */
	detail?: string;
	/** Scopes ("octo-org/app") that the credential may not manage, with the permission that is missing. */
	forbidden?: { scope: string; detail: string }[];
	/** GitHub's primary rate limit, from its last answer. */
	budget?: { left: number; limit?: number; resetAt: string };
}

export interface WebhookReport {
	kind: 'validating' | 'mutating';
	name: string;
	failurePolicy: string;
}

export interface Report {
	version: string;
	/** Identity of the leader, as in its Lease. */
	replica: string;
	leadingSince: string;
	/** When this report was written. */
	updatedAt: string;
	certificates: { name: 'serving' | 'ca'; notAfter: string; daysLeft: number }[];
	credentials: CredentialReport[];
	runners: { pods: number; busy: number };
	recordedDeletions: {
		count: number;
		byReason: Record<string, number>;
		oldest?: { pod: string; requestedAt: string; requestedBy?: string; reason: string };
	};
	/** How the leader's readings of runners' logs went since it started. A server before this has none. */
	logs?: { readable: number; unreadable: number; lastError?: { at: string; pod: string; message: string } };
	/** How often GitHub was wrong about a runner, by kind, as the leader has found since it started. */
	contradictions?: Record<string, number>;
	/**
	 * Objects of more than 1 MiB of JSON, which lists and watches leave out, as the leader sees them now; `unreadable` have more
	 * than 9 MiB, and nothing is done for them. At most 5 of these are named.
	 */
	largeObjects?: { count: number; unreadable: number; unreadableObjects: string[] };
	/** The versions of runners, as their logs say, of at most 100 sets: those that GitHub refuses come first. */
	runnerVersions?: RunnerVersionReport[];
	guard: {
		/** guarded: if no replica answers, runner pods can't be deleted. unknown: the webhooks have not been read yet. */
		state: 'guarded' | 'unguarded' | 'unknown';
		/** The webhooks as they are in the cluster. */
		webhooks: WebhookReport[];
		/** How long runner pods could be deleted without a review by the guard, summed over all leaders. */
		unguardedSeconds: number;
	};
}

export interface RunnerVersionReport {
	/** "RunnerSet ci/linux" */
	set: string;
	image: string;
	/** undefined: not known. */
	version?: string;
	/** Repository's or organization's owner at GitHub. */
	owner?: string;
	/** When a runner of the set said so last. */
	readAt: string;
	/** Since when GitHub has refused it; absent: it has not. */
	refusedSince?: string;
	/** The newest version that was seen with the same owner, where it is newer. */
	newestOfOwner?: string;
}

/**
 * What one replica has received of GitHub's events: JSON in an annotation of the same ConfigMap, whose name is
 * `eventsPrefix` (keys.ts) and the replica's.
 */
export interface EventsReport {
	/** Whether its port for events is open: there is a secret of the webhook. */
	receiving: boolean;
	/** Since when it counts: its start. */
	since: string;
	/** Deliveries by what became of them, as in the metric runners_events_total. */
	results: Record<string, number>;
	/** The last one of which nothing came. */
	lastRefusal?: { at: string; result: string };
	/** The webhooks that deliveries came from, at most 10. */
	hooks: HookReport[];
}

export interface HookReport {
	/** "octo-org, webhook 7" */
	hook: string;
	lastDeliveryAt: string;
	/** Deliveries of the last hour that GitHub shows as failed. */
	failed?: number;
	/** GitHub does not show its deliveries to the credential: lost ones can't be read back. */
	hidden?: boolean;
	settings?: HookSettings;
}

/** As GitHub has a webhook configured; the address without what may be secret in it. */
export interface HookSettings {
	active: boolean;
	events: string[];
	host?: string;
	contentType?: string;
	insecureSsl?: boolean;
}
