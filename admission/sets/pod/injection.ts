import type { Container, Pod } from '../../api/kinds.ts';
import { setKeys } from '../../api/sets.ts';
import { scopeFromEnvironment } from '../../runner/scope.ts';

/**
 * Was this pod made without the webhook that gives it its name, its token and its restart policy (webhook/create-pods.ts),
 * though it asks for that? Then it can not register, or is restarted in place under its old name (E7). The API server
 * refuses such a pod while the webhook's configuration is there; this is for when it was not.
 */
export function lacksInjection(pod: Pod): boolean {
	if (pod.metadata.labels?.[setKeys.injectToken] !== 'true') return false;
	const container = pod.spec?.containers?.find(({ name }) => name === 'runner');
	if (!container) return false;
	const env = (name: string) => container.env?.find((variable) => variable.name === name)?.value;
	// Without a scope there is no token to be had: the webhook warns about that, and adds none.
	const tokenDue = scopeFromEnvironment(env) !== undefined;
	return (
		pod.spec?.restartPolicy !== 'Never' ||
		!isGiven(container, 'RUNNER_NAME') ||
		(tokenDue && !isGiven(container, 'RUNNER_TOKEN'))
	);
}

/** An empty value is none, as in ARC. */
export function isGiven(container: Container, name: string): boolean {
	const variable = container.env?.find((one) => one.name === name);
	return Boolean(variable?.value || variable?.valueFrom);
}
