/** Job hooks: the pods of our sets have them, their real scripts run, and what they say is on the pods when they end. */
import { createPrivateKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { busy, jobHooks } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { hookAudience, hookVolume } from '../../../admission/jobs/hooks/rules/layout.ts';
import type { JobSignal } from '../../../admission/runner/job-signals.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { type Kind, kinds, SetUnderTest } from '../../rig/runner-sets.ts';
import { stage } from '../../rig/stage.ts';
import { suite } from '../../support/suite.ts';
import { end } from '../support/space.ts';

const test = suite<{ rig: Rig; sets: SetUnderTest[] }>('job hooks');

test.before(async (context) => {
	context.sets = [];
	context.rig = await stage('sets');
});
test.after.each(async ({ sets }) => {
	for (const set of sets.splice(0)) await set.end().finally(() => set.stop());
});
test.after(({ rig }) => end(rig));

/** A set whose runners are online. GitHub's list is late: what is on its pods comes from the hooks. */
async function setOf({ rig, sets }: { rig: Rig; sets: SetUnderTest[] }, kind: Kind, replicas: number) {
	const set = await SetUnderTest.make(rig, kind, { replicas, ownCredentials: true, until: 'online' });
	sets.push(set);
	rig.github.delayHints(set.scope, 120_000);
	return set;
}

const podOf = (rig: Rig, set: SetUnderTest, name: string) =>
	rig.kube.get<Pod>(`/api/v1/namespaces/${set.namespace}/pods/${name}`);

function hookSignals({ metadata }: Pod): JobSignal[] {
	const text = metadata.annotations?.[busy.signals] ?? '- []';
	return (JSON.parse(text.slice(text.indexOf(' ') + 1)) as JobSignal[]).filter(({ by }) => by === 'hook');
}

/** The nearest rank. */
const percentile = (values: number[], share: number) =>
	values.toSorted((one, other) => one - other)[Math.ceil(values.length * share) - 1] ?? 0;

for (const kind of kinds)
	test(`${kind}: its pods have hooks; busy with the job's name when the first has run, finishing after the last`, async (context) => {
		const { rig } = context;
		const set = await setOf(context, kind, 5);
		const names = set.live();
		for (const name of names) {
			const { metadata, spec } = await podOf(rig, set, name);
			assert.match(metadata.annotations?.[jobHooks.script] ?? '', '/hooks/$what');
			assert.match(metadata.annotations?.[jobHooks.authorities] ?? '', 'BEGIN CERTIFICATE');
			assert.ok(
				(spec as { volumes?: { name: string }[] }).volumes?.some((volume) => volume.name === hookVolume),
			);
		}
		await Promise.all(names.map((name) => set.work(name)));
		const ran = (phase: string) =>
			rig.agents.journal.filter(
				({ what, namespace, hook }) =>
					what === 'hook-ran' && namespace === set.namespace && hook?.phase === phase,
			);
		await eventually('every first hook has run', () => ran('started').length === names.length);
		for (const { pod, hook } of ran('started')) {
			assert.equal([hook?.exitCode, hook?.output], [0, '']);
			const object = await podOf(rig, set, pod);
			assert.is(object.metadata.labels?.[busy.label], 'true');
			assert.match(object.metadata.annotations?.[busy.job] ?? '', /run \d+/);
			assert.equal(
				hookSignals(object).map(({ state }) => state),
				['working'],
			);
		}
		const tookMs = ran('started').map(({ hook }) => hook?.tookMs ?? 0);
		console.log(
			`\n  from the hook's start to its end: p50 ${percentile(tookMs, 0.5)} ms, p95 ${percentile(tookMs, 0.95)} ms`,
		);
		assert.ok(percentile(tookMs, 0.5) < 3_000, 'the script gives up after 3 s');
		await set.finish(...names);
		await eventually('every last hook has run', () => ran('completed').length === names.length);
		assert.equal(
			[...new Set(ran('completed').map(({ hook }) => `${hook?.exitCode} ${hook?.output}`))],
			['0 '],
		);
	});

interface Answer {
	status: number;
	retryAfter: string | undefined;
}

/** As a hook sends it; the certificate is not looked at. */
function say(
	port: number,
	token: string | undefined,
	body: string,
	path = '/hooks/started',
): Promise<Answer> {
	return new Promise((resolve, reject) => {
		const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
		const call = httpsRequest(
			{ host: 'localhost', port, path, method: 'POST', headers, agent: false, rejectUnauthorized: false },
			(response) => {
				response.resume();
				resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] });
			},
		);
		call.on('error', reject);
		call.end(body);
	});
}

/** A token as a kubelet asks for it. */
async function tokenOf(
	rig: Rig,
	pod: Pod,
	audience: string | undefined = hookAudience,
	bound = true,
): Promise<string> {
	const { name, namespace, uid } = pod.metadata;
	const { status } = await rig.kube.create<{ status: { token: string } }>(
		`/api/v1/namespaces/${namespace}/serviceaccounts/default/token`,
		{
			apiVersion: 'authentication.k8s.io/v1',
			kind: 'TokenRequest',
			spec: {
				...(audience ? { audiences: [audience] } : {}),
				...(bound ? { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid } } : {}),
			},
		},
	);
	return status.token;
}

/** The same token, whose time was over an hour ago, signed with the cluster's own key. */
function expired(rig: Rig, token: string): string {
	const key = createPrivateKey(readFileSync(join(rig.cluster.folder, 'token.key')));
	const [header = '', signals = ''] = token.split('.');
	const said = JSON.parse(Buffer.from(signals, 'base64url').toString()) as Record<string, number>;
	const text = JSON.stringify({
		...said,
		exp: Number(said.exp) - 7_200,
		iat: Number(said.iat) - 7_200,
		nbf: Number(said.nbf) - 7_200,
	});
	const unsigned = `${header}.${Buffer.from(text).toString('base64url')}`;
	const signature = sign('sha256', Buffer.from(unsigned), { key, dsaEncoding: 'ieee-p1363' });
	return `${unsigned}.${signature.toString('base64url')}`;
}

const job = (key: string) =>
	JSON.stringify({ RUNNER_TRACKING_ID: key, GITHUB_JOB: 'build', GITHUB_RUN_ID: '42' });

test('bad input: 401, 400, 413, nothing written, one line for each pod', async (context) => {
	const { rig } = context;
	const set = await setOf(context, 'RunnerDeployment', 2);
	const [first = '', second = ''] = set.live();
	const pod = await podOf(rig, set, first);
	const port = rig.servers[0]?.jobsPort ?? 0;
	const good = await tokenOf(rig, pod);
	const none: [what: string, token: string | undefined][] = [
		['no token', undefined],
		['not a token', 'x.y.z'],
		['another audience', await tokenOf(rig, pod, 'vault')],
		["the API server's audience", await tokenOf(rig, pod, '')],
		['not bound to a pod', await tokenOf(rig, pod, hookAudience, false)],
		['expired', expired(rig, good)],
		['forged', `${good.slice(0, -4)}AAAA`],
	];
	for (const [what, token] of none) assert.is((await say(port, token, job('a'))).status, 401, what);
	assert.is((await say(port, good, 'not JSON')).status, 400);
	assert.is((await say(port, good, '{}')).status, 400);
	assert.is((await say(port, good, `"${'x'.repeat(17 * 1024)}"`)).status, 413);
	assert.equal(hookSignals(await podOf(rig, set, first)), []);
	// Another pod's token speaks for that pod, whatever the body says.
	const others = await tokenOf(rig, await podOf(rig, set, second));
	assert.is((await say(port, others, job('b'))).status, 200);
	assert.equal(hookSignals(await podOf(rig, set, first)), []);
	assert.equal(
		hookSignals(await podOf(rig, set, second)).map(({ key }) => key),
		['b'],
	);
	const lines = (rig.servers[0]?.log ?? []).filter(
		({ msg, status }) => msg === 'job hook refused' && status === 401,
	);
	assert.is(lines.length, 1, 'none of them is known to be of a pod');
	assert.not.match(JSON.stringify(rig.servers[0]?.log), good);
	await say(port, others, job('b'), '/hooks/completed');
});

test("a deleted pod's token: 401", async (context) => {
	const { rig } = context;
	const set = await setOf(context, 'RunnerDeployment', 1);
	const [name = ''] = set.live();
	const port = rig.servers[0]?.jobsPort ?? 0;
	const token = await tokenOf(rig, await podOf(rig, set, name));
	assert.is((await say(port, token, job('a'))).status, 200);
	assert.is((await say(port, token, job('a'), '/hooks/completed')).status, 200);
	const annotations = { 'actions-runner/break-glass': 'the test wants it gone' };
	await rig.kube.patch(`/api/v1/namespaces/${set.namespace}/pods/${name}`, { metadata: { annotations } });
	await rig.kube.delete(`/api/v1/namespaces/${set.namespace}/pods/${name}`);
	await eventually('the pod is gone', async () => !(await rig.pod(name, set.namespace)));
	assert.is((await say(port, token, job('b'))).status, 401);
});

test('nobody but the server edits what the hooks of a live runner are', async (context) => {
	const { rig } = context;
	const set = await setOf(context, 'RunnerDeployment', 1);
	const [name = ''] = set.live();
	for (const key of [jobHooks.script, jobHooks.authorities, jobHooks.absent, jobHooks.before]) {
		const { code, stderr } = await rig.kubectl([
			'-n',
			set.namespace,
			'annotate',
			'pod',
			name,
			`${key}=x`,
			'--overwrite',
		]);
		assert.is(code, 1);
		assert.match(stderr, key);
	}
});

test('1,000 hooks a second: the rest is sent away, and reviews are answered as before', async (context) => {
	const { rig } = context;
	const set = await setOf(context, 'RunnerDeployment', 1);
	const [name = ''] = set.live();
	const port = rig.servers[0]?.jobsPort ?? 0;
	const token = await tokenOf(rig, await podOf(rig, set, name));
	const reviewMs = async () => {
		const startedMs = performance.now();
		await rig.kubectl(['-n', set.namespace, 'annotate', 'pod', name, `${jobHooks.absent}=x`, '--overwrite']);
		return performance.now() - startedMs;
	};
	const before = await reviewMs();
	const outcomes = new Map<string, number>();
	const all: Promise<void>[] = [];
	for (let second = 0; second < 2; second++) {
		for (let index = 0; index < 1_000; index++)
			all.push(
				say(port, token, job(`flood-${second}-${index}`)).then(
					({ status }) => void outcomes.set(`${status}`, (outcomes.get(`${status}`) ?? 0) + 1),
					() => void outcomes.set('cut', (outcomes.get('cut') ?? 0) + 1),
				),
			);
		await new Promise((resolve) => setTimeout(resolve, 1_000));
	}
	const during = await reviewMs();
	await Promise.all(all);
	console.log(
		`\n  ${JSON.stringify(Object.fromEntries(outcomes))}; a refused edit took ${Math.round(before)} ms before, ${Math.round(during)} ms meanwhile`,
	);
	assert.equal(
		[...outcomes.keys()].filter((one) => !['200', '503', 'cut'].includes(one)),
		[],
	);
	assert.ok(during < 5_000);
});

test.run();
