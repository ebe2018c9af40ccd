import type { KubeObject } from '../../../../../admission/api/kinds.ts';
import type { Report } from '../../../../../admission/api/report.ts';
import { pathOf } from '../../../../../admission/webhook/rules/caller-path.ts';
import { occupantsOf } from '../../../../../plugin/evictions/occupants.ts';
import { diagnose } from '../../../../../plugin/verbs/doctor/checks/index.ts';
import type { Budget, Facts, Fetched, Webhook } from '../../../../../plugin/verbs/doctor/facts.ts';
import type { Finding } from '../../../../../plugin/verbs/doctor/finding.ts';
import { shippedPolicies } from '../../../../../plugin/verbs/doctor/shipped.ts';
import { createAuthority } from '../../../../cluster/certificates.ts';

export const found = <T>(value: T): Fetched<T> => ({ kind: 'found', value });
export const missing = { kind: 'not-found' } as const;
export const notAllowed = { kind: 'forbidden', right: 'get it' } as const;
const caBundle = Buffer.from((await createAuthority()).cert).toString('base64');
export const nowMs = Date.now();
export const ago = (seconds: number) => new Date(nowMs - seconds * 1000).toISOString();
export const inDays = (days: number) => new Date(nowMs + days * 24 * 60 * 60_000 + 60_000).toISOString();

const segment = { epoch: 1_800_000_000, signature: 'ab'.repeat(32) };

const leftOut = {
	matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['runners-system'] }],
};

export function webhooks(kind: 'validating' | 'mutating'): Webhook[] {
	return Object.entries(shippedPolicies[kind]).map(([name, failurePolicy]) => ({
		name,
		failurePolicy,
		namespaceSelector: leftOut,
		clientConfig: {
			caBundle,
			service: {
				namespace: 'runners-system',
				name: 'runners-admission',
				path: pathOf(segment, '/pods/delete'),
			},
		},
	}));
}

export const configuration = (entries: Webhook[]) =>
	found({ metadata: { name: 'runners-admission' }, webhooks: entries });

export function report(more: Partial<Report> = {}): Report {
	return {
		version: '1.0.0',
		replica: 'host-1',
		leadingSince: ago(500),
		updatedAt: ago(20),
		certificates: [
			{ name: 'serving', notAfter: inDays(89), daysLeft: 89 },
			{ name: 'ca', notAfter: inDays(1_800), daysLeft: 1_800 },
		],
		credentials: [],
		runners: { pods: 0, busy: 0 },
		recordedDeletions: { count: 0, byReason: {} },
		guard: { state: 'guarded', webhooks: [], unguardedSeconds: 0 },
		...more,
	};
}

/** A cluster where all is well, but for what is given. */
export function facts(more: Partial<Facts> = {}): Facts {
	const { pods } = more;
	return {
		nowMs,
		version: '1.0.0',
		namespace: 'runners-system',
		apiServer: found({ gitVersion: 'v1.36.3' }),
		validating: configuration(webhooks('validating')),
		mutating: configuration(webhooks('mutating')),
		lease: lease({ holderIdentity: 'host-1', renewTime: ago(3) }),
		report: found(report()),
		eventsReports: found([]),
		autoscalers: found([]),
		deployment: deployment(2, 2),
		namespaces: found([named('ci'), named('runners-system')]),
		pods: found([]),
		podsOf: undefined,
		occupants: occupantsOf(pods?.kind === 'found' ? pods.value : []),
		ephemeralRunners: found([]),
		budgets: found([budget(1_000_000), budget(1_000_000, undefined, 'unknown')]),
		setResources: found([
			'runnersets',
			'runnerdeployments',
			'runners',
			'runnersets/status',
			'horizontalrunnerautoscalers',
			'workflowjobs',
		]),
		reach: { kind: 'answered', by: 'a dry-run delete of pod ci/r1: refused, busy' },
		...more,
	};
}

const named = (name: string): KubeObject => ({ metadata: { name } });
export const budget = (
	minAvailable: number | string,
	label = 'actions-runner/busy',
	value = 'true',
): Budget => ({
	metadata: { name: `runners-admission-${value === 'true' ? 'busy' : value}`, namespace: 'ci' },
	spec: { minAvailable, selector: { matchLabels: { [label]: value } } },
});
export const lease = (spec: object): Facts['lease'] =>
	found({ metadata: { name: 'runners-admission' }, spec });
export const deployment = (replicas: number, readyReplicas: number): Facts['deployment'] =>
	found({ metadata: { name: 'runners-admission' }, spec: { replicas }, status: { readyReplicas } });

export function check(name: string, more: Partial<Facts>): Finding {
	const finding = diagnose(facts(more)).find((one) => one.check === name);
	if (!finding) throw new Error(`no check ${name}`);
	return finding;
}
