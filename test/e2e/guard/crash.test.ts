/** Servers that die at random moments while 50 runners are deleted: nothing is lost, nothing is killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { type ApiCall, apiCalls } from '../../rig/api-call.ts';
import { type History, startHistory } from '../../rig/history.ts';
import { random } from '../../rig/random.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import type { ServerProcess } from '../../rig/server-process.ts';
import { aftermath, storm } from '../../rig/storm.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { suite } from '../../support/suite.ts';

interface Context {
	rig: Rig;
	history: History;
	call: ApiCall;
	stopCalls: () => void;
	crashes: number;
}

const dice = random();
const test = suite<Context>(`crashes (SEED=${dice.seed})`);

test.before(async (context) => {
	context.rig = await startRig({ nodes: ['node-1'], replicas: 2 });
	context.history = await startHistory(context.rig);
	context.crashes = 0;
	const { call, stop } = apiCalls(readKubeconfig(context.rig.cluster.kubeconfig));
	Object.assign(context, { call, stopCalls: stop });
});
test.after(async ({ rig, history, stopCalls }) => {
	if (rig) console.log(`\n${rig.github.callsTable()}`);
	stopCalls?.();
	history?.stop();
	await rig?.stop();
});
test.after.each(({ history, crashes }) => {
	assert.equal(history.violations({ crashes }), []);
});

// Evictions are left out: the API server lets one pass that reaches a dying replica (failurePolicy Ignore), and then only
// the back-stop budget protects, which needs the busy mark. See webhook-down.test.ts.

const leaderOf = (rig: Rig): ServerProcess | undefined =>
	rig.servers.find((server) => server.log.some((line) => line.msg === 'leading'));

async function kill9(context: Context, server: ServerProcess | undefined): Promise<void> {
	if (!server) throw new Error('no such replica');
	context.crashes++;
	server.signal('SIGKILL');
	await server.exited;
}

test('kill -9 of the leader while 50 runners are deleted: nothing lost, no job killed (invariant 10)', async (context) => {
	const { rig, history, call } = context;
	const outcome = await storm(rig, call, dice, 'leader', {
		evictions: false,
		disturb: async () => {
			await sleep(dice.between(500, 7_000));
			await kill9(context, leaderOf(rig));
			await rig.addServer();
		},
	});
	console.log(`leader killed: ${await aftermath(rig, history, 'leader', outcome)}`);
});

test('kill -9 of every replica while 50 runners are deleted: nothing lost, no job killed (invariant 10)', async (context) => {
	const { rig, history, call } = context;
	const outcome = await storm(rig, call, dice, 'every', {
		evictions: false,
		disturb: async () => {
			const kills = [...rig.servers].map(async (server) => {
				await sleep(dice.between(500, 6_000));
				await kill9(context, server);
			});
			await Promise.all(kills);
			await sleep(dice.between(0, 2_000));
			await rig.addServer();
			await rig.addServer();
		},
	});
	console.log(`every replica killed: ${await aftermath(rig, history, 'every', outcome)}`);
});

test.run();
