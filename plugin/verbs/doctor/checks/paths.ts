import { readPath } from '../../../../admission/webhook/rules/caller-path.ts';
import type { Check, WebhookConfiguration } from '../facts.ts';
import { count } from '../finding.ts';

/** The guard recognises the API server by this path. Whether it does is not checked here: `reachable` proves it. */
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
		message: `${count(without.length, 'webhook has', 'webhooks have')} no path from the server, which therefore cannot recognise the API server and refuses to delete any running runner`,
		details: without,
		advice: [
			'the server writes it within seconds of its start, and again if it is missing: check that one is running and may patch webhook configurations',
		],
	};
};

function withoutPath({ webhooks = [] }: WebhookConfiguration): string[] {
	return webhooks
		.filter(({ clientConfig }) => clientConfig?.service && !readPath(clientConfig.service.path ?? ''))
		.map(({ name }) => name);
}
