/** Servers and an API server that die at random moments while 50 runners are deleted: nothing is lost, nothing is killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { random } from '../../rig/random.ts';
import { leads, type ServerProcess } from '../../rig/server-process.ts';
import { stage } from '../../rig/stage.ts';
import { aftermath, storm } from '../../rig/storm.ts';
import { type HistoryContext, historyTests } from '../support/space-tests.ts';

interface Context extends HistoryContext {
	/** What a server could not write down any more, another asks GitHub once more: once per crash. */
	crashes: number;
}

const dice = random();
const test = historyTests<Context>(`crashes (SEED=${dice.seed})`, { prepare: () => stage('replicas') });

test.before((context) => {
	context.crashes = 0;
});
test.after.each(({ history, crashes }) => {
	assert.equal(history.violations({ crashes }), []);
});

async function kill9(context: Context, server: ServerProcess | undefined): Promise<void> {
	if (!server) throw new Error('no such replica');
	context.crashes++;
	server.signal('SIGKILL');
	await server.exited;
}

// Evictions are left out: the API server lets one pass that reaches a dying replica, or that no replica answers in time when
// everything starts again at once (failurePolicy Ignore). Then only the back-stop budget protects, which needs the busy mark. See
// webhook-down.test.ts.
test('kill -9 of the leader, then of every replica, while 50 runners are deleted: nothing lost, no job killed (invariant 10)', async (context) => {
	const { rig, history, call } = context;
	const outcome = await storm(rig, call, dice, 'servers', {
		disturb: async () => {
			await sleep(dice.between(500, 3_000));
			await kill9(context, rig.servers.find(leads));
			await rig.addServer();
			const kills = [...rig.servers].map(async (server) => {
				await sleep(dice.between(0, 3_000));
				await kill9(context, server);
			});
			await Promise.all(kills);
			await sleep(dice.between(0, 2_000));
			await rig.addServer();
			await rig.addServer();
		},
	});
	console.log(`servers killed: ${await aftermath(rig, history, 'servers', outcome)}`);
});

test('kill -9 of the API server, twice, while 50 runners are deleted: nothing lost, no job killed, servers live on', async (context) => {
	const { rig, history, call } = context;
	const replicas = rig.servers.map((server) => server.pid);
	const outcome = await storm(rig, call, dice, 'api', {
		disturb: async () => {
			for (let crash = 0; crash < 2; crash++) {
				await sleep(dice.between(500, 2_500));
				context.crashes++;
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

test.run();
