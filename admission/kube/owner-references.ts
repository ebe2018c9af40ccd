import type { KubeObject } from '../api/kinds.ts';

/** UID of the object that controls this one (the owner reference with `controller: true`). */
export const controllerOf = (object: KubeObject | undefined): string | undefined =>
	object?.metadata.ownerReferences?.find(({ controller }) => controller)?.uid;
