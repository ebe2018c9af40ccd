import type { HorizontalRunnerAutoscaler } from '../../../admission/api/autoscale.ts';
import type { EphemeralRunner, KubeObject, Pod } from '../../../admission/api/kinds.ts';
import type { EventsReport, Report } from '../../../admission/api/report.ts';
import type { Finding } from './finding.ts';

/** The result of one request. */
export type Fetched<T> =
	| { kind: 'found'; value: T }
	| { kind: 'not-found' }
	/** The user lacks this right: "get leases in namespace runners-system". */
	| { kind: 'forbidden'; right: string }
	/** No answer in time, or an answer that cannot be read. */
	| { kind: 'failed'; message: string };

export interface LabelSelector {
	matchLabels?: Record<string, string>;
	matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

export interface Webhook {
	name: string;
	failurePolicy?: string;
	namespaceSelector?: LabelSelector;
	clientConfig?: {
		caBundle?: string;
		url?: string;
		service?: { namespace: string; name: string; path?: string };
	};
}

export interface WebhookConfiguration extends KubeObject {
	webhooks?: Webhook[];
}

export interface Lease extends KubeObject {
	spec?: { holderIdentity?: string; renewTime?: string; leaseDurationSeconds?: number };
}

export interface Budget extends KubeObject {
	spec?: { minAvailable?: number | string; selector?: LabelSelector };
}

export interface Deployment extends KubeObject {
	spec?: { replicas?: number };
	status?: { readyReplicas?: number };
}

/** Whether the API server gets an answer from the guard. */
export type Reach =
	/** It does; `by` says what was asked. */
	| { kind: 'answered'; by: string }
	/** It does not; `message` is the API server's. */
	| { kind: 'unreachable'; message: string }
	/** Nothing could be asked, or the answer proves nothing. */
	| { kind: 'unproven'; why: string };

/** Everything that the checks look at. They make no requests themselves. */
export interface Facts {
	nowMs: number;
	/** Of the plugin. */
	version: string;
	/** Where the server is. */
	namespace: string;
	apiServer: Fetched<{ gitVersion: string }>;
	validating: Fetched<WebhookConfiguration>;
	mutating: Fetched<WebhookConfiguration>;
	lease: Fetched<Lease>;
	report: Fetched<Report>;
	/** What each replica has received of GitHub's events; none from a server that does not tell. */
	eventsReports: Fetched<EventsReport[]>;
	deployment: Fetched<Deployment>;
	/** Their labels, which the webhooks' namespaceSelectors look at. */
	namespaces: Fetched<KubeObject[]>;
	/** Pods that are runners or look like some, of all namespaces or, where that is not allowed, of one. */
	pods: Fetched<Pod[]>;
	/** The one namespace that `pods` is from; undefined: all. */
	podsOf: string | undefined;
	/** Namespaces with pods that have nothing of a runner and have not ended, as far as pods may be listed. */
	sharedNamespaces: readonly string[];
	/** Owners of scale-set pods, whose scope stands there; looked for only where there are such pods. */
	ephemeralRunners: Fetched<EphemeralRunner[]>;
	/** All PodDisruptionBudgets, the back-stop's and others'. */
	budgets: Fetched<Budget[]>;
	/** Of all namespaces. */
	autoscalers: Fetched<HorizontalRunnerAutoscaler[]>;
	/** Resources of ARC's API group that are served. */
	setResources: Fetched<string[]>;
	reach: Reach;
}

export type Check = (facts: Facts) => Finding | undefined;

/** The finding of a check that could not be made; undefined if what it needs was found, or is known not to exist. */
export function notMade(check: string, fetched: Fetched<unknown>): Finding | undefined {
	if (fetched.kind === 'forbidden') {
		return {
			check,
			level: 'warning',
			message: `not checked: you may not ${fetched.right}`,
			advice: ['the ClusterRole runners-admin has this right'],
		};
	}
	if (fetched.kind === 'failed')
		return { check, level: 'error', message: `could not be checked: ${fetched.message}` };
	return undefined;
}
