import { guardWebhook } from '../../../admission/api/keys.ts';

/** The webhooks and failure policies of manifests/. */
export const shippedPolicies = {
	validating: {
		[guardWebhook]: 'Fail',
		'break-glass.runners-admission.svc': 'Ignore',
		'evictions.runners-admission.svc': 'Ignore',
		'evictions-fail-closed.runners-admission.svc': 'Fail',
		'updates.runners-admission.svc': 'Ignore',
	},
	mutating: {
		'replicas.runners-admission.svc': 'Ignore',
		'pods.runners-admission.svc': 'Fail',
		'hooks.runners-admission.svc': 'Ignore',
		'unknown.runners-admission.svc': 'Ignore',
	},
} as const;

/** What happens if a webhook has the other failure policy. */
export const consequences: Record<string, string> = {
	[`validating ${guardWebhook}`]: 'while no replica answers, runner pods are deleted whatever they run',
	'validating break-glass.runners-admission.svc': 'while no replica answers, break-glass does not work',
	'validating evictions.runners-admission.svc':
		'while no replica answers, no pod of the cluster can be evicted',
	'validating evictions-fail-closed.runners-admission.svc':
		'while no replica answers, busy runners can be evicted in namespaces labelled to fail closed',
	'validating updates.runners-admission.svc':
		'while no replica answers, labels of runner pods cannot be changed',
	'mutating replicas.runners-admission.svc': 'while no replica answers, sets cannot be scaled',
	'mutating pods.runners-admission.svc': 'while no replica answers, runner pods are created without a token',
	'mutating hooks.runners-admission.svc':
		'while no replica answers, no runner pod of ARC or of a scale set can be created',
	'mutating unknown.runners-admission.svc':
		'while no replica answers, no runner pod can be created, unless a policy marks it',
};

/** The mutating webhook that guard-only has (manifests/base). */
export const unknownWebhook = 'unknown.runners-admission.svc';

/** Another one that guard-only may have (manifests/components/job-hooks). */
export const hooksWebhook = 'hooks.runners-admission.svc';

/** It reviews evictions in namespaces with that label; the other eviction webhook excludes them. */
export const failClosedWebhook = 'evictions-fail-closed.runners-admission.svc';

/** Without this webhook only the back-stop PodDisruptionBudget stops evictions. */
export const evictionsWebhook = 'evictions.runners-admission.svc';
