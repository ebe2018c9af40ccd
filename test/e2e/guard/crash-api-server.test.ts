/** An API server that dies at random moments while 50 runners are deleted: nothing is lost, nothing is killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { type ApiCall, apiCalls } from '../../rig/api-call.ts';
import { type History, startHistory } from '../../rig/history.ts';
import { random } from '../../rig/random.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { aftermath, storm } from '../../rig/storm.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';

interface Context {
	rig: Rig;
	history: History;
	call: ApiCall;
	stopCalls: () => void;
}

const crashesPerStorm = 2;

const dice = random();
const test = suite<Context>(`API server crashes (SEED=${dice.seed})`);

test.before(async (context) => {
	context.rig = await startRig({ nodes: ['node-1'], replicas: 2 });
	context.history = await startHistory(context.rig);
	const { call, stop } = apiCalls(readKubeconfig(context.rig.cluster.kubeconfig));
	Object.assign(context, { call, stopCalls: stop });
});
test.after(async ({ rig, history, stopCalls }) => {
	if (rig) console.log(`\n${rig.github.callsTable()}`);
	stopCalls?.();
	history?.stop();
	await rig?.stop();
});
test.after.each(({ history }) => {
	// What a server could not write down while the API server was away, it asks GitHub again: once per crash.
	assert.equal(history.violations({ crashes: crashesPerStorm }), []);
});

test('kill -9 of the API server, twice, while 50 runners are deleted: nothing lost, no job killed, servers live on', async (context) => {
	const { rig, history, call } = context;
	const replicas = rig.servers.map((server) => server.pid);
	const outcome = await storm(rig, call, dice, 'api', {
		evictions: true,
		disturb: async () => {
			for (let crash = 0; crash < crashesPerStorm; crash++) {
				await sleep(dice.between(500, 2_500));
				await rig.cluster.killApiServer();
				await sleep(dice.between(0, 1_500));
				await rig.cluster.startApiServer();
			}
		},
	});
	console.log(`API server killed: ${await aftermath(rig, history, 'api', outcome)}`);
	assert.equal(
		rig.servers.map((server) => server.pid),
		replicas,
	);
});

test("GitHub's answer to a DELETE is lost on the way: the runner, unregistered though nobody knows, goes all the same", async (context) => {
	const { rig, history } = context;
	// Whatever has watched the API server may need a while to be at work again.
	await rig.apply(runnerSetPod({ name: 'first-again', namespace: 'api' }));
	await rig.agents.waitRegistered(['first-again'], 90_000);
	const lost = rig.github.fault({ endpoint: 'delete', fault: { kind: 'reset', effect: 'done' }, times: 1 });
	// At once: the leader has not yet seen GitHub's id of it.
	await rig.runners([{ name: 'unheard', namespace: 'api' }]);
	await rig.kubectl(['-n', 'api', 'delete', 'pod', 'unheard', '--wait=false']);
	assert.is(lost.hits(), 1);
	await rig.gone('unheard', 'api'); // promised within 45 s of an outage
	await history.settled();
});

test.run();
