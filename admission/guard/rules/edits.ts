import { arc, busy, identityProof, jobHooks, progress, record } from '../../api/keys.ts';
import type { Container, Pod } from '../../api/kinds.ts';
import { ownerOf } from '../../runner/identity/identity.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';
import { lessened } from './resources.ts';

/**
 * Annotations that only this server writes: what it has recorded, what it has seen, and what it has signed. Those of
 * actions-runner-controller (ARC) are read as hints only, so everybody may write them.
 */
export const ownAnnotations: readonly string[] = [
	...Object.values(record),
	...Object.values(progress),
	...[busy.since, busy.job, busy.signals, busy.marks, identityProof],
	// The first two are files in the pod, of which the second follows its annotation.
	...[jobHooks.script, jobHooks.authorities, jobHooks.before, jobHooks.absent],
];

/** ... and those that a person may take away, but not write: that is how a recorded deletion is cancelled. */
const removable: readonly string[] = [...Object.values(record), progress.attempt];

/** Labels by which a legacy runner is recognised: they must not go, or name another set. */
export const recognisingLabels: readonly string[] = [arc.runner, arc.runnerSet, arc.runnerDeployment];

/** Labels that say that it works, or that it is a scale set's: they must neither change nor appear. */
export const decidingLabels: readonly string[] = [busy.label, arc.ephemeralRunner];

/** Labels that say where a scale set's runner is registered, where nothing else does. */
export const scopeLabels: readonly string[] = [
	arc.scaleSetName,
	arc.organization,
	arc.repository,
	arc.enterprise,
];

/**
 * Who takes away the reference to an owner that was deleted with --cascade=orphan: the garbage collector. In some clusters
 * all controllers are one user.
 */
const orphaners = [
	'system:serviceaccount:kube-system:generic-garbage-collector',
	'system:kube-controller-manager',
];

/**
 * What of an update of a runner's pod must be refused, each as a clause for people; empty: it may be made. The webhook's
 * matchConditions call us only if something of this changes: change both together, a test compares the keys.
 *
 * Until the runner has exited: which runner it is, and what this server has written about it. From its place on a node on:
 * what would end its job without a DELETE.
 *
 * Not judged: a container status that says "terminated" while it runs. No role for people may write pods/status, and not
 * every kubelet is a member of system:nodes (virtual-kubelet), so that a real end could be refused for ever.
 */
export function forbiddenEdits(before: Pod, after: Pod, runner: RunnerPod, user: string): string[] {
	if (isOver(runner)) return [];
	const { process } = runner;
	// An image that cannot be pulled is put right by an edit.
	const mayRun =
		process.state === 'running' || (process.state === 'starting' && process.failing === undefined);
	return [
		...labelEdits(before, after, runner),
		...ownerEdits(before, after, user),
		...(mayRun ? endings(before, after) : []),
		...annotationEdits(before, after, runner),
	];
}

/** Whether a runner's pod may be edited in any way. */
export const isOver = ({ terminating, process }: RunnerPod): boolean =>
	terminating || process.state === 'exited';

function labelEdits(before: Pod, after: Pod, { kind, process }: RunnerPod): string[] {
	const was = before.metadata.labels ?? {};
	const is = after.metadata.labels ?? {};
	const gone =
		process.state !== 'unbound'
			? recognisingLabels.filter((key) => was[key] !== undefined && is[key] !== was[key])
			: [];
	const fixed = kind === 'scale-set' ? [...decidingLabels, ...scopeLabels] : decidingLabels;
	const keys = [...gone, ...fixed.filter((key) => (was[key] ?? '') !== (is[key] ?? ''))];
	return mustNotBeChanged('label', keys);
}

/** Another EphemeralRunner is another registration, asked about with other credentials. */
function ownerEdits(before: Pod, after: Pod, user: string): string[] {
	const was = ownerOf(before);
	const is = ownerOf(after);
	if (was?.uid === is?.uid && was?.name === is?.name) return [];
	if (is === undefined && orphaners.includes(user)) return [];
	return ['its owner must remain its EphemeralRunner'];
}

/** A message has room for two or three. */
const mostEndings = 8;

/** What makes the kubelet stop, restart or starve a container that the job needs: its own, or that of docker beside it. The first few. */
export function endings(before: Pod, after: Pod): string[] {
	const deadline = after.spec?.activeDeadlineSeconds;
	const edits: string[] = [];
	if (deadline !== undefined && deadline !== before.spec?.activeDeadlineSeconds)
		edits.push('a deadline would kill its job');
	const afterwards = containersOf(after);
	let byName: Map<string, Container> | undefined;
	for (const [index, container] of containersOf(before).entries()) {
		if (edits.length >= mostEndings) break;
		let changed = afterwards[index]; // an API server lets nobody move one
		if (changed?.name !== container.name) {
			byName ??= new Map(afterwards.map((one) => [one.name, one]));
			changed = byName.get(container.name) ?? container;
		}
		const whose = container.name === 'runner' ? 'its container' : `container ${container.name}`;
		if (changed.image !== container.image) edits.push(`a new image would restart ${whose} and kill its job`);
		else if (restartsToResize(container, changed))
			edits.push(`new resources would restart ${whose} and kill its job`);
		else edits.push(...lessOf(container, changed, whose));
	}
	return [...edits, ...lessOf(before.spec, after.spec, 'its pod')];
}

/** What it has may grow, and not shrink: a clause where it does. */
function lessOf(before: Sized | undefined, after: Sized | undefined, whose: string): string[] {
	const less = lessened(before?.resources, after?.resources);
	return less.length === 0 ? [] : [`less ${less.join(' and ')} for ${whose} could end its job`];
}

type Sized = Pick<Container, 'resources'>;

const containersOf = ({ spec }: Pod): Container[] => [
	...(spec?.containers ?? []),
	...(spec?.initContainers ?? []),
];

type Policy = NonNullable<Container['resizePolicy']>[number];

/** Whether a resource changes for which the container's resizePolicy, before or after, says RestartContainer. */
function restartsToResize(before: Container, after: Container): boolean {
	const restarts = ({ resourceName, restartPolicy }: Policy) =>
		restartPolicy === 'RestartContainer' &&
		(['requests', 'limits'] as const).some(
			(kind) => before.resources?.[kind]?.[resourceName] !== after.resources?.[kind]?.[resourceName],
		);
	return before.resizePolicy?.some(restarts) || after.resizePolicy?.some(restarts) || false;
}

/**
 * A legacy runner is registered where its env says, which nobody can change: there the name of its credentials' Secret may
 * be put right. A scale set's EphemeralRunner names them, and the annotation stands in for it only where it is gone.
 */
function annotationEdits(before: Pod, after: Pod, { kind }: RunnerPod): string[] {
	const fixed = kind === 'scale-set' ? [...ownAnnotations, arc.credentialsSecret] : ownAnnotations;
	return ownAnnotationEdits(before, after, fixed);
}

export function ownAnnotationEdits(before: Pod, after: Pod, fixed = ownAnnotations): string[] {
	const was = before.metadata.annotations ?? {};
	const is = after.metadata.annotations ?? {};
	const keys = fixed.filter(
		(key) => (was[key] ?? '') !== (is[key] ?? '') && !(is[key] === undefined && removable.includes(key)),
	);
	return mustNotBeChanged('annotation', keys);
}

/** One clause about these keys, where there are any. */
export const mustNotBeChanged = (what: 'label' | 'annotation', keys: readonly string[]): string[] =>
	keys.length === 0 ? [] : [`${what}${keys.length > 1 ? 's' : ''} ${keys.join(', ')} must not be changed`];
