import type { ApiError } from './failure.ts';

/**
 * Parses the API server's own messages about admission webhooks (k8s.io/apiserver, webhook/errors). Its Status names
 * the webhook only in these texts; no other file depends on them.
 */

/** A webhook denied the request, with this message. */
export function deniedBy({ message }: ApiError): { webhook: string; text: string } | undefined {
	const [, webhook, text] =
		/^admission webhook "([^"]*)" denied the request(?:: | )([\s\S]*)$/.exec(message) ?? [];
	return webhook === undefined ? undefined : { webhook, text: text ?? '' };
}

/** A webhook with failurePolicy Fail did not answer, for this reason. */
export function unansweredBy(message: string): { webhook: string; why: string } | undefined {
	const [, webhook, why] =
		/failed calling webhook "([^"]*)"(?:: (?:failed to call webhook: )?([\s\S]*))?$/.exec(message) ?? [];
	return webhook === undefined ? undefined : { webhook, why: why ?? message };
}
