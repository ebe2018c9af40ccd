/**
 * Which webhook's reviews are answered by which handler. The manifests carry no path: the server writes
 * `/SEGMENT/pods/delete` and so on beside the caBundle, and who knows the segment is known to have read our webhook
 * configurations (webhook/rules/caller-path.ts).
 */

/** What a review is about. It stands at the end of a webhook's path, and is the handler's name in metrics and logs. */
export const routes = [
	'/pods/delete',
	'/pods/evict',
	'/pods/update',
	'/pods/create',
	'/pods/mark',
	'/sets/replicas',
] as const;
export type Route = (typeof routes)[number];

/** By kind and name of the webhook. The path of a webhook that is not named here is left as it is. */
export const webhookRoutes: Record<'validating' | 'mutating', Record<string, Route>> = {
	validating: {
		'pods.runners-admission.svc': '/pods/delete',
		'break-glass.runners-admission.svc': '/pods/delete',
		'evictions.runners-admission.svc': '/pods/evict',
		'evictions-fail-closed.runners-admission.svc': '/pods/evict',
		'updates.runners-admission.svc': '/pods/update',
	},
	mutating: {
		'replicas.runners-admission.svc': '/sets/replicas',
		'pods.runners-admission.svc': '/pods/create',
		'hooks.runners-admission.svc': '/pods/create',
		'unknown.runners-admission.svc': '/pods/mark',
	},
};

/** `/EPOCH.SIGNATURE` of a path, wherever it stands in a text. */
const segments = /\/\d{10}\.[0-9a-f]{64}/g;

/**
 * The text without the segments of webhook paths: the API server reports a webhook that it could not call with its whole
 * URL, and what comes back to us is logged, shown and written into objects that many may read.
 */
export const withoutSegments = (text: string): string => text.replace(segments, '');
