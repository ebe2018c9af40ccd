import { jobHooks, jobPods } from '../../admission/api/keys.ts';
import type {
	Condition,
	Container,
	ContainerState,
	ContainerStatus,
	EnvVar,
	ObjectMeta,
	OwnerReference,
	Pod,
} from '../../admission/api/kinds.ts';
import { isProtobuf, type OnField, readEnvelope, readFields } from './protobuf.ts';

export interface PodPage {
	pods: Pod[];
	/** Token for the next page; empty on the last. */
	continue: string;
	resourceVersion: string;
}

/**
 * Reads a PodList in Kubernetes' protobuf encoding: only the fields that the plugin shows, and those that the pod model
 * (admission/runner/runner-pod.ts) reads.
 *
 * Why not JSON: for 5,000 pods JSON takes twice as long to encode, send and read, mostly for managedFields and volumes
 * that the plugin does not need; here they are skipped. The field numbers are part of the stable API:
 * k8s.io/api/core/v1/generated.proto and k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto.
 *
 * Of labels, annotations, conditions and environment only those are read that may concern a runner (by how their names
 * begin): for 5,000 pods, the others would mostly be work for the garbage collector. Nor is it read since when a pod starts:
 * whether it cannot is the guard's business.
 */
export function readPodList(body: Buffer): PodPage {
	const page: PodPage = { pods: [], continue: '', resourceVersion: '' };
	inList(body, (field, start, end) => {
		if (field === 1) Object.assign(page, readListMeta(body, start, end));
		else if (field === 2) page.pods.push(readPod(body, start, end));
	});
	return page;
}

/** Reads only what is needed to request the next page, so that the server prepares it while we read this one. */
export function readContinueToken(body: Buffer): string {
	let token = '';
	inList(body, (field, start, end) => {
		if (field === 1) token = readListMeta(body, start, end).continue;
	});
	return token;
}

function inList(body: Buffer, onField: OnField): void {
	if (!isProtobuf(body)) throw new RangeError('not a Kubernetes protobuf response');
	readEnvelope(body, onField);
}

function readListMeta(body: Buffer, from: number, to: number): { continue: string; resourceVersion: string } {
	const meta = { continue: '', resourceVersion: '' };
	readFields(body, from, to, (field, start, end) => {
		if (field === 2) meta.resourceVersion = text(body, start, end);
		else if (field === 3) meta.continue = text(body, start, end);
	});
	return meta;
}

function readPod(body: Buffer, from: number, to: number): Pod {
	const pod: Pod = { metadata: { name: '' }, spec: {}, status: {} };
	readFields(body, from, to, (field, start, end) => {
		if (field === 1) pod.metadata = readMeta(body, start, end);
		else if (field === 2) pod.spec = readSpec(body, start, end);
		else if (field === 3) pod.status = readStatus(body, start, end);
	});
	return pod;
}

function readMeta(body: Buffer, from: number, to: number): ObjectMeta {
	const meta: ObjectMeta = { name: '', labels: {}, annotations: {} };
	readFields(body, from, to, (field, start, end) => {
		switch (field) {
			case 1:
				meta.name = text(body, start, end);
				break;
			case 3:
				meta.namespace = text(body, start, end);
				break;
			case 5:
				meta.uid = text(body, start, end);
				break;
			case 6:
				meta.resourceVersion = text(body, start, end);
				break;
			case 8:
				meta.creationTimestamp = time(body, start, end);
				break;
			case 9:
				meta.deletionTimestamp = time(body, start, end);
				break;
			case 11:
				addPair(meta.labels!, body, start, end);
				break;
			case 12:
				addPair(meta.annotations!, body, start, end);
				break;
			case 13:
				meta.ownerReferences = [...(meta.ownerReferences ?? []), readOwner(body, start, end)];
				break;
		}
	});
	return meta;
}

function readOwner(body: Buffer, from: number, to: number): OwnerReference {
	const owner: OwnerReference = { apiVersion: '', kind: '', name: '', uid: '' };
	readFields(body, from, to, (field, start, end) => {
		if (field === 1) owner.kind = text(body, start, end);
		else if (field === 3) owner.name = text(body, start, end);
		else if (field === 4) owner.uid = text(body, start, end);
		else if (field === 5) owner.apiVersion = text(body, start, end);
		else if (field === 6) owner.controller = start === 1;
	});
	return owner;
}

type Spec = NonNullable<Pod['spec']>;

function readSpec(body: Buffer, from: number, to: number): Spec {
	const containers: Container[] = [];
	const spec: Spec = { containers };
	readFields(body, from, to, (field, start, end) => {
		if (field === 2) containers.push(readContainer(body, start, end));
		else if (field === 3) spec.restartPolicy = text(body, start, end);
		else if (field === 20) {
			const container = readContainer(body, start, end);
			if (!container.restartPolicyRules) return;
			spec.initContainers ??= [];
			spec.initContainers.push(container);
		} else if (field === 10) spec.nodeName = text(body, start, end);
	});
	return spec;
}

/**
 * On the wire the name comes first, so it decides whether the rest is read. A runner's variable may refer to variables
 * of any name; if one does, all are read.
 */
function readContainer(
	body: Buffer,
	from: number,
	to: number,
	prefixes: readonly Buffer[] = environmentPrefixes,
): Container {
	const container: Container = { name: '' };
	readFields(body, from, to, (field, start, end) => {
		if (field === 1) container.name = text(body, start, end);
		else if (field === 25) {
			container.restartPolicyRules ??= [];
			container.restartPolicyRules.push({ action: textAt(body, start, end, [1]) });
		} else if (container.name !== 'runner') return;
		else if (field === 3 || field === 4) {
			const parts = field === 3 ? 'command' : 'args';
			container[parts] ??= [];
			container[parts].push(text(body, start, end));
		} else if (field === 24) container.restartPolicy = text(body, start, end);
		else if (field === 7) {
			const variable = readVariable(body, start, end, prefixes);
			if (!variable) return;
			container.env ??= [];
			container.env.push(variable);
		} else if (field === 19) {
			container.envFrom ??= [];
			container.envFrom.push(readEnvFrom(body, start, end));
		}
	});
	const refers = prefixes !== anyName && container.env?.some(({ value }) => value?.includes('$('));
	return refers ? readContainer(body, from, to, anyName) : container;
}

function readVariable(
	body: Buffer,
	from: number,
	to: number,
	prefixes: readonly Buffer[],
): EnvVar | undefined {
	const variable: EnvVar | undefined = readPair(body, from, to, prefixes);
	if (variable && !variable.value)
		readFields(body, from, to, (field, start, end) => {
			if (field === 3) variable.valueFrom = readSource(body, start, end);
		});
	return variable;
}

/**
 * Of a reference to a field its path is read, of one to a Secret its name; of any other only that it is a reference.
 */
function readSource(body: Buffer, from: number, to: number): NonNullable<EnvVar['valueFrom']> {
	const source: NonNullable<EnvVar['valueFrom']> = {};
	readFields(body, from, to, (field, start, end) => {
		if (field === 1) source.fieldRef = { fieldPath: textAt(body, start, end, [2]) };
		else if (field === 4) source.secretKeyRef = { name: textAt(body, start, end, [1, 1]) };
	});
	return source;
}

function readEnvFrom(body: Buffer, from: number, to: number): { prefix?: string } {
	const prefix = textAt(body, from, to, [1]);
	return prefix ? { prefix } : {};
}

/** The text in a field of a nested message; empty if there is none. */
function textAt(body: Buffer, from: number, to: number, [wanted, ...inner]: readonly number[]): string {
	let found = '';
	readFields(body, from, to, (field, start, end) => {
		if (field === wanted) found = inner.length > 0 ? textAt(body, start, end, inner) : text(body, start, end);
	});
	return found;
}

type PodStatus = NonNullable<Pod['status']>;

function readStatus(body: Buffer, from: number, to: number): PodStatus {
	const conditions: Condition[] = [];
	const containerStatuses: ContainerStatus[] = [];
	const status: PodStatus = { conditions, containerStatuses };
	readFields(body, from, to, (field, start, end) => {
		if (field === 1) status.phase = text(body, start, end);
		else if (field === 2) {
			const condition = readCondition(body, start, end);
			if (condition) conditions.push(condition);
		} else if (field === 8) containerStatuses.push(readContainerStatus(body, start, end));
		else if (field === 10) {
			status.initContainerStatuses ??= [];
			status.initContainerStatuses.push(readContainerStatus(body, start, end));
		}
	});
	return status;
}

function readCondition(body: Buffer, from: number, to: number): Condition | undefined {
	let condition: Condition | undefined;
	readFields(body, from, to, (field, start, end) => {
		if (field === 1 && startsWithAny(body, start, end, conditionPrefixes)) {
			condition = { type: text(body, start, end), status: '' };
		}
		if (!condition) return;
		if (field === 2) condition.status = text(body, start, end);
		else if (field === 5) condition.reason = text(body, start, end);
		else if (field === 6) condition.message = text(body, start, end);
	});
	return condition?.type === podScheduled && condition.status !== 'False' ? undefined : condition;
}

function readContainerStatus(body: Buffer, from: number, to: number): ContainerStatus {
	const status: ContainerStatus = { name: '' };
	readFields(body, from, to, (field, start, end) => {
		if (field === 1) status.name = text(body, start, end);
		else if (status.name !== 'runner') {
			const waiting = field === 2 ? readWaiting(body, start, end) : undefined;
			if (waiting) status.state = { waiting };
		} else if (field === 2) status.state = readState(body, start, end);
		else if (field === 3) status.lastState = readState(body, start, end);
		else if (field === 5) status.restartCount = start;
	});
	return status;
}

function readState(body: Buffer, from: number, to: number): ContainerState {
	const state: ContainerState = {};
	readFields(body, from, to, (field, start, end) => {
		if (field === 1) state.waiting = readWaiting(body, from, to) ?? {};
		else if (field === 2) {
			state.running = {};
			readFields(body, start, end, (inner, innerStart, innerEnd) => {
				if (inner === 1) state.running!.startedAt = time(body, innerStart, innerEnd);
			});
		} else if (field === 3) {
			state.terminated = { exitCode: 0 };
			readFields(body, start, end, (inner, value) => {
				if (inner === 1) state.terminated!.exitCode = value;
			});
		}
	});
	return state;
}

/** Of a state: what the container waits for. */
function readWaiting(body: Buffer, from: number, to: number): ContainerState['waiting'] {
	let waiting: ContainerState['waiting'];
	readFields(body, from, to, (field, start, end) => {
		if (field !== 1) return;
		const [reason, message] = [textAt(body, start, end, [1]), textAt(body, start, end, [2])];
		waiting = { ...(reason && { reason }), ...(message && { message }) };
	});
	return waiting;
}

/** ARC's and our labels, annotations and conditions: admission/api/keys.ts. */
const keyPrefixes = ['actions', 'runner'].map((prefix) => Buffer.from(prefix));
/** ... and the one by which Kubernetes names the Job of a pod. */
const labelPrefixes = [...keyPrefixes, Buffer.from(jobPods.job)];
/** The scheduler's condition, which says why a pod is on no node. */
const podScheduled = 'PodScheduled';
const conditionPrefixes = [...keyPrefixes, Buffer.from(podScheduled)];
/** The scripts and certificates of job hooks: some kB on every pod, which no list shows. */
const unshown = [Buffer.from(jobHooks.script)];
const environmentPrefixes = ['RUNNER_', 'ACTIONS_RUNNER_', 'GITHUB_URL'].map((prefix) => Buffer.from(prefix));
const anyName = [Buffer.alloc(0)];

/** A map entry or an environment variable: name in field 1, value in field 2. Undefined if the name is not wanted. */
function readPair(
	body: Buffer,
	from: number,
	to: number,
	prefixes: readonly Buffer[],
): { name: string; value: string } | undefined {
	let pair: { name: string; value: string } | undefined;
	readFields(body, from, to, (field, start, end) => {
		if (
			field === 1 &&
			startsWithAny(body, start, end, prefixes) &&
			!startsWithAny(body, start, end, unshown)
		) {
			pair = { name: text(body, start, end), value: '' };
		} else if (field === 2 && pair) pair.value = text(body, start, end);
	});
	return pair;
}

function addPair(into: Record<string, string>, body: Buffer, from: number, to: number): void {
	const pair = readPair(body, from, to, labelPrefixes);
	if (pair) into[pair.name] = pair.value;
}

function startsWithAny(body: Buffer, start: number, end: number, prefixes: readonly Buffer[]): boolean {
	for (const prefix of prefixes) {
		let at = 0;
		while (at < prefix.length && start + at < end && body[start + at] === prefix[at]) at++;
		if (at === prefix.length) return true;
	}
	return false;
}

/** meta.v1.Time: seconds since 1970 in field 1. A null time is an empty message. */
function time(body: Buffer, from: number, to: number): string | undefined {
	let seconds: number | undefined;
	readFields(body, from, to, (field, value) => {
		if (field === 1) seconds = value;
	});
	return seconds === undefined ? undefined : `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

function text(body: Buffer, start: number, end: number): string {
	return body.toString('utf8', start, end);
}
