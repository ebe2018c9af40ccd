import { guardWebhook } from '../../../admission/api/keys.ts';

/** The webhooks as manifests/ has them. */
export const shippedPolicies = {
	validating: {
		[guardWebhook]: 'Fail',
		'break-glass.runners-admission.svc': 'Ignore',
		'evictions.runners-admission.svc': 'Ignore',
		'updates.runners-admission.svc': 'Ignore',
	},
	mutating: {
		'replicas.runners-admission.svc': 'Ignore',
		'pods.runners-admission.svc': 'Fail',
	},
} as const;

/** What follows where a webhook's policy is not the shipped one. */
export const consequences: Record<string, string> = {
	[`validating ${guardWebhook}`]: 'while no replica answers, runner pods are deleted whatever they run',
	'validating break-glass.runners-admission.svc': 'while no replica answers, break-glass does not work',
	'validating evictions.runners-admission.svc':
		'while no replica answers, no pod of the cluster can be evicted',
	'validating updates.runners-admission.svc':
		'while no replica answers, labels of runner pods can not be changed',
	'mutating replicas.runners-admission.svc': 'while no replica answers, sets can not be scaled',
	'mutating pods.runners-admission.svc': 'while no replica answers, runner pods are made without a token',
};

/** The one whose absence leaves evictions to the back-stop alone. */
export const evictionsWebhook = 'evictions.runners-admission.svc';
