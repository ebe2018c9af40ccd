/**
 * What the guard adds to a DELETE and to an eviction through the API server, in decisions that need no GitHub, beside plain
 * webhooks that answer at once, one on Node's https and one on Go's net/http. Each is a process of its own, and the API
 * server calls all of them the same way: by a Service, without a balancer between. The calls are made one by one, in turn.
 *
 * `ROUNDS=20` for more samples; `PROFILES=FOLDER` has the server write a CPU profile.
 */
import { availableParallelism, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { quietMs } from '../../admission/guard/rules/policy.ts';
import { type Answer, type ApiCall, apiCalls, evict, remove } from '../rig/api-call.ts';
import { eventually } from '../rig/eventually.ts';
import { type Rig, startRig } from '../rig/rig.ts';
import { readKubeconfig } from '../sim/cluster-access.ts';
import { runnerSetPod } from '../sim/pods.ts';
import { median, quantile, shuffle, table } from './figures.ts';
import { type PlainWebhooks, plainService, startPlainWebhooks } from './webhook/plain.ts';
import { jobPod, ordinaryPod, PodMaker } from './webhook/pods.ts';

const rounds = Number(process.env.ROUNDS ?? 9);
const perRound = 40;
/** What the leader and the controllers do after one call is usually finished before the next. */
const betweenMs = 5;
/**
 * The API server has read changed webhook configurations by then. If it has not read one, the answer is wrong, which is
 * noticed.
 */
const configurationsReadMs = 2_000;
/** Pods that are made at once. */
const atOnce = 8;

/** The guard does not look at this namespace: the API server alone, and the plain webhooks. */
const unguarded = plainService.namespace;
const guarded = 'default';

/** One call, as the guard or somebody else answers it. */
interface Kind {
	by: string;
	expected: number;
	/** Of the pod that each call gets for itself; undefined: all calls are about the same. */
	make?: (name: string) => Promise<unknown>;
	send: (name: string) => Promise<Answer>;
}

const env: Record<string, string> = { GITHUB_TOKEN: 'test-token' };
if (process.env.PROFILES) env.NODE_OPTIONS = `--cpu-prof --cpu-prof-dir=${process.env.PROFILES}`;
const rig = await startRig({ nodes: [], server: { env, args: ['--log-level', 'info'] } });
const { call, stop } = apiCalls(readKubeconfig(rig.cluster.kubeconfig));
let plain: PlainWebhooks | undefined;
try {
	plain = await startPlainWebhooks(rig.cluster.folder);
	if (plain.withoutGo) console.log(`NO FIGURES OF A GO WEBHOOK: ${plain.withoutGo}`);
	const ours = await leadStraightToTheServer(rig);
	await registerPlain(rig, plain, ours);
	await sleep(configurationsReadMs);
	await run(await groups(rig, call, plain));
} finally {
	stop();
	plain?.stop();
	await rig.stop();
}

/** Calls that do the same to the API server's store; the first of each group is the base for the others. */
async function groups(rig: Rig, call: ApiCall, { ports }: PlainWebhooks): Promise<Map<string, Kind[]>> {
	const pods = await PodMaker.of(rig, call);
	const makeBusy = async () => {
		await pods.create(runnerSetPod({ name: 'busy' }));
		await pods.run('busy');
		await rig.agents.waitRegistered(['busy'], 10_000);
		await rig.agents.runJob(guarded, 'busy');
		const label = 'actions-runner/busy';
		await eventually('the busy mark', async () => (await rig.pod('busy'))?.metadata.labels?.[label]);
	};
	await makeBusy();
	rig.agents.stop(); // no other runner may register: it would differ from what the pod says
	const still = ordinaryPod(unguarded, 'still');
	await pods.create(still);

	const plains = Object.keys(ports).map((name) => ({ name, by: `plain ${name === 'go' ? 'Go' : 'Node'}` }));
	const wrong = { preconditions: { uid: 'of-another-pod' } };
	const evictBy = (pod: string, labels: Record<string, string>, said = pod) =>
		call('POST', `/api/v1/namespaces/${unguarded}/pods/${pod}/eviction`, {
			body: {
				apiVersion: 'policy/v1',
				kind: 'Eviction',
				metadata: { name: said, namespace: unguarded, labels },
			},
		});
	// The same pods for all: the leader, the controllers and the API server do the same about each.
	const like = (labels: Record<string, string>) => (name: string) =>
		pods.create(runnerSetPod({ name, namespace: unguarded, labels }));
	const neverStarted = (name: string) => pods.create(runnerSetPod({ name }));
	// An eviction of one that is on no node is refused.
	const exited = async (name: string) => {
		await neverStarted(name);
		await rig.kube.patch(`/api/v1/namespaces/${guarded}/pods/${name}/status`, {
			status: { phase: 'Failed' },
		});
	};

	return new Map<string, Kind[]>([
		[
			'DELETE, allowed',
			[
				{
					by: 'no webhook',
					expected: 200,
					make: like({}),
					send: (name) => remove(call, unguarded, name),
				},
				...plains.map(({ name: plain, by }) => ({
					by,
					expected: 200,
					make: like({ plain }),
					send: (name: string) => remove(call, unguarded, name),
				})),
				{
					by: "plain Node, the guard's conditions",
					expected: 200,
					make: like({ plain: 'node-with-conditions' }),
					send: (name) => remove(call, unguarded, name),
				},
				{
					by: 'guard: a runner that never started',
					expected: 200,
					make: neverStarted,
					send: (name) => remove(call, guarded, name),
				},
				{
					by: "guard: a job's pod, its runner gone",
					expected: 200,
					make: (name) => pods.create(jobPod(name)),
					send: (name) => remove(call, guarded, name),
				},
				{
					by: 'guard: an unregistered runner',
					expected: 200,
					make: (name) => pods.unregistered(name),
					send: (name) => remove(call, guarded, name),
				},
			],
		],
		[
			'DELETE, refused',
			[
				{ by: 'no webhook', expected: 409, send: () => remove(call, unguarded, 'still', wrong) },
				...plains.map(({ name: plain, by }) => ({
					by,
					expected: 409,
					make: like({ plain: `${plain}-refuses` }),
					send: (name: string) => remove(call, unguarded, name),
				})),
				{
					by: 'guard: a busy runner, recorded before',
					expected: 409,
					send: () => remove(call, guarded, 'busy'),
				},
			],
		],
		[
			'eviction, allowed',
			[
				{ by: 'no webhook', expected: 201, make: like({}), send: (name) => evict(call, unguarded, name) },
				...plains.map(({ name: plain, by }) => ({
					by,
					expected: 201,
					make: like({}),
					send: (name: string) => evictBy(name, { plain }),
				})),
				{
					by: 'guard: no runner',
					expected: 201,
					make: (name) => pods.create(ordinaryPod(guarded, name)),
					send: (name) => evict(call, guarded, name),
				},
				{
					by: 'guard: a runner that has exited',
					expected: 201,
					make: exited,
					send: (name) => evict(call, guarded, name),
				},
			],
		],
		[
			'eviction, refused',
			[
				{ by: 'no webhook', expected: 400, send: () => evictBy('still', {}, 'of-another-pod') },
				...plains.map(({ name: plain, by }) => ({
					by,
					expected: 429,
					send: () => evictBy('still', { plain: `${plain}-refuses` }),
				})),
				{
					by: 'guard: a busy runner, recorded before',
					expected: 429,
					send: () => evict(call, guarded, 'busy'),
				},
			],
		],
	]);
}

/** A webhook of the guard, as far as it is read here. */
interface Registered {
	name: string;
	rules: { operations: string[] }[];
	matchConditions?: { name: string; expression: string }[];
}

async function run(groups: Map<string, Kind[]>): Promise<void> {
	const all = [...groups].flatMap(([group, kinds]) => kinds.map((kind) => ({ ...kind, group })));
	const took = new Map(all.map((kind) => [kind, [] as number[]]));
	console.log(`${availableParallelism()} cores, load ${load()} at the start`);
	for (let round = 0; round < rounds; round++) {
		const sends = all.flatMap((kind, at) =>
			Array.from({ length: perRound }, (_, index) => ({ kind, name: `p-${round}-${at}-${index}` })),
		);
		await inParallel(sends, ({ kind, name }) => kind.make?.(name));
		// The server has seen the proofs by its watch: their quiet period begins then.
		await sleep(quietMs + 500);
		for (const { kind, name } of shuffle(sends, round + 1)) {
			const answer = await kind.send(name);
			if (answer.status !== kind.expected)
				throw new Error(`${kind.group} ${kind.by}: ${answer.status} ${answer.message}`);
			if (round > 0) took.get(kind)?.push(answer.tookMs); // the first round warms up
			await sleep(betweenMs);
		}
	}
	for (const [group, kinds] of groups) {
		const values = (at: number) =>
			took.get(all.find((one) => one.group === group && one.by === kinds[at]?.by)!) ?? [];
		const p50 = kinds.map((_, at) => median(values(at)));
		const added = p50.map((ms) => ms - (p50[0] ?? 0));
		const ratio = (at: number, by: string) => {
			const other = added[kinds.findIndex((kind) => kind.by === by)];
			return at === 0 || other === undefined ? '' : ((added[at] ?? 0) / other).toFixed(2);
		};
		console.log(
			`\n${table([
				[group, 'p50 ms', 'p95 ms', 'added p50 ms', 'x plain Node', 'x plain Go'],
				...kinds.map(({ by }, at) => [
					by,
					(p50[at] ?? 0).toFixed(2),
					quantile(values(at), 0.95).toFixed(2),
					(added[at] ?? 0).toFixed(2),
					ratio(at, 'plain Node'),
					ratio(at, 'plain Go'),
				]),
			])}`,
		);
	}
	console.log(`\n${(rounds - 1) * perRound} calls of each, load ${load()} at the end`);
}

async function inParallel<T>(
	items: readonly T[],
	work: (item: T) => Promise<unknown> | undefined,
): Promise<void> {
	const waiting = items[Symbol.iterator]();
	const worker = async () => {
		for (const item of waiting) await work(item);
	};
	await Promise.all(Array.from({ length: atOnce }, worker));
}

function load(): string {
	return loadavg()[0]?.toFixed(1) ?? '';
}

/** The plain webhooks, for pods and evictions that carry their label. They are not asked about a pod that is terminating, as the guard is not. */
async function registerPlain(
	rig: Rig,
	{ ports, authority }: PlainWebhooks,
	ours: readonly Registered[],
): Promise<void> {
	const { namespace, name } = plainService;
	const rules = [
		{ operations: ['DELETE'], resources: ['pods'] },
		{ operations: ['CREATE'], resources: ['pods/eviction'] },
	].map((rule) => ({ ...rule, apiGroups: [''], apiVersions: ['v1'] }));
	const webhook = (label: string, port: number, path: string) => ({
		name: `${label}.bench.svc`,
		admissionReviewVersions: ['v1'],
		sideEffects: 'None',
		objectSelector: { matchLabels: { plain: label } },
		matchConditions: [
			{
				name: 'not-terminating',
				expression: "request.operation != 'DELETE' || !has(oldObject.metadata.deletionTimestamp)",
			},
		],
		clientConfig: {
			service: { namespace, name, port, path },
			caBundle: Buffer.from(authority).toString('base64'),
		},
	});
	await rig.apply(
		{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
		{
			apiVersion: 'v1',
			kind: 'Service',
			metadata: { name, namespace },
			spec: { type: 'ExternalName', externalName: 'localhost' },
		},
		{
			apiVersion: 'admissionregistration.k8s.io/v1',
			kind: 'ValidatingWebhookConfiguration',
			metadata: { name: 'plain' },
			webhooks: [
				...Object.entries(ports).flatMap(([which, port]) => [
					{ ...webhook(which, port, '/'), rules },
					{ ...webhook(`${which}-refuses`, port, '/409'), rules: rules.slice(0, 1) },
					{
						...webhook(`${which}-refuses-eviction`, port, '/429'),
						rules: rules.slice(1),
						objectSelector: { matchLabels: { plain: `${which}-refuses` } },
					},
				]),
				// What the API server itself spends on the guard's conditions.
				...ours
					.filter(({ rules }) => rules[0]?.operations[0] === 'DELETE')
					.map(({ name, matchConditions }) => ({
						...webhook('node-with-conditions', ports.node, '/'),
						name: `of-${name}`,
						rules: rules.slice(0, 1),
						matchConditions,
					})),
			],
		},
	);
}

/** The guard's webhooks lead to the server itself, in place of the rig's balancer, and past the unguarded namespace. */
async function leadStraightToTheServer(rig: Rig): Promise<Registered[]> {
	const [server] = rig.servers;
	if (!server) throw new Error('no server');
	const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/runners-admission';
	const { webhooks } = await rig.kube.get<{ webhooks: Registered[] }>(path);
	const operations = webhooks.flatMap((_, index) => [
		{ op: 'replace', path: `/webhooks/${index}/clientConfig/service/port`, value: server.port },
		{
			op: 'add',
			path: `/webhooks/${index}/namespaceSelector/matchExpressions/-`,
			value: { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: [unguarded] },
		},
	]);
	await rig.ok([
		'patch',
		'validatingwebhookconfiguration',
		'runners-admission',
		'--type=json',
		'-p',
		JSON.stringify(operations),
	]);
	return webhooks;
}
