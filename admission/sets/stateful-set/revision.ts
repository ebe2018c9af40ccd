import type { StatefulSet } from '../../api/sets.ts';
import { controllerReference } from './objects.ts';

/** The first revision of a StatefulSet, as the StatefulSet controller names and writes it (pkg/controller/history). */
interface Revision {
	/** Also on the pod. */
	name: string;
	/** The ControllerRevision as JSON text, since the controller compares its data byte by byte. */
	json: string;
}

/** Label of a ControllerRevision that holds its hash. */
const hashLabel = 'controller.kubernetes.io/hash';
/** A name has at most 253 characters. */
const longestPrefix = 223;

/**
 * If the controller finds this revision, it need not create one. If it creates another one all the same (its version may write
 * the template in another way than the API server's), this one is an extra object, which is deleted with its StatefulSet.
 *
 * @param made as the API server has answered it, with its defaults
 */
export function revisionOf(made: StatefulSet): Revision {
	const { metadata, spec } = made;
	const data = goJson({ spec: { template: { ...spec.template, $patch: 'replace' } } });
	// The controller appends the number of hash collisions to the data: none.
	const hash = safeEncoded(`${fnv32(`${data}0`)}`);
	const name = `${metadata.name.slice(0, longestPrefix)}-${hash}`;
	const head = JSON.stringify({
		apiVersion: 'apps/v1',
		kind: 'ControllerRevision',
		metadata: {
			name,
			namespace: metadata.namespace,
			labels: { ...spec.template.metadata?.labels, [hashLabel]: hash },
			annotations: metadata.annotations,
			ownerReferences: [controllerReference(made)],
		},
		revision: 1,
	});
	return { name, json: `${head.slice(0, -1)},"data":${data}}` };
}

/** JSON as Go's encoding/json writes a map: keys in order, and no character that HTML takes for its own. */
function goJson(value: unknown): string {
	if (Array.isArray(value)) return `[${value.map(goJson).join()}]`;
	if (typeof value === 'object' && value !== null) {
		const entries = Object.entries(value).filter(([, one]) => one !== undefined);
		const inOrder = entries.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
		return `{${inOrder.map(([key, one]) => `${goJson(key)}:${goJson(one)}`).join()}}`;
	}
	return JSON.stringify(value).replace(
		/[<>&\u2028\u2029]/g,
		(character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
	);
}

/** FNV-1 with 32 bits, as hash/fnv of Go has it: New32. */
function fnv32(text: string): number {
	let hash = 0x811c9dc5;
	for (const byte of Buffer.from(text)) hash = (Math.imul(hash, 0x01000193) ^ byte) >>> 0;
	return hash;
}

/** Each byte as one of 27 letters and digits that spell nothing: SafeEncodeString of k8s.io/apimachinery/pkg/util/rand. */
function safeEncoded(text: string): string {
	const letters = 'bcdfghjklmnpqrstvwxz2456789';
	return [...Buffer.from(text)].map((byte) => letters[byte % letters.length]).join('');
}
