import type { HorizontalRunnerAutoscaler } from '../../../admission/api/autoscale.ts';
import type { EphemeralRunner, KubeObject, Pod } from '../../../admission/api/kinds.ts';
import type { EventsReport, Report } from '../../../admission/api/report.ts';
import type { AllOccupants } from '../../evictions/occupants.ts';
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

/** Whether the API server reaches the guard. */
export type Reach =
	/** It does; `by` says how that was tested. */
	| { kind: 'answered'; by: string }
	/** It does not; `message` is the API server's. */
	| { kind: 'unreachable'; message: string }
	/** Nothing could be tested, or the answer proves nothing. */
	| { kind: 'unproven'; why: string };

/** Everything that the checks use. They make no requests themselves. */
export interface Facts {
	nowMs: number;
	/** Version of the plugin. */
	version: string;
	/** Namespace of the server. */
	namespace: string;
	apiServer: Fetched<{ gitVersion: string }>;
	validating: Fetched<WebhookConfiguration>;
	mutating: Fetched<WebhookConfiguration>;
	lease: Fetched<Lease>;
	report: Fetched<Report>;
	/** The events that each replica has received from GitHub; empty for an older server, which does not report them. */
	eventsReports: Fetched<EventsReport[]>;
	deployment: Fetched<Deployment>;
	/** Their labels are what the webhooks' namespaceSelectors match. */
	namespaces: Fetched<KubeObject[]>;
	/** Pods that are runners or look like runners, of all namespaces or, if that is not allowed, of one. */
	pods: Fetched<Pod[]>;
	/** The one namespace that `pods` are from; undefined: all. */
	podsOf: string | undefined;
	/** Whose pods each namespace contains, as far as pods may be listed. */
	occupants: AllOccupants;
	/** Owners of scale-set pods, which have the scope; fetched only if there are such pods. */
	ephemeralRunners: Fetched<EphemeralRunner[]>;
	/** All PodDisruptionBudgets, those of the back-stop and others. */
	budgets: Fetched<Budget[]>;
	/** Of all namespaces. */
	autoscalers: Fetched<HorizontalRunnerAutoscaler[]>;
	/** The served resources of ARC's API group. */
	setResources: Fetched<string[]>;
	reach: Reach;
}

export type Check = (facts: Facts) => Finding | undefined;

/** The finding of a check that could not be made; undefined if the data that it needs was found, or does not exist. */
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
		return { check, level: 'error', message: `cannot be checked: ${fetched.message}` };
	return undefined;
}
