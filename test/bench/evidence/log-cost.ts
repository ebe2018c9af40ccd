import { readLog } from '../../../admission/jobs/read-log.ts';
import { createKubeClient, loadKubeConfig } from '../../../admission/kube/client.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { type Answer, type ApiCall, apiCalls, evict, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { added, head, row } from './samples.ts';

const runners = 50;
/** One after the other, in each round: each dry run needs a list of its own, and a credential has some 60 a minute. */
const inTurn = 15;
/** The first warms up. */
const rounds = 4;
const dryRun = { dryRun: ['All'] };
const role = 'clusterrole/runners-admission-webhook';
const server = 'system:serviceaccount:runners-system:runners-admission';

/**
 * Dry-run DELETEs and evictions of idle runners: the server reads the log, then GitHub's list, and writes nothing. They
 * are compared with the same calls while the server may not read logs: the API server then refuses the read without
 * asking a kubelet.
 */
export async function logCost(rig: Rig): Promise<{ title: string; rows: string[][] }> {
	const names = Array.from({ length: runners }, (_, index) => `r-${index}`);
	const { call, stop } = apiCalls(readKubeconfig(rig.cluster.kubeconfig));
	const client = createKubeClient(loadKubeConfig(rig.cluster.kubeconfig, {}), 'bench', systemClock);
	const { rules } = JSON.parse(await rig.ok(['get', role, '-o', 'json'])) as {
		rules: { resources?: string[] }[];
	};
	const may = { read: rules, unread: rules.filter(({ resources }) => !resources?.includes('pods/log')) };
	const took = { read: noTimes(), unread: noTimes(), get: [] as number[], log: [] as number[] };
	try {
		for (let round = 0; round < rounds; round++) {
			const namespace = `bench-log-${round}`;
			await idle(rig, namespace, names);
			const note = (into: number[], answers: readonly Pick<Answer, 'tookMs'>[]) => {
				if (round > 0) into.push(...answers.map(({ tookMs }) => tookMs));
			};
			for (const which of round % 2 === 0 ? (['read', 'unread'] as const) : (['unread', 'read'] as const)) {
				await allow(rig, may[which], which === 'read');
				const expected = which === 'read' ? 200 : 409;
				note(took[which].deletes, await deletesInTurn(call, namespace, names, expected));
				note(
					took[which].evictions,
					await Promise.all(names.map((name) => evict(call, namespace, name, dryRun))),
				);
			}
			for (const name of names.slice(0, inTurn)) {
				note(took.get, [await call('GET', `/api/v1/namespaces/${namespace}/pods/${name}`)]);
				const fromMs = performance.now();
				const reading = await readLog(client, { namespace, name });
				if (reading.says !== 'idle') throw new Error(`the log of ${name}: ${JSON.stringify(reading)}`);
				note(took.log, [{ tookMs: performance.now() - fromMs }]);
			}
			await clear(rig, namespace);
		}
	} finally {
		stop();
		await allow(rig, rules, true);
	}
	return {
		title: 'What the log adds to a decision (dry run, idle runners)',
		rows: [
			head,
			row('DELETE, one after the other', took.read.deletes),
			row('  beside it: the log may not be read', took.unread.deletes),
			added('  added', took.read.deletes, took.unread.deletes, 'p95 <= 50'),
			row(`${runners} evictions at once`, took.read.evictions),
			row('  beside it: the log may not be read', took.unread.evictions),
			added('  added', took.read.evictions, took.unread.evictions, 'p95 <= 50'),
			row('GET of a log alone', took.log),
			row('  beside it: GET of its pod', took.get),
		],
	};
}

const noTimes = () => ({ deletes: [] as number[], evictions: [] as number[] });

/** Idle runners that are known, with a credential of their own, whose lists are counted apart. */
async function idle(rig: Rig, namespace: string, names: string[]): Promise<void> {
	const token = `token-of-${namespace}`;
	await rig.cluster.createNamespace(namespace);
	rig.github.addScope(`orgs/${namespace}`);
	rig.github.tokens.add(token);
	await rig.apply({
		apiVersion: 'v1',
		kind: 'Secret',
		metadata: { name: 'credentials', namespace },
		stringData: { github_token: token },
	});
	await rig.runners(
		names.map((name) => ({ name, namespace, organization: namespace, credentialsSecret: 'credentials' })),
	);
	await eventually('all are known', async () =>
		(await rig.pods(namespace)).every(({ metadata }) => metadata.annotations?.['actions-runner/runner-id']),
	);
}

async function clear(rig: Rig, namespace: string): Promise<void> {
	await rig.ok([
		...['annotate', 'pods', '--all', '-n', namespace],
		'actions-runner/break-glass=the bench is over',
	]);
	await rig.ok(['delete', 'pods', '--all', '-n', namespace, '--grace-period=0', '--force']);
}

/** Sets whether the server may read logs; resolves when the API server applies it. */
async function allow(rig: Rig, rules: object[], readable: boolean): Promise<void> {
	await rig.ok(['patch', role, '--type=merge', '-p', JSON.stringify({ rules })]);
	await eventually('the role counts', async () => {
		const { stdout } = await rig.kubectl([
			'auth',
			'can-i',
			'get',
			'pods',
			'--subresource=log',
			'-A',
			`--as=${server}`,
		]);
		return (stdout.trim() === 'yes') === readable;
	});
}

async function deletesInTurn(
	call: ApiCall,
	namespace: string,
	names: string[],
	expected: number,
): Promise<Answer[]> {
	const answers: Answer[] = [];
	for (const name of names.slice(0, inTurn)) {
		const answer = await remove(call, namespace, name, dryRun);
		if (answer.status !== expected) throw new Error(`${name}: ${answer.status} ${answer.message}`);
		answers.push(answer);
	}
	return answers;
}
