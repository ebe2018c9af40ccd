import type { Container, Pod } from '../../api/kinds.ts';
import { setKeys } from '../../api/sets.ts';
import { scopeInEnvironment } from '../../runner/identity/identity.ts';

/**
 * Whether this pod asks for a runner name, token and restart policy but was made without the webhook that adds them
 * (sets/inject-pods.ts). Such a pod can't register, or is restarted in place under its old name (E7). While the webhook
 * is configured, the API server refuses to create such a pod; this finds those made while it was not.
 */
export function lacksInjection(pod: Pod): boolean {
	if (pod.metadata.labels?.[setKeys.injectToken] !== 'true') return false;
	const container = pod.spec?.containers?.find(({ name }) => name === 'runner');
	if (!container) return false;
	// Without a scope there is no token: the webhook warns about that and adds none.
	const tokenDue = scopeInEnvironment(container, pod) !== undefined;
	return (
		pod.spec?.restartPolicy !== 'Never' ||
		!isGiven(container, 'RUNNER_NAME') ||
		(tokenDue && !isGiven(container, 'RUNNER_TOKEN'))
	);
}

/** Whether the container has this variable. As in ARC, an empty value counts as absent. */
export function isGiven(container: Container, name: string): boolean {
	const variable = container.env?.find((one) => one.name === name);
	return Boolean(variable?.value || variable?.valueFrom);
}
