/**
 * Thousands of edits that nobody thought of, made by chance from a seed, of busy runners' pods, by a user with the ClusterRole
 * `edit` who deletes and evicts them as well. FUZZ=2000 makes so many, SEED=... the same ones again.
 */
import * as assert from 'uvu/assert';
import { progress, record } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { type ApiCall, apiCalls } from '../../rig/api-call.ts';
import { startHistory } from '../../rig/history.ts';
import { random } from '../../rig/random.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { suite } from '../../support/suite.ts';
import { type Crowd, makeCrowd } from '../support/fuzz/crowd.ts';
import { editNumber, type FuzzedEdit } from '../support/fuzz/edits.ts';
import { shortest } from '../support/fuzz/shortest.ts';
import { end, Space } from '../support/space.ts';

const { seed } = random();
const edits = Number(process.env.FUZZ ?? 600);
/** Edits that are made before the pods are checked. */
const batch = 200;
const atATime = 4;

const test = suite<{ rig: Rig }>(`edits made by chance, SEED=${seed}`);
test.before(async (context) => {
	context.rig = await stage('guard');
});
test.after(({ rig }) => end(rig));

/** Who asks for deletions: the user, and the garbage collector where an edit has taken away the last owner that exists. */
const askers = ['mallory', 'system:serviceaccount:kube-system:generic-garbage-collector'];

class Target {
	readonly space: Space;
	readonly crowd: Crowd;
	/** How often each answer was given. */
	readonly answers = new Map<string, number>();
	readonly #call: ApiCall;
	readonly #stop: () => void;

	private constructor(rig: Rig, space: Space, crowd: Crowd) {
		this.space = space;
		this.crowd = crowd;
		({ call: this.#call, stop: this.#stop } = apiCalls(readKubeconfig(rig.cluster.kubeconfig)));
	}

	static async make(rig: Rig): Promise<Target> {
		const space = await Space.make(rig, { ownCredentials: true });
		await space.bind('mallory', 'edit');
		return new Target(rig, space, await makeCrowd(space, { busy: 12 }));
	}

	async edit(numbers: readonly number[], atATime: number): Promise<void> {
		const left = numbers.values();
		const worker = async () => {
			for (const index of left) {
				const answer = await this.#send(editNumber({ seed, index }, this.crowd));
				this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
			}
		};
		await Promise.all(Array.from({ length: atATime }, worker));
	}

	/** As mallory; the answer in a few words. The API server itself fails at some patches and cuts the connection (1.36). */
	async #send({ method, path, ...sent }: FuzzedEdit): Promise<string> {
		try {
			const as = { as: 'mallory', groups: ['system:authenticated'] };
			const { status, message } = await this.#call(method, path, { ...sent, ...as });
			return `${status}${message.includes('admission webhook') ? ' by the guard' : ''}`;
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
			return 'cut';
		}
	}

	/** What must not have become of the pods. A simulated kubelet acts upon no new image and no deadline: they count as they are. */
	async harm(): Promise<string[]> {
		const { space, crowd } = this;
		const now = new Map((await space.rig.pods(space.name)).map((pod) => [pod.metadata.uid, pod]));
		const found = space.killedJobs().map(({ pod, detail }) => `job of ${pod} was killed: ${detail}`);
		for (const before of crowd.busy) {
			const { name, uid } = before.metadata;
			const pod = now.get(uid);
			const isRegistered = space.rig.github.find(space.scope, name) !== undefined;
			const { annotations = {} } = pod?.metadata ?? {};
			const by = annotations[record.requestedBy];
			if (!pod || pod.metadata.deletionTimestamp) found.push(`${name} has gone`);
			else if (what(pod) !== what(before)) found.push(`${name} runs something else: ${what(pod)}`);
			if (!isRegistered) found.push(`${name} is registered no more`);
			if (annotations[progress.proof] || annotations[progress.completedAt]) found.push(`${name}: a proof`);
			if (by !== undefined && !askers.includes(by)) found.push(`${name}: ${by} has not asked`);
		}
		return found;
	}

	async clear(): Promise<void> {
		this.#stop();
		for (const { metadata } of await this.space.rig.pods(this.space.name))
			await this.space.patch(metadata.name, { metadata: { finalizers: null } });
		await this.space.clear();
	}
}

/** What a kubelet runs of a pod, and for how long. */
const what = ({ spec }: Pod) =>
	JSON.stringify([
		spec?.activeDeadlineSeconds,
		[...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].map(({ name, image }) => [name, image]),
	]);

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

/** The shortest sequence that does harm, each time to a crowd of its own. */
async function explained(rig: Rig, made: number): Promise<string> {
	const texts = (numbers: readonly number[], crowd: Crowd) =>
		numbers.map((index) => JSON.stringify(editNumber({ seed, index }, crowd)).slice(0, 3_000));
	let crowd: Crowd | undefined;
	const fails = async (numbers: readonly number[]) => {
		const target = await Target.make(rig);
		crowd = target.crowd;
		await target.edit(numbers, 1);
		const harm = await target.harm();
		await target.clear();
		return harm.length > 0;
	};
	const last = range(Math.max(0, made - batch), made);
	const numbers = await shortest((await fails(last)) ? last : range(0, made), fails);
	return [
		`SEED=${seed}: these ${numbers.length} edits do harm:`,
		...texts(numbers, crowd as Crowd).slice(0, 20),
	].join('\n');
}

test('whatever somebody with `edit` writes on busy runners’ pods: no job is killed, nothing is signed, nobody is said to have asked (invariants 1, 2)', async ({
	rig,
}) => {
	const target = await Target.make(rig);
	const history = await startHistory(rig);
	try {
		const startedMs = performance.now();
		let made = 0;
		let harm: string[] = [];
		for (; made < edits && harm.length === 0; harm = await target.harm()) {
			const next = Math.min(edits, made + batch);
			await target.edit(range(made, next), atATime);
			made = next;
		}
		const answers = [...target.answers].map(([answer, times]) => `${times} x ${answer}`).join(', ');
		const perSecond = (made / (performance.now() - startedMs)) * 1_000;
		console.log(`SEED=${seed}: ${made} edits, ${perSecond.toFixed(0)} a second: ${answers}`);
		if (harm.length > 0) console.log(await explained(rig, made));
		assert.equal(harm, []);
		assert.equal(
			history.violations({
				settled: false,
				cancelled: target.crowd.busy.map(({ metadata }) => `${target.space.name}/${metadata.name}`),
			}),
			[],
		);
	} finally {
		history.stop();
		await target.clear();
	}
});

test.run();
