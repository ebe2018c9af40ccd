import { partOf } from '../../admission/api/keys.ts';
import type { ApiError } from '../kube/failure.ts';
import type { Manifest } from './manifest.ts';
import { fieldManager } from './objects.ts';

/** Nested maps whose keys name fields; see fieldsV1 in Kubernetes' server-side apply. */
interface FieldSet {
	[field: string]: FieldSet;
}

interface FieldsOwner {
	manager?: string;
	operation?: string;
	subresource?: string;
	fieldsV1?: FieldSet;
	[field: string]: unknown;
}

/** The field managers of `kubectl apply`, with --server-side and without. */
const kubectlApplies: readonly [manager: string, operation: string][] = [
	['kubectl', 'Apply'],
	['kubectl-client-side-apply', 'Update'],
];

function ownersOf(object: Manifest): FieldsOwner[] {
	return (object.metadata as { managedFields?: FieldsOwner[] }).managedFields ?? [];
}

/**
 * The owners of an object's fields once `kubectl apply -k` has handed it over to `install`; undefined if there is
 * nothing to hand over. This is needed because server-side apply removes a field only when its last owner gives it up:
 * fields that kubectl once applied and we do not (arguments of another mode) would stay forever. kubectl itself does
 * the same when it migrates to server-side apply.
 */
export function handedOver(object: Manifest): FieldsOwner[] | undefined {
	const owners = ownersOf(object);
	if (!owners.some(appliedOurs)) return undefined;
	const given = owners.filter((owner) => appliedOurs(owner) || isNote(owner));
	const ours = owners.find(({ manager, operation }) => manager === fieldManager && operation === 'Apply');
	const fieldsV1 = [...given, ...(ours ? [ours] : [])].map((owner) => owner.fieldsV1 ?? {}).reduce(union);
	const whole = { ...(ours ?? given[0]), manager: fieldManager, operation: 'Apply', fieldsV1 };
	return [...owners.filter((owner) => owner !== ours && !given.includes(owner)), whole];
}

/** Whether `kubectl apply` wrote our manifest, and not another one of the same name (a namespace of the user's). */
function appliedOurs({ manager, operation, subresource, fieldsV1 }: FieldsOwner): boolean {
	const byKubectl = kubectlApplies.some(([name, how]) => name === manager && how === operation);
	return !subresource && byKubectl && ownsOurLabel(fieldsV1);
}

/** kubectl's own copy of what it applied, which it keeps when it migrates to server-side apply. */
function isNote({ manager }: FieldsOwner): boolean {
	return manager === 'kubectl-last-applied';
}

function ownsOurLabel(fields: FieldSet | undefined): boolean {
	return fields?.['f:metadata']?.['f:labels']?.[`f:${partOf.key}`] !== undefined;
}

function union(left: FieldSet, right: FieldSet): FieldSet {
	const both = { ...left };
	for (const [field, inner] of Object.entries(right)) both[field] = union(both[field] ?? {}, inner);
	return both;
}

/** A field that server-side apply would change and that somebody else owns. */
export interface Conflict {
	manager: string;
	field: string;
}

/** The conflicts in an error of server-side apply; empty for any other error. */
export function conflictsOf(error: ApiError): Conflict[] {
	const causes = error.status.details?.causes ?? [];
	return causes
		.filter(({ reason }) => reason === 'FieldManagerConflict')
		.map(({ message = '', field = '' }) => ({
			manager: /conflict with "([^"]*)"/.exec(message)?.[1] ?? message,
			field,
		}));
}

/** Whether this conflict ends once the fields of `kubectl apply` are handed over. */
export function isHandedOver({ manager }: Conflict, object: Manifest): boolean {
	return ownersOf(object).some((owner) => owner.manager === manager && appliedOurs(owner));
}

/** Whether `install` applied it. */
export function isApplied(object: Manifest): boolean {
	return ownersOf(object).some(({ manager, operation }) => manager === fieldManager && operation === 'Apply');
}

/** Whether `install` owns fields of it. */
export function ownsFields(object: Manifest): boolean {
	return ownersOf(object).some(({ manager }) => manager === fieldManager);
}

/** Whether we created the namespace. If anybody else has ever written to it, it counts as theirs. */
export function isOurNamespace(namespace: Manifest): boolean {
	const owners = ownersOf(namespace);
	const isOurs = (owner: FieldsOwner) =>
		owner.manager === fieldManager || appliedOurs(owner) || isNote(owner);
	const { labels = {} } = namespace.metadata;
	return labels[partOf.key] === partOf.value && owners.length > 0 && owners.every(isOurs);
}
