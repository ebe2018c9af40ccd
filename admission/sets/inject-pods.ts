import { arc } from '../api/keys.ts';
import type { Container, Pod } from '../api/kinds.ts';
import { setKeys, tokenSecretKey } from '../api/sets.ts';
import { scopeFromEnvironment } from '../runner/scope.ts';
import {
	type AdmissionRequest,
	type AdmissionResponse,
	allowed,
	type PatchOperation,
	patched,
	pointer,
} from '../webhook/review.ts';
import { isGiven } from './pod/injection.ts';
import { tokenSecretName } from './token-secret.ts';

/**
 * CREATE pods with the label that asks for it: what a runner needs and a StatefulSet's template can not say.
 *
 * - RUNNER_NAME: the pod's name. RUNNER_TOKEN: from the Secret that the leader renews, so that no credential is in
 *   the pod and no outage of GitHub's blocks it (GitHub is not called here). What the pod says itself stands.
 * - restartPolicy Never: a StatefulSet only takes Always, and an ephemeral runner that is restarted in place would
 *   register again under its name.
 *
 * Compatibility: the entry fails closed, for pods with that label only. A runner pod made without this would restart
 * in place and have no token; the StatefulSet controller tries again. One that was made all the same, while the
 * configuration was not there, is found and replaced (sets/injection.ts).
 */
export function createPods(request: AdmissionRequest): AdmissionResponse {
	const pod = request.object as Pod;
	const index = pod.spec?.containers?.findIndex(({ name }) => name === 'runner') ?? -1;
	const container = pod.spec?.containers?.[index];
	if (pod.metadata.labels?.[setKeys.injectToken] !== 'true' || !container) return allowed(request.uid);

	const env = (name: string) => container.env?.find((variable) => variable.name === name)?.value;
	const scope = scopeFromEnvironment(env);
	const operations: PatchOperation[] = [];
	const warnings: string[] = [];
	const set = (variable: Variable) => operations.push(...setVariable(container, index, variable));
	if (!container.env) operations.push({ op: 'add', path: `/spec/containers/${index}/env`, value: [] });
	if (!isGiven(container, 'RUNNER_NAME')) set(nameVariable(pod.metadata.name));
	if (!isGiven(container, 'RUNNER_TOKEN')) {
		if (scope) {
			const secret = tokenSecretName(scope, pod.metadata.annotations?.[arc.credentialsSecret]);
			const secretKeyRef = { name: secret, key: tokenSecretKey };
			set({ name: 'RUNNER_TOKEN', valueFrom: { secretKeyRef } });
			operations.push(...annotate(pod, setKeys.tokenSecret, secret));
		} else {
			warnings.push(
				'the container runner has no RUNNER_REPO, RUNNER_ORG or RUNNER_ENTERPRISE: it gets no RUNNER_TOKEN',
			);
		}
	}
	if (pod.spec?.restartPolicy !== 'Never')
		operations.push({ op: 'add', path: '/spec/restartPolicy', value: 'Never' });
	return patched(request.uid, operations, warnings);
}

interface Variable {
	name: string;
	value?: string;
	valueFrom?: unknown;
}

/** A pod of a template with generateName may have no name yet. */
const nameVariable = (name: string | undefined): Variable =>
	name
		? { name: 'RUNNER_NAME', value: name }
		: { name: 'RUNNER_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } };

function setVariable(container: Container, index: number, variable: Variable): PatchOperation[] {
	const path = `/spec/containers/${index}/env`;
	const at = container.env?.findIndex(({ name }) => name === variable.name) ?? -1;
	return [
		at === -1
			? { op: 'add', path: `${path}/-`, value: variable }
			: { op: 'replace', path: `${path}/${at}`, value: variable },
	];
}

function annotate(pod: Pod, key: string, value: string): PatchOperation[] {
	const add: PatchOperation = { op: 'add', path: `/metadata/annotations/${pointer(key)}`, value };
	return pod.metadata.annotations ? [add] : [{ op: 'add', path: '/metadata/annotations', value: {} }, add];
}
