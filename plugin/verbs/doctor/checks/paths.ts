import { readPath } from '../../../../admission/webhook/rules/caller-path.ts';
import type { Check, WebhookConfiguration } from '../facts.ts';
import { count } from '../finding.ts';

/** By its path the guard recognises the API server. Whether it does is not checked here: `reachable` proves it. */
export const paths: Check = (facts) => {
	const check = 'paths';
	const configurations = [facts.validating, facts.mutating].flatMap((one) =>
		one.kind === 'found' ? [one.value] : [],
	);
	if (configurations.length === 0) return undefined;
	const without = configurations.flatMap(withoutPath);
	if (without.length === 0) return { check, level: 'ok', message: 'written by the server' };
	return {
		check,
		level: 'error',
		message: `${count(without.length, 'webhook has', 'webhooks have')} no path of the server: it does not recognise the API server, and refuses the deletion of every running runner`,
		details: without,
		advice: [
			'the server writes it within seconds of its start, and again when it is missing: is one running, and may it patch webhook configurations?',
		],
	};
};

function withoutPath({ webhooks = [] }: WebhookConfiguration): string[] {
	return webhooks
		.filter(({ clientConfig }) => clientConfig?.service && !readPath(clientConfig.service.path ?? ''))
		.map(({ name }) => name);
}
