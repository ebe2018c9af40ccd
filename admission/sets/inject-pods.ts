import { arc } from '../api/keys.ts';
import type { Container, Pod } from '../api/kinds.ts';
import { setKeys, tokenSecretKey } from '../api/sets.ts';
import { unknownMark } from '../jobs/rules/marks.ts';
import { scopeInEnvironment } from '../runner/identity/identity.ts';
import { exitCodeVariable } from '../runner/process.ts';
import { applied } from '../webhook/apply.ts';
import {
	type AdmissionRequest,
	type AdmissionResponse,
	allowed,
	type PatchOperation,
	patched,
	pointer,
	refused,
} from '../webhook/review.ts';
import { isGiven } from './pod/injection.ts';
import { tokenSecretName } from './token-secret.ts';

const tooLarge =
	'this pod is too large to be filled in (over 3 MiB in its review): make the template of its RunnerSet smaller';

/** Job hooks of a pod, as operations on it. */
type Hooks = (pod: Pod) => PatchOperation[];

/**
 * Reviews CREATE pods, for pods with the label setKeys.injectToken, and adds what a runner needs and a StatefulSet's
 * template can't hold.
 *
 * - RUNNER_NAME is the pod's name. RUNNER_TOKEN comes from the Secret that the leader renews, so that the pod contains no
 *   credential and an outage of GitHub does not block it (GitHub is not called here). Values that the pod has are kept.
 * - restartPolicy becomes Never: a StatefulSet accepts only Always, and an ephemeral runner that is restarted in place
 *   would register again under its old name.
 *
 * - The runner is asked to end with an exit code of its own where GitHub refuses its version.
 * - Job hooks, as `jobHooks` gives them (jobs/hooks).
 *
 * Compatibility: the webhook has failurePolicy Fail, for pods with that label only. A runner pod made without this
 * would restart in place and have no token; the StatefulSet controller tries again. A pod that was made while the
 * webhook was not configured is found and replaced (sets/pod/injection.ts).
 */
export function createPods(request: AdmissionRequest, jobHooks: Hooks = () => []): AdmissionResponse {
	if (!isOfOurSets(request)) return allowed(request.uid);
	if (request.reduced) return refused(request.uid, { code: 403 }, tooLarge);
	const { operations, warnings } = inject(request.object as Pod, jobHooks);
	return patched(request.uid, operations, warnings);
}

/**
 * Reviews CREATE pods of unauthenticated callers: to fill a pod in is work that whoever reaches the port could ask for again
 * and again. One of our sets is refused, because it would not work without: whoever makes it tries again, and by then the API
 * server knows the path.
 */
export function refuseUnknownCaller(request: AdmissionRequest): AdmissionResponse {
	if (!isOfOurSets(request)) return allowed(request.uid);
	return refused(request.uid, { code: 403 }, unknownCaller);
}

const unknownCaller =
	'this runner pod cannot be filled in: the guard does not recognise the caller. Nothing is created: try again. See: kubectl runners doctor';

/**
 * The pod as the webhook would change it. The reconcilers create their pods like this, and the webhook's conditions exempt
 * those: a call for each pod would delay growing sets.
 */
export const injected = (pod: Pod, jobHooks: Hooks): Pod => applied(pod, inject(pod, jobHooks).operations);

function inject(pod: Pod, jobHooks: Hooks): { operations: PatchOperation[]; warnings: string[] } {
	const operations: PatchOperation[] = [];
	const warnings: string[] = [];
	const index = pod.spec?.containers?.findIndex(({ name }) => name === 'runner') ?? -1;
	const container = pod.spec?.containers?.[index];
	if (!container) return { operations, warnings };

	const scope = scopeInEnvironment(container, pod);
	const set = (variable: Variable) => operations.push(...setVariable(container, index, variable));
	if (!container.env) operations.push({ op: 'add', path: `/spec/containers/${index}/env`, value: [] });
	if (!pod.metadata.annotations) operations.push({ op: 'add', path: '/metadata/annotations', value: {} });
	if (!isGiven(container, 'RUNNER_NAME')) set(nameVariable(pod.metadata.name));
	if (!isGiven(container, 'RUNNER_TOKEN')) {
		if (scope) {
			const secret = tokenSecretName(scope, pod.metadata.annotations?.[arc.credentialsSecret]);
			const secretKeyRef = { name: secret, key: tokenSecretKey };
			set({ name: 'RUNNER_TOKEN', valueFrom: { secretKeyRef } });
			operations.push(annotate(setKeys.tokenSecret, secret));
		} else {
			warnings.push(
				'the container runner has no RUNNER_REPO, RUNNER_ORG or RUNNER_ENTERPRISE, so it gets no RUNNER_TOKEN and cannot register',
			);
		}
	}
	if (!container.env?.some(({ name }) => name === exitCodeVariable))
		set({ name: exitCodeVariable, value: '1' });
	operations.push(...unknownMark(pod));
	if (pod.spec?.restartPolicy !== 'Never')
		operations.push({ op: 'add', path: '/spec/restartPolicy', value: 'Never' });
	operations.push(...jobHooks(withLists(pod, container)));
	return { operations, warnings };
}

/** Whether the pod that is being created belongs to a set of ours, and is to be filled in. */
export const isOfOurSets = ({ object }: AdmissionRequest): boolean =>
	(object as Pod).metadata.labels?.[setKeys.injectToken] === 'true';

/** The pod as it is after the first operations: with the lists that they have made. */
function withLists(pod: Pod, runner: Container): Pod {
	const { metadata, spec } = pod;
	const containers =
		spec?.containers?.map((one) => (one === runner ? { ...one, env: one.env ?? [] } : one)) ?? [];
	return {
		...pod,
		metadata: { ...metadata, annotations: metadata.annotations ?? {} },
		spec: { ...spec, containers },
	};
}

interface Variable {
	name: string;
	value?: string;
	valueFrom?: unknown;
}

/** A pod with generateName may have no name yet; then the kubelet fills it in. */
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

const annotate = (key: string, value: string): PatchOperation => ({
	op: 'add',
	path: `/metadata/annotations/${pointer(key)}`,
	value,
});
