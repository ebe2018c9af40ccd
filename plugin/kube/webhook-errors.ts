import type { ApiError } from './failure.ts';

/**
 * What the API server itself says about admission webhooks. These texts are its own (k8s.io/apiserver, webhook/errors),
 * and its Status names the webhook nowhere else, so that they have to be read; this is the only place that does.
 */

/** A webhook denied the request, with this message. */
export function deniedBy({ message }: ApiError): { webhook: string; words: string } | undefined {
	const [, webhook, words] =
		/^admission webhook "([^"]*)" denied the request(?:: | )([\s\S]*)$/.exec(message) ?? [];
	return webhook === undefined ? undefined : { webhook, words: words ?? '' };
}

/** A webhook that has to be asked gave no answer, for this reason. */
export function unansweredBy(message: string): { webhook: string; why: string } | undefined {
	const [, webhook, why] =
		/failed calling webhook "([^"]*)"(?:: (?:failed to call webhook: )?([\s\S]*))?$/.exec(message) ?? [];
	return webhook === undefined ? undefined : { webhook, why: why ?? message };
}
