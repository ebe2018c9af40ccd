/** Writes pods as the API server does in protobuf: field numbers from generated.proto of core/v1 and meta/v1. */
import type { Container, ContainerState, EnvVar, Pod } from '../../../../admission/api/kinds.ts';

/** Numbers, texts and messages under their field numbers, in order; undefined ones are left out. */
type Fields = [field: number, value: number | string | Buffer | undefined][];

export function message(...fields: Fields): Buffer {
	return Buffer.concat(
		fields.map(([field, value]) => {
			if (value === undefined) return Buffer.alloc(0);
			if (typeof value === 'number') return Buffer.concat([varint(field * 8), varint(value)]);
			const bytes = Buffer.from(value);
			return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
		}),
	);
}

export function varint(value: number): Buffer {
	const bytes: number[] = [];
	let rest = value;
	do {
		bytes.push((rest % 128) + (rest >= 128 ? 128 : 0));
		rest = Math.floor(rest / 128);
	} while (rest > 0);
	return Buffer.from(bytes);
}

export const pair = (name: string, value: string | undefined): Buffer => message([1, name], [2, value]);
export const time = (seconds: number): Buffer => message([1, seconds], [2, 5]);

/** A PodList in its envelope. */
export function podListOf(...pods: Buffer[]): Buffer {
	const meta = message([2, '4711'], [3, 'next-page']);
	const list = message([1, meta], ...pods.map((pod): Fields[number] => [2, pod]));
	const type = message([1, 'v1'], [2, 'PodList']);
	return Buffer.concat([Buffer.from('k8s\0'), message([1, type], [2, list], [3, ''], [4, ''])]);
}

/** The fields of pods that the tests use; others that a pod may have are left out. */
export function encodePodList(pods: readonly Pod[]): Buffer {
	return podListOf(...pods.map(encodePod));
}

function encodePod({ metadata, spec, status }: Pod): Buffer {
	const entries = (map: Record<string, string> = {}, field: number): Fields =>
		Object.entries(map).map(([key, value]) => [field, pair(key, value)]);
	const meta = message(
		[1, metadata.name],
		[3, metadata.namespace],
		[5, metadata.uid],
		[6, metadata.resourceVersion],
		[8, timeOf(metadata.creationTimestamp)],
		[9, timeOf(metadata.deletionTimestamp)],
		...entries(metadata.labels, 11),
		...entries(metadata.annotations, 12),
		...(metadata.ownerReferences ?? []).map((owner): Fields[number] => [
			13,
			message(
				[1, owner.kind],
				[3, owner.name],
				[4, owner.uid],
				[5, owner.apiVersion],
				[6, Number(owner.controller ?? 0)],
			),
		]),
	);
	const containers = (field: number, list: Container[] = []) =>
		list.map((one): Fields[number] => {
			const {
				name,
				command = [],
				args = [],
				env = [],
				envFrom = [],
				restartPolicy,
				restartPolicyRules = [],
			} = one;
			return [
				field,
				message(
					[1, name],
					...command.map((part): Fields[number] => [3, part]),
					...args.map((part): Fields[number] => [4, part]),
					...env.map((one): Fields[number] => [
						7,
						message([1, one.name], [2, one.value], [3, sourceOf(one.valueFrom)]),
					]),
					...envFrom.map(({ prefix }): Fields[number] => [19, message([1, prefix])]),
					[24, restartPolicy],
					...restartPolicyRules.map(({ action }): Fields[number] => [25, message([1, action])]),
				),
			];
		});
	const conditions = (status?.conditions ?? []).map(({ type, status: value }): Fields[number] => [
		2,
		message([1, type], [2, value]),
	]);
	const statuses = (status?.containerStatuses ?? []).map((one): Fields[number] => [
		8,
		message([1, one.name], [2, stateOf(one.state)], [3, stateOf(one.lastState)], [5, one.restartCount ?? 0]),
	]);
	return message(
		[1, meta],
		[
			2,
			message(
				...containers(2, spec?.containers),
				[3, spec?.restartPolicy],
				[10, spec?.nodeName],
				...containers(20, spec?.initContainers),
			),
		],
		[3, message([1, status?.phase], ...conditions, ...statuses)],
	);
}

function sourceOf(source: EnvVar['valueFrom']): Buffer | undefined {
	if (!source) return undefined;
	const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = source;
	return message(
		[1, fieldRef && message([1, 'v1'], [2, fieldRef.fieldPath])],
		[2, resourceFieldRef && message([2, 'limits.cpu'])],
		[3, configMapKeyRef && message([2, 'key'])],
		[4, secretKeyRef && message([1, message([1, secretKeyRef.name])], [2, secretKeyRef.key])],
	);
}

function stateOf(state: ContainerState | undefined): Buffer | undefined {
	if (!state) return undefined;
	return message(
		[1, state.waiting && message([1, state.waiting.reason])],
		[2, state.running && message([1, timeOf(state.running.startedAt)])],
		[3, state.terminated && message([1, state.terminated.exitCode])],
	);
}

function timeOf(text: string | undefined): Buffer | undefined {
	return text === undefined ? undefined : time(Date.parse(text) / 1000);
}
