import { names } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { Signer } from '../../../admission/cluster/signer.ts';
import { unregisteredOf } from '../../../admission/runner/record.ts';
import { readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import type { ApiCall } from '../../rig/api-call.ts';
import type { Rig } from '../../rig/rig.ts';
import { runnerSetPod } from '../../sim/pods.ts';

const server = 'system:serviceaccount:runners-system:runners-admission';

/** A pod as large as a runner's, which is sent to the webhooks as a whole, but is not a runner. */
export const ordinaryPod = (namespace: string, name: string, labels: Record<string, string> = {}) => ({
	apiVersion: 'v1',
	kind: 'Pod',
	metadata: { name, namespace, labels },
	spec: { containers: [{ ...runnerContainer(name), name: 'main' }] },
});

/** The pod of a job whose runner is gone: no runner, but it passes the conditions of the guard's webhook. */
export const jobPod = (name: string) => ({
	...ordinaryPod('default', name, { 'runner-pod': 'gone' }),
	spec: { containers: [{ ...runnerContainer(name), name: 'job' }] },
});

const runnerContainer = (name: string) => (runnerSetPod({ name }).spec.containers as object[])[0];

/** Makes pods in the states in which the guard decides about them without GitHub. */
export class PodMaker {
	readonly #call: ApiCall;
	readonly #signer: Signer;

	private constructor(call: ApiCall, signer: Signer) {
		this.#call = call;
		this.#signer = signer;
	}

	static async of(rig: Rig, call: ApiCall): Promise<PodMaker> {
		const path = `/api/v1/namespaces/runners-system/secrets/${names.proofSecret}`;
		const { data } = await rig.kube.get<{ data: { key: string } }>(path);
		return new PodMaker(call, new Signer(Buffer.from(data.key, 'base64')));
	}

	async create(pod: object): Promise<Pod> {
		const { namespace } = (pod as Pod).metadata;
		return (await this.#ok('POST', `/api/v1/namespaces/${namespace}/pods`, { body: pod })) as unknown as Pod;
	}

	/** GitHub has removed this runner, and its container still runs. */
	async unregistered(name: string): Promise<Pod> {
		const pod = await this.create(runnerSetPod({ name }));
		const runner = readRunnerPod(pod, { verify: this.#signer.verifyStatement, host: 'github.com' });
		if (!runner) throw new Error(`${name} is no runner pod`);
		const annotations = unregisteredOf(runner, 1, this.#signer.signStatement, Date.now());
		await this.#patch(name, { metadata: { annotations } });
		return this.run(name);
	}

	/** Its container runs, as its status says. */
	async run(name: string): Promise<Pod> {
		const state = { running: { startedAt: new Date(Date.now() - 60_000).toISOString() } };
		const container = { name: 'runner', image: 'x', imageID: 'x', ready: true, restartCount: 0, state };
		return this.#patch(`${name}/status`, { status: { phase: 'Running', containerStatuses: [container] } });
	}

	async #patch(path: string, body: object): Promise<Pod> {
		const options = { body, type: 'application/merge-patch+json', as: server };
		return (await this.#ok('PATCH', `/api/v1/namespaces/default/pods/${path}`, options)) as unknown as Pod;
	}

	async #ok(...[method, path, options]: Parameters<ApiCall>): Promise<Record<string, unknown>> {
		const { status, message, body } = await this.#call(method, path, options);
		if (status >= 400) throw new Error(`${method} ${path}: ${status} ${message}`);
		return body;
	}
}
