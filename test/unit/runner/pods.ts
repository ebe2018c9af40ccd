import { record } from '../../../admission/api/keys.ts';
import type { Container, Pod } from '../../../admission/api/kinds.ts';
import { Signer } from '../../../admission/cluster/signer.ts';
import { type Facts, type RunnerPod, readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { recorded } from '../../../admission/runner/statements.ts';

/** A legacy runner pod whose container has run since 12:00. */
export function pod(
	change: {
		metadata?: Partial<Pod['metadata']>;
		spec?: Pod['spec'];
		status?: Pod['status'];
		env?: Record<string, string>;
		/** It is on no node. */
		unbound?: boolean;
	} = {},
): Pod {
	const env = {
		RUNNER_ORG: 'octo-org',
		RUNNER_REPO: '',
		RUNNER_ENTERPRISE: '',
		RUNNER_NAME: 'r1',
		RUNNER_EPHEMERAL: 'true',
		GITHUB_URL: 'https://github.com/',
		...change.env,
	};
	return {
		metadata: {
			name: 'r1',
			namespace: 'ci',
			uid: 'uid-1',
			resourceVersion: '7',
			labels: { 'actions-runner': '' },
			annotations: {},
			...change.metadata,
		},
		spec: change.spec ?? {
			...(change.unbound ? {} : { nodeName: 'node-1' }),
			restartPolicy: 'Never',
			containers: [
				{
					name: 'runner',
					image: 'runner:1',
					env: Object.entries(env).map(([name, value]) => ({ name, value })),
				},
			],
		},
		status: change.status ?? running(),
	};
}

/** The container of a scale set's runner, as ARC makes it. */
export const jitContainer = (name: string): Container => ({
	name: 'runner',
	image: 'runner:1',
	env: [
		{
			name: 'ACTIONS_RUNNER_INPUT_JITCONFIG',
			valueFrom: { secretKeyRef: { name, key: 'jitToken' } },
		},
	],
});

export const running = (startedAt = '2026-11-23T12:00:00Z'): Pod['status'] => ({
	phase: 'Running',
	containerStatuses: [{ name: 'runner', restartCount: 0, state: { running: { startedAt } } }],
});

export function runnerPod(change: Parameters<typeof pod>[0] = {}, facts: Facts = {}): RunnerPod {
	const read = readRunnerPod(pod(change), facts);
	if (!read) throw new Error('the fixture is no runner pod');
	return read;
}

/** Whoever reads the pod finds every signature right. */
export const trusting: Facts = { verify: () => true };

/** The server's key in tests. */
export const signer = new Signer(Buffer.alloc(32, 7));

/** The pod as the server would have recorded it: where its annotations name who asked, the record is signed. */
export function withSignedRecord(object: Pod): Pod {
	const { uid = '', annotations = {} } = object.metadata;
	const {
		[record.requestedBy]: by,
		[record.requestedAt]: at = '',
		[record.options]: options = '',
		[record.proof]: proof = signer.signStatement(recorded(uid, at, by ?? '', options)),
	} = annotations;
	if (!by) return object;
	return {
		...object,
		metadata: { ...object.metadata, annotations: { ...annotations, [record.proof]: proof } },
	};
}

export const noon = Date.parse('2026-11-23T12:00:00Z');
